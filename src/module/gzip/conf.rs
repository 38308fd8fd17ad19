//! Directives of the gzip module.

use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{AnyOf, Flag, NumBetween, OneOf, Size, Summed, Words};
use crate::http::core::buffers::Buffers;

word_lists! {
    /// Words of `gzip_http_version`.
    pub GzipHttpVersion: "1.0" | "1.1";
    /// Words of `gzip_proxied`.
    pub GzipProxied:
        "off" | "expired" | "no-cache" | "no-store" | "private" | "no_last_modified" | "no_etag" | "auth" |
        "any";
}

directives! {
    /// Compression of responses.
    module "gzip";
    later {
        /// Compress responses.
        "gzip" => Flag = "off", in HTTP_ALL | LOCATION_IF;
        /// MIME types ("*" = all).
        "gzip_types" => Words = "text/html", in HTTP_ALL;
        /// 1-9.
        "gzip_comp_level" => NumBetween<1, 9> = "1", in HTTP_ALL;
        /// Shortest response to compress.
        "gzip_min_length" => Size = "20", in HTTP_ALL;
        /// Vary: Accept-Encoding.
        "gzip_vary" => Flag = "off", in HTTP_ALL;
        /// Lowest version to gzip.
        "gzip_http_version" => OneOf<GzipHttpVersion> = "1.1", in HTTP_ALL;
        /// Gzip for proxied requests.
        "gzip_proxied" => Summed<AnyOf<GzipProxied>> = "off", in HTTP_ALL;
        /// User agents not to gzip (regex or msie6).
        "gzip_disable" => Words, in HTTP_ALL;
    }
    needless {
        /// Buffers.
        "gzip_buffers" => Buffers = "32 4k", in HTTP_ALL;
    }
}
