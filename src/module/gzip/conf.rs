//! Directives of the gzip module.

use super::disable::GzipDisable;
use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::{any_of, one_of};
use crate::directive::{Args, Evaluation, Flag, NumBetween, Size, Summed, Value};
use crate::http::content_types::TypeList;
use crate::http::core::buffers::BufferCount;
use crate::syntax::Problem;

one_of! {
    /// Lowest version of requests whose responses are compressed.
    pub enum GzipHttpVersion {
        /// HTTP/1.0.
        "1.0" => Http10,
        /// HTTP/1.1.
        "1.1" => Http11,
    }
}

any_of! {
    /// Responses to requests of proxies that are compressed.
    pub struct GzipProxied {
        /// None.
        "off" => OFF = 0x001,
        /// Those with an `Expires` that forbids caching.
        "expired" => EXPIRED = 0x002,
        /// Those with `Cache-Control: no-cache`.
        "no-cache" => NO_CACHE = 0x004,
        /// Those with `Cache-Control: no-store`.
        "no-store" => NO_STORE = 0x008,
        /// Those with `Cache-Control: private`.
        "private" => PRIVATE = 0x010,
        /// Those without `Last-Modified`.
        "no_last_modified" => NO_LAST_MODIFIED = 0x020,
        /// Those without `ETag`.
        "no_etag" => NO_ETAG = 0x040,
        /// Those to requests with `Authorization`.
        "auth" => AUTH = 0x080,
        /// All.
        "any" => ANY = 0x100,
    }
}

one_of! {
    /// Use of compressed files.
    pub enum GzipStatic {
        /// None.
        "off" => Off,
        /// For clients that accept gzip.
        "on" => On,
        /// For all clients.
        "always" => Always,
    }
}

directives! {
    /// Compression of responses.
    module "gzip";
    live as Current {
        /// Compresses responses. Live streams are never compressed.
        ///
        /// Example: `gzip on;`
        "gzip" => gzip: Flag = "off", in HTTP_ALL | LOCATION_IF;
        /// MIME types to compress, besides text/html; `*` stands for all.
        ///
        /// Example: `gzip_types application/vnd.apple.mpegurl application/json;`
        "gzip_types" => types: TypeList = "text/html", in HTTP_ALL;
        /// Compression level, from 1, the fastest, to 9, the smallest.
        ///
        /// Example: `gzip_comp_level 5;`
        "gzip_comp_level" => level: NumBetween<1, 9> = "1", in HTTP_ALL;
        /// Minimum length of a response to be compressed; one whose length is unknown is always long enough.
        ///
        /// Example: `gzip_min_length 1000;`
        "gzip_min_length" => min_length: Size = "20", in HTTP_ALL;
        /// Adds Vary: Accept-Encoding to responses that are compressed for some clients.
        ///
        /// Example: `gzip_vary on;`
        "gzip_vary" => vary: Flag = "off", in HTTP_ALL;
        /// Minimum HTTP version of a request for compression.
        ///
        /// Example: `gzip_http_version 1.0;`
        "gzip_http_version" => http_version: GzipHttpVersion = "1.1", in HTTP_ALL;
        /// Compression of responses to requests with the header `Via`, which proxies send.
        ///
        /// Example: `gzip_proxied any;`
        "gzip_proxied" => proxied: Summed<GzipProxied> = "off", in HTTP_ALL;
        /// User agents whose responses are not compressed (regex or msie6).
        ///
        /// Example: `gzip_disable msie6;`
        "gzip_disable" => disabled: Vec<GzipDisable>, in HTTP_ALL;
        /// Decompresses responses with `Content-Encoding: gzip` for clients that do not accept it.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `gunzip on;`
        "gunzip" => gunzip: Flag = "off", in HTTP_ALL;
        /// Sends the file with `.gz` behind its name, if there is one: to clients that accept gzip, or to all.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `gzip_static on;`
        "gzip_static" => static_files: GzipStatic = "off", in HTTP_ALL;
    }
    needless {
        /// Number and size of buffers.
        "gzip_buffers" => BufferCount = "32 4k", in HTTP_ALL;
        /// Size of the window of compression.
        "gzip_window" => TableSize<32_768>, in HTTP_ALL;
        /// Size of the hash table of compression.
        "gzip_hash" => TableSize<131_072>, in HTTP_ALL;
        /// Sends what is compressed without waiting for a full buffer.
        "gzip_no_buffer" => Flag = "off", in HTTP_ALL;
        /// Bytes of a body that are waited for before it is compressed.
        "postpone_gzipping" => Size = "0", in HTTP_ALL;
        /// Number and size of buffers of `gunzip`.
        ///
        /// Not in PingOS; as in nginx.
        "gunzip_buffers" => BufferCount = "32 4k", in HTTP_ALL;
    }
}

/// Size of a table of compression, which the library chooses itself: a power of two from 512 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSize<const MAX: u64>;

impl<const MAX: u64> Value for TableSize<MAX> {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<TableSize<MAX>, Problem> {
        let size = Size::parse(args, evaluation)?.0;
        if size.is_power_of_two() && (512..=MAX).contains(&size) {
            return Ok(TableSize);
        }
        let sizes: Vec<String> =
            (10..=MAX.trailing_zeros()).map(|bits| format!("{}k", 1 << (bits - 10))).collect();
        let (last, others) = sizes.split_last().expect("the largest table has several kilobytes");
        Err(args.refuse(&format!("must be 512, {}, or {last}", others.join(", "))))
    }
}
