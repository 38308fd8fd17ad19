//! Directives of the http core module.

use super::buffers::{BufferCount, SizeOrOff, SizeOrVariable};
use super::error_page::ErrorPage;
use super::file_access::{Aio, DisableSymlinks, OpenFileCache};
use super::methods::Methods;
use crate::directive::context::{HTTP, HTTP_ALL, HTTP_SERVER, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{AnyOf, Arity, Flag, Msec, Num, OneOf, Sec, Size, Summed, Text, Words};
use crate::log::level::ErrorLogLine;
use crate::net::resolver::server::Resolver;

word_lists! {
    /// Words of `client_body_in_file_only`.
    pub ClientBodyInFileOnly: "off" | "on" | "clean";
    /// Words of `if_modified_since`.
    pub IfModifiedSince: "off" | "exact" | "before";
    /// Words of `satisfy`.
    pub Satisfy: "all" | "any";
    /// Words of `keepalive_disable`.
    pub KeepaliveDisable: "none" | "msie6" | "safari";
    /// Words of `lingering_close`.
    pub LingeringClose: "off" | "on" | "always";
}

directives! {
    /// HTTP serving: what is checked only.
    module "http core";
    blocks {
        /// Access rules for requests with other methods than those listed.
        "limit_except" => Methods as single, opens LIMIT_EXCEPT, in LOCATION, restricts requests;
    }
    later {
        /// Number and size of larger header buffers (limits line length: 414/400).
        "large_client_header_buffers" => BufferCount = "4 8k", in HTTP | HTTP_SERVER;
        /// Drop headers with odd names.
        "ignore_invalid_headers" => Flag = "on", in HTTP | HTTP_SERVER;
        /// Collapse // in URIs before location matching.
        "merge_slashes" => Flag = "on", in HTTP | HTTP_SERVER;
        /// Allow _ in header names.
        "underscores_in_headers" => Flag = "off", in HTTP | HTTP_SERVER;
        /// Time between two body reads.
        "client_body_timeout" => Msec = "60s", in HTTP_ALL;
        /// Keep bodies in files.
        "client_body_in_file_only" => OneOf<ClientBodyInFileOnly> = "off", in HTTP_ALL;
        /// If-Modified-Since comparison.
        "if_modified_since" => OneOf<IfModifiedSince> = "exact", in HTTP_ALL;
        /// Highest number of byte ranges.
        "max_ranges" => Num, in HTTP_ALL;
        /// Bytes per second per request; variables allowed.
        "limit_rate" => SizeOrVariable = "0", in HTTP_ALL | LOCATION_IF;
        /// Bytes before limit_rate applies; variables allowed.
        "limit_rate_after" => SizeOrVariable = "0", in HTTP_ALL | LOCATION_IF;
        /// All or any of access and auth checks must pass.
        "satisfy" => OneOf<Satisfy> = "all", in HTTP_ALL;
        /// Browsers without keep-alive.
        "keepalive_disable" => Summed<AnyOf<KeepaliveDisable>> = "msie6", in HTTP_ALL, args Arity::between(1, 2);
        /// Read and discard remaining client data.
        "lingering_close" => OneOf<LingeringClose> = "on", in HTTP_ALL;
        /// Upper bound of lingering.
        "lingering_time" => Msec = "30s", in HTTP_ALL;
        /// Wait for more client data while lingering.
        "lingering_timeout" => Msec = "5s", in HTTP_ALL;
        /// RST timed-out connections.
        "reset_timedout_connection" => Flag = "off", in HTTP_ALL;
        /// Absolute Location headers.
        "absolute_redirect" => Flag = "on", in HTTP_ALL;
        /// Use server_name instead of Host in redirects.
        "server_name_in_redirect" => Flag = "off", in HTTP_ALL;
        /// Include the port in redirects.
        "port_in_redirect" => Flag = "on", in HTTP_ALL;
        /// Log missing files.
        "log_not_found" => Flag = "on", in HTTP_ALL;
        /// Access-log subrequests.
        "log_subrequest" => Flag = "off", in HTTP_ALL;
        /// Several error_page redirects.
        "recursive_error_pages" => Flag = "off", in HTTP_ALL;
        /// CODE... [=[CODE]] URI: replacement for error statuses.
        "error_page" => Vec<ErrorPage>, in HTTP_ALL | LOCATION_IF;
        /// Subrequest after completion.
        "post_action" => Text, in HTTP_ALL | LOCATION_IF;
        /// As in main.
        "error_log" => Vec<ErrorLogLine>, in HTTP_ALL;
        /// DNS servers for variables in proxy_pass.
        "resolver" => Resolver, in HTTP_ALL;
        /// DNS timeout.
        "resolver_timeout" => Msec = "30s", in HTTP_ALL;
        /// Symlink policy.
        "disable_symlinks" => DisableSymlinks = "off", in HTTP_ALL, restricts requests;
    }
    needless {
        /// Tuning.
        "variables_hash_max_size" => Num = "1024", in HTTP;
        /// Tuning.
        "variables_hash_bucket_size" => Num = "64", in HTTP;
        /// Tuning.
        "server_names_hash_max_size" => Num = "512", in HTTP;
        /// Tuning.
        "server_names_hash_bucket_size" => Num, in HTTP;
        /// Tuning.
        "connection_pool_size" => Size = "512", in HTTP | HTTP_SERVER;
        /// Tuning.
        "request_pool_size" => Size = "4k", in HTTP | HTTP_SERVER;
        /// Initial header buffer.
        "client_header_buffer_size" => Size = "1k", in HTTP | HTTP_SERVER;
        /// Tuning.
        "types_hash_max_size" => Num = "1024", in HTTP_ALL;
        /// Tuning.
        "types_hash_bucket_size" => Num = "64", in HTTP_ALL;
        /// In-memory body buffer.
        "client_body_buffer_size" => Size, in HTTP_ALL;
        /// Keep the body in one buffer.
        "client_body_in_single_buffer" => Flag = "off", in HTTP_ALL;
        /// Use sendfile.
        "sendfile" => Flag = "off", in HTTP_ALL | LOCATION_IF;
        /// Largest single sendfile.
        "sendfile_max_chunk" => Size = "0", in HTTP_ALL;
        /// Buffer for in-memory subrequests.
        "subrequest_output_buffer_size" => Size = "4k", in HTTP_ALL;
        /// TCP_CORK with sendfile.
        "tcp_nopush" => Flag = "off", in HTTP_ALL;
        /// Ignored on Linux.
        "send_lowat" => Size = "0", in HTTP_ALL;
        /// Minimum bytes before sending.
        "postpone_output" => Size = "1460", in HTTP_ALL;
        /// Directory for large bodies.
        "client_body_temp_path" => Words = "client_body_temp", in HTTP_ALL, args Arity::between(1, 4);
        /// Asynchronous file I/O: on|off|threads[=pool].
        "aio" => Aio = "off", in HTTP_ALL;
        /// O_DIRECT above this size.
        "directio" => SizeOrOff = "off", in HTTP_ALL;
        /// Cache of open files.
        "open_file_cache" => OpenFileCache = "off", in HTTP_ALL;
        /// Re-check time (seconds slot).
        "open_file_cache_valid" => Sec = "60", in HTTP_ALL;
        /// Uses before staying cached.
        "open_file_cache_min_uses" => Num = "1", in HTTP_ALL;
        /// Cache lookup errors.
        "open_file_cache_errors" => Flag = "off", in HTTP_ALL;
        /// Number and size of buffers for reading a response from disk.
        "output_buffers" => BufferCount = "2 32k", in HTTP_ALL;
    }
}
