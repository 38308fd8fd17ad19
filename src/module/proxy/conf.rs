//! Directives of the proxy module.

use super::target::ProxyPass;
use crate::directive::context::{HTTP, HTTP_ALL, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{
    AnyOf, Arity, ConfPath, Flag, Msec, Num, Offset, OneOf, Own, Size, Summed, Text, Words,
};
use crate::http::core::buffers::BufferCount;
use crate::http::variable::{Template, Templates};

word_lists! {
    /// Values of `proxy_ignore_headers`.
    pub ProxyIgnoreHeaders:
        "X-Accel-Redirect" | "X-Accel-Expires" | "X-Accel-Limit-Rate" | "X-Accel-Buffering" |
        "X-Accel-Charset" | "Expires" | "Cache-Control" | "Set-Cookie" | "Vary";
    /// Values of `proxy_http_version`.
    pub ProxyHttpVersion: "1.0" | "1.1";
    /// Values of `proxy_next_upstream`.
    pub ProxyNextUpstream:
        "error" | "timeout" | "invalid_header" | "non_idempotent" | "http_500" | "http_502" | "http_503" |
        "http_504" | "http_403" | "http_404" | "http_429" | "updating" | "off";
    /// Values of `proxy_cache_methods`.
    pub ProxyCacheMethods: "GET" | "HEAD" | "POST";
    /// Values of `proxy_cache_use_stale`.
    pub ProxyCacheUseStale:
        "error" | "timeout" | "invalid_header" | "http_500" | "http_502" | "http_503" | "http_504" |
        "http_403" | "http_404" | "http_429" | "updating" | "off";
    /// Values of `proxy_ssl_protocols`.
    pub ProxySslProtocols: "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

directives! {
    /// Forwarding of requests.
    module "proxy";
    later {
        /// Forwards requests to a URL or upstream. A URI part replaces the matched prefix; with variables the URI is
        /// used unchanged.
        "proxy_pass" => Own<ProxyPass>, in LOCATION | LOCATION_IF | LIMIT_EXCEPT, restricts answers;
        /// Rewrites the upstream's Location and Refresh headers.
        "proxy_redirect" => Vec<Words> = "default", in HTTP_ALL, args Arity::between(1, 2);
        /// Rewrites domains of cookies.
        "proxy_cookie_domain" => Vec<Words> = "off", in HTTP_ALL, args Arity::between(1, 2);
        /// Rewrites paths of cookies.
        "proxy_cookie_path" => Vec<Words> = "off", in HTTP_ALL, args Arity::between(1, 2);
        /// Saves responses to files.
        "proxy_store" => Template = "off", in HTTP_ALL;
        /// Permissions of files written by proxy_store.
        "proxy_store_access" => Words, in HTTP_ALL, args Arity::between(1, 3);
        /// Buffers upstream responses.
        "proxy_buffering" => Flag = "on", in HTTP_ALL;
        /// Buffers request bodies.
        "proxy_request_buffering" => Flag = "on", in HTTP_ALL;
        /// Continues the upstream request when the client disconnects.
        "proxy_ignore_client_abort" => Flag = "off", in HTTP_ALL;
        /// Local address of upstream connections.
        "proxy_bind" => Templates, in HTTP_ALL, args Arity::between(1, 2);
        /// Connect timeout.
        "proxy_connect_timeout" => Msec = "60s", in HTTP_ALL;
        /// Send timeout.
        "proxy_send_timeout" => Msec = "60s", in HTTP_ALL;
        /// Read timeout.
        "proxy_read_timeout" => Msec = "60s", in HTTP_ALL;
        /// Size of the buffer for the response header.
        "proxy_buffer_size" => Size = "4k", in HTTP_ALL;
        /// Number and size of response buffers.
        "proxy_buffers" => BufferCount = "8 4k", in HTTP_ALL;
        /// Maximum size of buffers that are being sent to the client.
        "proxy_busy_buffers_size" => Size = "8k", in HTTP_ALL;
        /// Maximum size of a temporary file; 0 disables temporary files.
        "proxy_max_temp_file_size" => Offset = "1024m", in HTTP_ALL;
        /// Number of bytes written to a temporary file at once.
        "proxy_temp_file_write_size" => Offset, in HTTP_ALL;
        /// Directory of temporary files.
        "proxy_temp_path" => Words, in HTTP_ALL, args Arity::between(1, 4);
        /// Supports byte ranges for all proxied responses.
        "proxy_force_ranges" => Flag = "off", in HTTP_ALL;
        /// Maximum rate of reading from the upstream.
        "proxy_limit_rate" => Size = "0", in HTTP_ALL;
        /// Sets a request header for the upstream; variables are allowed.
        "proxy_set_header" => Vec<Templates>, in HTTP_ALL, args Arity::TWO;
        /// Replaces the request body.
        "proxy_set_body" => Template, in HTTP_ALL;
        /// Replaces the request method.
        "proxy_method" => Template, in HTTP_ALL;
        /// Forwards the request headers.
        "proxy_pass_request_headers" => Flag = "on", in HTTP_ALL;
        /// Forwards the request body.
        "proxy_pass_request_body" => Flag = "on", in HTTP_ALL;
        /// Upstream header to pass to the client.
        "proxy_pass_header" => Vec<Text>, in HTTP_ALL;
        /// Upstream header to hide from the client.
        "proxy_hide_header" => Vec<Text>, in HTTP_ALL;
        /// Upstream headers whose effect is ignored (X-Accel-*, cache headers).
        "proxy_ignore_headers" => Summed<AnyOf<ProxyIgnoreHeaders>>, in HTTP_ALL;
        /// Applies error_page to upstream errors.
        "proxy_intercept_errors" => Flag = "off", in HTTP_ALL;
        /// HTTP version for the upstream.
        "proxy_http_version" => OneOf<ProxyHttpVersion> = "1.0", in HTTP_ALL;
        /// Cases in which the next server is tried.
        "proxy_next_upstream" => Summed<AnyOf<ProxyNextUpstream>> = "error timeout", in HTTP_ALL;
        /// Maximum number of tries.
        "proxy_next_upstream_tries" => Num = "0", in HTTP_ALL;
        /// Maximum time for tries.
        "proxy_next_upstream_timeout" => Msec = "0", in HTTP_ALL;
        /// Enables TCP keep-alive to the upstream.
        "proxy_socket_keepalive" => Flag = "off", in HTTP_ALL;
        /// Cache zone.
        "proxy_cache" => Template = "off", in HTTP_ALL;
        /// Directory and zone of a cache.
        "proxy_cache_path" => Vec<Words>, in HTTP, args Arity::from(2);
        /// Cache key.
        "proxy_cache_key" => Template, in HTTP_ALL;
        /// Cache times by status.
        "proxy_cache_valid" => Vec<Words>, in HTTP_ALL;
        /// Methods whose responses are cached.
        "proxy_cache_methods" => Summed<AnyOf<ProxyCacheMethods>> = "GET HEAD", in HTTP_ALL;
        /// Conditions under which the cache is not consulted.
        "proxy_cache_bypass" => Vec<Templates>, in HTTP_ALL;
        /// Conditions under which a response is not stored.
        "proxy_no_cache" => Vec<Templates>, in HTTP_ALL;
        /// Cases in which a stale response is served.
        "proxy_cache_use_stale" => Summed<AnyOf<ProxyCacheUseStale>> = "off", in HTTP_ALL;
        /// Allows only one request at a time to fill a cache entry.
        "proxy_cache_lock" => Flag = "off", in HTTP_ALL;
        /// Verifies the upstream's certificate.
        "proxy_ssl_verify" => Flag = "off", in HTTP_ALL;
        /// Sends SNI to the upstream.
        "proxy_ssl_server_name" => Flag = "off", in HTTP_ALL;
        /// Name for SNI and verification.
        "proxy_ssl_name" => Template, in HTTP_ALL;
        /// TLS protocols for the upstream.
        "proxy_ssl_protocols" => Summed<AnyOf<ProxySslProtocols>> = "TLSv1 TLSv1.1 TLSv1.2", in HTTP_ALL;
        /// File with CA certificates.
        "proxy_ssl_trusted_certificate" => ConfPath, in HTTP_ALL;
    }
    needless {
        /// Size of a hash table.
        "proxy_headers_hash_max_size" => Num = "512", in HTTP_ALL;
        /// Bucket size of a hash table.
        "proxy_headers_hash_bucket_size" => Num = "64", in HTTP_ALL;
    }
}
