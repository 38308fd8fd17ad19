//! Directives of the http static module.

use bstr::BStr;

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
        /// Index files; variables are allowed, and the last one may be absolute.
        "index" => Vec<Templates> = "index.html", in HTTP_ALL;
        /// Candidate files, then a URI, @name or =CODE. While this is not implemented, only the request's own file is
        /// served; if the first candidate is another file, nothing is served.
        "try_files" => Own<Templates>, in HTTP_SERVER | LOCATION, args Arity::from(2), restricts answers unless begins_with_uri;
    }
}

/// Whether the first candidate is the request's own file.
fn begins_with_uri(words: &BStr) -> bool {
    [&b"$uri"[..], b"${uri}"]
        .iter()
        .any(|uri| words.strip_prefix(*uri).is_some_and(|rest| rest.starts_with(b" ")))
}
