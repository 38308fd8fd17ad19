//! Directives of the http static module.

use crate::directive::context::{HTTP_ALL, HTTP_SERVER, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{Arity, Flag, OneOf, Own, Present};
use crate::http::variable::Templates;

word_lists! {
    /// Values of `autoindex_format`.
    pub AutoindexFormat: "html" | "json" | "jsonp" | "xml";
}

directives! {
    /// Static files: indexes and fallbacks.
    module "http static";
    live as Current {
        /// Responds with a transparent GIF of one pixel.
        "empty_gif" => empty_gif: Own<Present>, in LOCATION;
        /// Index files; variables are allowed, and the last one may be absolute.
        "index" => index: Vec<Templates> = "index.html", in HTTP_ALL;
        /// Candidate files, then a URI, @name or =CODE: the first file that exists answers, otherwise the last argument
        /// does.
        "try_files" => try_files: Own<Templates>, in HTTP_SERVER | LOCATION, args Arity::from(2), restricts answers;
    }
    later {
        /// Directory listings.
        "autoindex" => Flag = "off", in HTTP_ALL;
        /// Format of directory listings.
        "autoindex_format" => OneOf<AutoindexFormat> = "html", in HTTP_ALL;
        /// Exact file sizes in listings.
        "autoindex_exact_size" => Flag = "on", in HTTP_ALL;
        /// Local times in listings.
        "autoindex_localtime" => Flag = "off", in HTTP_ALL;
    }
}
