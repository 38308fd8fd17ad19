//! Directives of the http static module.

use crate::conf::context::{HTTP_ALL, HTTP_SERVER, LOCATION};
use crate::conf::directive::directives;
use crate::conf::word::word_lists;
use crate::conf::{Arity, Flag, OneOf, Present};
use crate::module::http::variable::Templates;

word_lists! {
    /// Words of `autoindex_format`.
    pub AutoindexFormat: "html" | "json" | "jsonp" | "xml";
}

directives! {
    /// Files: indexes and fallbacks.
    module "http static";
    later {
        /// Directory listings.
        "autoindex" => Flag = "off", in HTTP_ALL;
        /// Listing format.
        "autoindex_format" => OneOf<AutoindexFormat> = "html", in HTTP_ALL;
        /// Exact sizes.
        "autoindex_exact_size" => Flag = "on", in HTTP_ALL;
        /// Local times.
        "autoindex_localtime" => Flag = "off", in HTTP_ALL;
        /// Index files; variables allowed; last may be absolute.
        "index" => Vec<Templates> = "index.html", in HTTP_ALL;
        /// Candidate files then URI, @name or =CODE.
        "try_files" => Templates, in HTTP_SERVER | LOCATION, args Arity::from(2);
        /// Answers a 1x1 GIF.
        "empty_gif" => Present, in LOCATION;
    }
}
