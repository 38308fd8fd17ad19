//! Directives of the gzip module.

use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{AnyOf, Flag, NumBetween, OneOf, Size, Summed, Words};
use crate::http::core::buffers::BufferCount;

word_lists! {
    /// Values of `gzip_http_version`.
    pub GzipHttpVersion: "1.0" | "1.1";
    /// Values of `gzip_proxied`.
    pub GzipProxied:
        "off" | "expired" | "no-cache" | "no-store" | "private" | "no_last_modified" | "no_etag" | "auth" |
        "any";
}

directives! {
    /// Compression of responses.
    module "gzip";
    later {
        /// Compresses responses.
        "gzip" => Flag = "off", in HTTP_ALL | LOCATION_IF;
        /// MIME types to compress ("*" = all).
        "gzip_types" => Words = "text/html", in HTTP_ALL;
        /// Compression level, 1-9.
        "gzip_comp_level" => NumBetween<1, 9> = "1", in HTTP_ALL;
        /// Minimum length of a response to be compressed.
        "gzip_min_length" => Size = "20", in HTTP_ALL;
        /// Adds Vary: Accept-Encoding.
        "gzip_vary" => Flag = "off", in HTTP_ALL;
        /// Minimum HTTP version of a request for compression.
        "gzip_http_version" => OneOf<GzipHttpVersion> = "1.1", in HTTP_ALL;
        /// Compression of responses to proxied requests.
        "gzip_proxied" => Summed<AnyOf<GzipProxied>> = "off", in HTTP_ALL;
        /// User agents whose responses are not compressed (regex or msie6).
        "gzip_disable" => Words, in HTTP_ALL;
    }
    needless {
        /// Number and size of buffers.
        "gzip_buffers" => BufferCount = "32 4k", in HTTP_ALL;
    }
}
