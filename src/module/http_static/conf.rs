//! Directives of the http static module.

use super::index_names::IndexNames;
use super::tried::TryFiles;
use crate::directive::context::{HTTP_ALL, HTTP_SERVER, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{Flag, NotInherited, Selected};

one_of! {
    /// Format of listings.
    pub enum AutoindexFormat {
        /// A page.
        "html" => Html,
        /// An array of objects.
        "json" => Json,
        /// A call of the function that `?callback=` names; JSON without it.
        "jsonp" => Jsonp,
        /// Elements for directories and files.
        "xml" => Xml,
    }
}

directives! {
    /// Static files: indexes and fallbacks.
    module "http static";
    live as Current {
        /// Responds with a transparent GIF of one pixel.
        ///
        /// Example: `empty_gif;`
        "empty_gif" => empty_gif: NotInherited<Selected>, in LOCATION, selects handler;
        /// Index files; variables are allowed, and the last one may be absolute.
        ///
        /// Example: `index index.html index.htm;`
        "index" => index: Vec<IndexNames> = "index.html", in HTTP_ALL;
        /// Candidate files, then a URI, @name or =CODE: the first file that exists answers, otherwise the last argument
        /// does.
        ///
        /// Example: `try_files $uri $uri/ =404;`
        "try_files" => try_files: NotInherited<TryFiles>, in HTTP_SERVER | LOCATION, restricts answers;
        /// Answers for directories without an index file with a listing. Names that begin with a dot are left out; a directory of more than 100000 files is refused with 500.
        ///
        /// Example: `autoindex on;`
        "autoindex" => autoindex: Flag = "off", in HTTP_ALL;
        /// Format of listings. With jsonp, the query argument `callback` names a function.
        ///
        /// Example: `autoindex_format json;`
        "autoindex_format" => autoindex_format: AutoindexFormat = "html", in HTTP_ALL;
        /// Shows sizes in HTML listings in bytes, instead of rounded.
        ///
        /// Example: `autoindex_exact_size off;`
        "autoindex_exact_size" => autoindex_exact_size: Flag = "on", in HTTP_ALL;
        /// Shows times in HTML listings in the local time zone, instead of UTC.
        ///
        /// Example: `autoindex_localtime on;`
        "autoindex_localtime" => autoindex_localtime: Flag = "off", in HTTP_ALL;
        /// Answers for directories with one of their files, chosen at random, before `index` is applied.
        ///
        /// Example: `random_index on;`
        "random_index" => random_index: Flag = "off", in LOCATION;
    }
}
