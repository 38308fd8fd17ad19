//! Directives of the http static module.

use bstr::BStr;

use crate::directive::context::{HTTP_ALL, HTTP_SERVER, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{Arity, Flag, OneOf, Own, Present};
use crate::http::variable::Templates;

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
        /// Candidate files then URI, @name or =CODE. Until they are tried, only the file of the request itself is looked for, and
        /// where another comes first, nothing is served.
        "try_files" => Own<Templates>, in HTTP_SERVER | LOCATION, args Arity::from(2), restricts answers unless begins_with_uri;
        /// Answers a 1x1 GIF.
        "empty_gif" => Own<Present>, in LOCATION, restricts answers;
    }
}

/// Whether the first candidate is the file that is looked for anyway.
fn begins_with_uri(words: &BStr) -> bool {
    [&b"$uri"[..], b"${uri}"]
        .iter()
        .any(|uri| words.strip_prefix(*uri).is_some_and(|rest| rest.starts_with(b" ")))
}
