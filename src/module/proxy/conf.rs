//! Directives of the proxy module.

use super::target::ProxyPass;
use crate::directive::context::{HTTP, HTTP_ALL, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{
    AnyOf, Arity, ConfPath, Flag, Msec, Num, Offset, OneOf, Own, Size, Summed, Text, Words,
};
use crate::http::core::buffers::Buffers;
use crate::http::variable::{Template, Templates};

word_lists! {
    /// Words of `proxy_ignore_headers`.
    pub ProxyIgnoreHeaders:
        "X-Accel-Redirect" | "X-Accel-Expires" | "X-Accel-Limit-Rate" | "X-Accel-Buffering" |
        "X-Accel-Charset" | "Expires" | "Cache-Control" | "Set-Cookie" | "Vary";
    /// Words of `proxy_http_version`.
    pub ProxyHttpVersion: "1.0" | "1.1";
    /// Words of `proxy_next_upstream`.
    pub ProxyNextUpstream:
        "error" | "timeout" | "invalid_header" | "non_idempotent" | "http_500" | "http_502" | "http_503" |
        "http_504" | "http_403" | "http_404" | "http_429" | "updating" | "off";
    /// Words of `proxy_cache_methods`.
    pub ProxyCacheMethods: "GET" | "HEAD" | "POST";
    /// Words of `proxy_cache_use_stale`.
    pub ProxyCacheUseStale:
        "error" | "timeout" | "invalid_header" | "http_500" | "http_502" | "http_503" | "http_504" |
        "http_403" | "http_404" | "http_429" | "updating" | "off";
    /// Words of `proxy_ssl_protocols`.
    pub ProxySslProtocols: "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

directives! {
    /// Forwarding of requests.
    module "proxy";
    later {
        /// Forward to URL or upstream; with a URI part the matched prefix is replaced; with variables the URI
        /// is taken as is.
        "proxy_pass" => Own<ProxyPass>, in LOCATION | LOCATION_IF | LIMIT_EXCEPT, restricts answers;
        /// Rewrites Location/Refresh of the upstream.
        "proxy_redirect" => Vec<Words> = "default", in HTTP_ALL, args Arity::between(1, 2);
        /// Rewrites cookie domains.
        "proxy_cookie_domain" => Vec<Words> = "off", in HTTP_ALL, args Arity::between(1, 2);
        /// Rewrites cookie paths.
        "proxy_cookie_path" => Vec<Words> = "off", in HTTP_ALL, args Arity::between(1, 2);
        /// Saves responses to files.
        "proxy_store" => Template = "off", in HTTP_ALL;
        /// File mode for proxy_store.
        "proxy_store_access" => Words, in HTTP_ALL, args Arity::between(1, 3);
        /// Buffer upstream responses.
        "proxy_buffering" => Flag = "on", in HTTP_ALL;
        /// Buffer request bodies.
        "proxy_request_buffering" => Flag = "on", in HTTP_ALL;
        /// Keep the upstream request when the client leaves.
        "proxy_ignore_client_abort" => Flag = "off", in HTTP_ALL;
        /// Local address for upstream connections.
        "proxy_bind" => Templates, in HTTP_ALL, args Arity::between(1, 2);
        /// Connect timeout.
        "proxy_connect_timeout" => Msec = "60s", in HTTP_ALL;
        /// Send timeout.
        "proxy_send_timeout" => Msec = "60s", in HTTP_ALL;
        /// Read timeout.
        "proxy_read_timeout" => Msec = "60s", in HTTP_ALL;
        /// Buffer for the response header.
        "proxy_buffer_size" => Size = "4k", in HTTP_ALL;
        /// Number and size of response buffers.
        "proxy_buffers" => Buffers = "8 4k", in HTTP_ALL;
        /// Buffers that may be busy sending.
        "proxy_busy_buffers_size" => Size = "8k", in HTTP_ALL;
        /// Largest temp file; 0 disables.
        "proxy_max_temp_file_size" => Offset = "1024m", in HTTP_ALL;
        /// Bytes written to temp file at once.
        "proxy_temp_file_write_size" => Offset, in HTTP_ALL;
        /// Temp directory.
        "proxy_temp_path" => Words, in HTTP_ALL, args Arity::between(1, 4);
        /// Byte ranges for proxied responses.
        "proxy_force_ranges" => Flag = "off", in HTTP_ALL;
        /// Read rate from the upstream.
        "proxy_limit_rate" => Size = "0", in HTTP_ALL;
        /// Request header to the upstream; variables allowed.
        "proxy_set_header" => Vec<Templates>, in HTTP_ALL, args Arity::TWO;
        /// Replaces the request body.
        "proxy_set_body" => Template, in HTTP_ALL;
        /// Replaces the method.
        "proxy_method" => Template, in HTTP_ALL;
        /// Forward request headers.
        "proxy_pass_request_headers" => Flag = "on", in HTTP_ALL;
        /// Forward the body.
        "proxy_pass_request_body" => Flag = "on", in HTTP_ALL;
        /// Upstream header to pass.
        "proxy_pass_header" => Vec<Text>, in HTTP_ALL;
        /// Upstream header to hide.
        "proxy_hide_header" => Vec<Text>, in HTTP_ALL;
        /// X-Accel-*/Cache headers to ignore.
        "proxy_ignore_headers" => Summed<AnyOf<ProxyIgnoreHeaders>>, in HTTP_ALL;
        /// Apply error_page to upstream errors.
        "proxy_intercept_errors" => Flag = "off", in HTTP_ALL;
        /// Protocol to the upstream.
        "proxy_http_version" => OneOf<ProxyHttpVersion> = "1.0", in HTTP_ALL;
        /// When to try the next server.
        "proxy_next_upstream" => Summed<AnyOf<ProxyNextUpstream>> = "error timeout", in HTTP_ALL;
        /// Limit of tries.
        "proxy_next_upstream_tries" => Num = "0", in HTTP_ALL;
        /// Limit of time.
        "proxy_next_upstream_timeout" => Msec = "0", in HTTP_ALL;
        /// TCP keep-alive to the upstream.
        "proxy_socket_keepalive" => Flag = "off", in HTTP_ALL;
        /// Cache zone.
        "proxy_cache" => Template = "off", in HTTP_ALL;
        /// Cache store and zone.
        "proxy_cache_path" => Vec<Words>, in HTTP, args Arity::from(2);
        /// Cache key.
        "proxy_cache_key" => Template, in HTTP_ALL;
        /// Cache times per status.
        "proxy_cache_valid" => Vec<Words>, in HTTP_ALL;
        /// Cached methods.
        "proxy_cache_methods" => Summed<AnyOf<ProxyCacheMethods>> = "GET HEAD", in HTTP_ALL;
        /// Conditions to skip the cache.
        "proxy_cache_bypass" => Vec<Templates>, in HTTP_ALL;
        /// Conditions not to store.
        "proxy_no_cache" => Vec<Templates>, in HTTP_ALL;
        /// When to serve stale.
        "proxy_cache_use_stale" => Summed<AnyOf<ProxyCacheUseStale>> = "off", in HTTP_ALL;
        /// One fill at a time.
        "proxy_cache_lock" => Flag = "off", in HTTP_ALL;
        /// Verify the upstream certificate.
        "proxy_ssl_verify" => Flag = "off", in HTTP_ALL;
        /// SNI to the upstream.
        "proxy_ssl_server_name" => Flag = "off", in HTTP_ALL;
        /// Name for SNI/verification.
        "proxy_ssl_name" => Template, in HTTP_ALL;
        /// Protocols to the upstream.
        "proxy_ssl_protocols" => Summed<AnyOf<ProxySslProtocols>> = "TLSv1 TLSv1.1 TLSv1.2", in HTTP_ALL;
        /// CA file.
        "proxy_ssl_trusted_certificate" => ConfPath, in HTTP_ALL;
    }
    needless {
        /// Tuning.
        "proxy_headers_hash_max_size" => Num = "512", in HTTP_ALL;
        /// Tuning.
        "proxy_headers_hash_bucket_size" => Num = "64", in HTTP_ALL;
    }
}
