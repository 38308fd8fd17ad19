//! Directives of the http core module.

use super::buffers::{
    BodyBufferSize, BufferCount, HeaderCount, PoolSize, SendLowat, SizeOrOff, SizeOrVariable,
};
use super::error_page::ErrorPage;
use super::file_access::{Aio, DisableSymlinks, OpenFileCache};
use super::methods::MethodList;
use super::temp_path::TempPath;
use crate::directive::context::{HTTP, HTTP_ALL, HTTP_SERVER, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::word::{any_of, one_of};
use crate::directive::{Arity, Flag, Msec, Num, Sec, Size, Summed, Text};
use crate::http::variable::Templates;
use crate::log::level::ErrorLogLine;
use crate::net::resolver::server::Resolver;

one_of! {
    /// Whether request bodies are always in files.
    pub enum BodyInFile {
        /// Only long ones.
        "off" => Off,
        /// Always, and the files stay.
        "on" => On,
        /// Always, until the request ends.
        "clean" => Clean,
    }
}

one_of! {
    /// Comparison of `If-Modified-Since` with the time of the last modification.
    pub enum IfModifiedSince {
        /// None: a response is always sent.
        "off" => Off,
        /// Equal times.
        "exact" => Exact,
        /// The modification is not later.
        "before" => Before,
    }
}

one_of! {
    /// Which checks of access must pass.
    pub enum Satisfy {
        /// All.
        "all" => All,
        /// One.
        "any" => Any,
    }
}

one_of! {
    /// When data of a client is read and dropped before its connection is closed.
    pub enum LingeringClose {
        /// Never.
        "off" => Off,
        /// When the client may still be sending.
        "on" => On,
        /// Always.
        "always" => Always,
    }
}

any_of! {
    /// Browsers with which connections are not kept open.
    pub struct KeepaliveDisable {
        /// None.
        "none" => NONE = 0b010,
        /// Old versions of MSIE, after a POST request.
        "msie6" => MSIE6 = 0b100,
        /// Safari on macOS.
        "safari" => SAFARI = 0b1000,
    }
}

directives! {
    /// The http core.
    module "http core";
    blocks {
        /// Access rules for requests whose method is not listed.
        "limit_except" => MethodList as single, opens LIMIT_EXCEPT, in LOCATION, restricts requests;
    }
    live as Current {
        /// Number and size of larger buffers for a request head. A request line that does not fit is refused with 414, a header with 400.
        ///
        /// Example: `large_client_header_buffers 8 16k;`
        "large_client_header_buffers" => large_client_header_buffers: BufferCount = "4 8k", in HTTP | HTTP_SERVER;
        /// Maximum number of header lines of a request, up to 50000. With more it is refused with 400. Those that
        /// `ignore_invalid_headers` leaves out do not count, and over HTTP/2 cookies do not.
        ///
        /// Not in PingOS; as in nginx since 1.29.8.
        ///
        /// Example: `max_headers 100;`
        "max_headers" => max_headers: HeaderCount = "1000", in HTTP | HTTP_SERVER, restricts requests;
        /// Ignores headers of requests whose names have other characters than letters, digits, hyphens and, with
        /// `underscores_in_headers`, underscores.
        ///
        /// Example: `ignore_invalid_headers off;`
        "ignore_invalid_headers" => ignore_invalid_headers: Flag = "on", in HTTP | HTTP_SERVER;
        /// Merges adjacent slashes in URIs before the location is selected.
        ///
        /// Example: `merge_slashes off;`
        "merge_slashes" => merge_slashes: Flag = "on", in HTTP | HTTP_SERVER;
        /// Takes underscores in names of headers as valid; `off` makes such headers invalid, see
        /// `ignore_invalid_headers`.
        ///
        /// Example: `underscores_in_headers on;`
        "underscores_in_headers" => underscores_in_headers: Flag = "off", in HTTP | HTTP_SERVER;
        /// When a request with `If-Modified-Since` gets status 304: `exact` if the times are equal, `before` if the
        /// file is not newer, `off` never.
        ///
        /// Example: `if_modified_since before;`
        "if_modified_since" => if_modified_since: IfModifiedSince = "exact", in HTTP_ALL;
        /// Maximum number of byte ranges in a request; with more, the whole file is sent. 0 turns ranges off. Without
        /// the directive there is no limit. Of a body of more than 64k that is changed while it is sent, as by `charset`, several
        /// ranges have to follow each other; otherwise it is sent whole.
        ///
        /// Example: `max_ranges 1;`
        "max_ranges" => max_ranges: Option<Num>, in HTTP_ALL;
        /// Maximum rate of a response in bytes per second; variables are allowed.
        ///
        /// Example: `limit_rate 500k;`
        "limit_rate" => limit_rate: SizeOrVariable = "0", in HTTP_ALL | LOCATION_IF;
        /// Number of bytes before limit_rate applies; variables are allowed.
        ///
        /// Example: `limit_rate_after 2m;`
        "limit_rate_after" => limit_rate_after: SizeOrVariable = "0", in HTTP_ALL | LOCATION_IF;
        /// Whether all or any of the access checks must pass.
        ///
        /// Example: `satisfy any;`
        "satisfy" => satisfy: Satisfy = "all", in HTTP_ALL;
        /// Browsers whose connections are closed after each response: `msie6` old versions of Internet Explorer after
        /// a POST, `safari` Safari on macOS. `none` disables it for no browser.
        ///
        /// Example: `keepalive_disable none;`
        "keepalive_disable" => keepalive_disable: Summed<KeepaliveDisable> = "msie6", in HTTP_ALL, args Arity::between(1, 2);
        /// Reads and discards remaining data of a client before closing.
        ///
        /// Example: `lingering_close always;`
        "lingering_close" => lingering_close: LingeringClose = "on", in HTTP_ALL;
        /// Maximum time for which data of a client is read and dropped before its connection is closed, see
        /// `lingering_close`.
        ///
        /// Example: `lingering_time 10s;`
        "lingering_time" => lingering_time: Msec = "30s", in HTTP_ALL;
        /// Maximum wait for more data during lingering_close.
        ///
        /// Example: `lingering_timeout 2s;`
        "lingering_timeout" => lingering_timeout: Msec = "5s", in HTTP_ALL;
        /// Closes connections that time out with a TCP reset, which frees their memory at once.
        ///
        /// Example: `reset_timedout_connection on;`
        "reset_timedout_connection" => reset_timedout_connection: Flag = "off", in HTTP_ALL;
        /// Redirects with whole URLs; `off` sends the path alone in `Location`.
        ///
        /// Example: `absolute_redirect off;`
        "absolute_redirect" => absolute_redirect: Flag = "on", in HTTP_ALL;
        /// Uses server_name instead of Host in redirects.
        ///
        /// Example: `server_name_in_redirect on;`
        "server_name_in_redirect" => server_name_in_redirect: Flag = "off", in HTTP_ALL;
        /// Names the port of the server in redirects if it is not the scheme's own.
        ///
        /// Example: `port_in_redirect off;`
        "port_in_redirect" => port_in_redirect: Flag = "on", in HTTP_ALL;
        /// Logs missing files in the error log, at level `error`.
        ///
        /// Example: `log_not_found off;`
        "log_not_found" => log_not_found: Flag = "on", in HTTP_ALL;
        /// Writes a line of the access log for each subrequest too, such as that of `auth_request`.
        ///
        /// Example: `log_subrequest on;`
        "log_subrequest" => log_subrequest: Flag = "off", in HTTP_ALL;
        /// Allows several error_page redirects for one request.
        ///
        /// Example: `recursive_error_pages on;`
        "recursive_error_pages" => recursive_error_pages: Flag = "off", in HTTP_ALL;
        /// CODE... [=[CODE]] URI: replaces responses with error statuses.
        ///
        /// Example: `error_page 404 /404.html;`
        "error_page" => error_page: Vec<ErrorPage>, in HTTP_ALL | LOCATION_IF;
        /// Size of the first buffer for a request head; a line that does not fit gets a larger buffer.
        ///
        /// Example: `client_header_buffer_size 4k;`
        "client_header_buffer_size" => client_header_buffer_size: Size = "1k", in HTTP | HTTP_SERVER;
        /// As in the main context, for lines about requests of a server or location; they then do not go to the logs of
        /// outer levels. May be repeated.
        ///
        /// Example: `error_log logs/download.log info;`
        "error_log" => error_log: Vec<ErrorLogLine>, in HTTP_ALL;
        /// Lengthens error pages for MSIE and Chrome, which otherwise show their own.
        ///
        /// Example: `msie_padding off;`
        "msie_padding" => msie_padding: Flag = "on", in HTTP_ALL;
        /// Cache of open files. At most 16384 files are kept open.
        ///
        /// Example: `open_file_cache max=1000 inactive=20s;`
        "open_file_cache" => open_file_cache: OpenFileCache = "off", in HTTP_ALL;
        /// Time after which cached files are checked again (in whole seconds).
        ///
        /// Example: `open_file_cache_valid 30s;`
        "open_file_cache_valid" => open_file_cache_valid: Sec = "60", in HTTP_ALL;
        /// Minimum number of uses for a file to stay open in the cache.
        ///
        /// Example: `open_file_cache_min_uses 2;`
        "open_file_cache_min_uses" => open_file_cache_min_uses: Num = "1", in HTTP_ALL;
        /// Also keeps in `open_file_cache` that a file is missing or cannot be opened.
        ///
        /// Example: `open_file_cache_errors on;`
        "open_file_cache_errors" => open_file_cache_errors: Flag = "off", in HTTP_ALL;
        /// Refuses symbolic links in paths of files, or those to files of other owners, except in the beginning of a path that `from=` names.
        ///
        /// Example: `disable_symlinks if_not_owner from=$document_root;`
        "disable_symlinks" => disable_symlinks: DisableSymlinks = "off", in HTTP_ALL, restricts requests;
        /// Maximum time between two reads of a request body; the connection is then closed.
        ///
        /// Example: `client_body_timeout 10s;`
        "client_body_timeout" => client_body_timeout: Msec = "60s", in HTTP_ALL;
        /// Size of the buffer for a request body. A body that is longer by a quarter goes to a temporary file.
        ///
        /// Example: `client_body_buffer_size 64k;`
        "client_body_buffer_size" => client_body_buffer_size: BodyBufferSize = "8k", in HTTP_ALL;
        /// Directory of temporary files with request bodies, and lengths of the names of its subdirectories. It is created when it is
        /// first needed.
        ///
        /// Example: `client_body_temp_path /var/lib/pingosd/bodies 1 2;`
        "client_body_temp_path" => client_body_temp_path: TempPath = "client_body_temp", in HTTP_ALL, args Arity::between(1, 4);
        /// Writes every request body to a file. With `on` the files stay, with `clean` they are removed at the end of the request.
        ///
        /// Example: `client_body_in_file_only clean;`
        "client_body_in_file_only" => client_body_in_file_only: BodyInFile = "off", in HTTP_ALL;
        /// Reads the body of a request before its location is selected if one of the texts is neither empty nor 0:
        /// `$request_body` then has a value everywhere, in predicates of locations for example. The settings of the
        /// server apply to it, except `client_body_in_file_only`.
        ///
        /// Not in PingOS; as in nginx since 1.31.5.
        ///
        /// Example: `client_body_early_read $content_type;`
        "client_body_early_read" => client_body_early_read: Vec<Templates>, in HTTP | HTTP_SERVER, args Arity::SOME;
        /// URI or named location that processes a request once more after its response. The client gets nothing
        /// of the result.
        ///
        /// Example: `post_action /done;`
        "post_action" => post_action: Option<Text>, in HTTP_ALL | LOCATION_IF;
        /// Redirects MSIE by a page with a refresh instead of a status 301 or 302.
        ///
        /// Example: `msie_refresh on;`
        "msie_refresh" => msie_refresh: Flag = "off", in HTTP_ALL;
        /// DNS servers for host names with variables in proxy_pass, and in `http` for servers of an upstream with `resolve`:
        /// ADDRESS[:PORT]... [valid=TIME] [ipv4=on|off] [ipv6=on|off]. The servers are asked in turn, and only silence leads to
        /// the next one. /etc/hosts is not read. Without the directive, requests with variables are refused with 502.
        ///
        /// Example: `resolver 127.0.0.53 valid=30s;`
        "resolver" => resolver: Option<Resolver>, in HTTP_ALL;
        /// Delay of the answer to requests without authorization (401), which makes guessing passwords slow.
        ///
        /// Not in PingOS; as in nginx since 1.17.10.
        ///
        /// Example: `auth_delay 1s;`
        "auth_delay" => auth_delay: Msec = "0", in HTTP_ALL;
        /// Conditions under which an early hint (status 103) of a backend is passed on: one of the texts is neither
        /// empty nor 0.
        ///
        /// Not in PingOS; as in nginx since 1.29.0.
        ///
        /// Example: `early_hints $http_sec_fetch_mode;`
        "early_hints" => early_hints: Vec<Templates>, in HTTP_ALL, args Arity::SOME;
        /// Time to wait for an answer of the DNS servers of `resolver`; then the request gets status 502.
        ///
        /// Example: `resolver_timeout 5s;`
        "resolver_timeout" => resolver_timeout: Msec = "30s", in HTTP_ALL;
    }
    needless {
        /// Size of a hash table.
        "variables_hash_max_size" => Num = "1024", in HTTP;
        /// Bucket size of a hash table.
        "variables_hash_bucket_size" => Num = "64", in HTTP;
        /// Size of a hash table.
        "server_names_hash_max_size" => Num = "512", in HTTP;
        /// Bucket size of a hash table.
        "server_names_hash_bucket_size" => Num, in HTTP;
        /// Time for which nginx leaves a connection without a request open although its worker ends. Here a reload ends no
        /// connections.
        ///
        /// Not in PingOS; as in nginx since 1.27.4.
        "keepalive_min_timeout" => Msec = "0", in HTTP_ALL;
        /// Size of a memory pool.
        "connection_pool_size" => PoolSize = "512", in HTTP | HTTP_SERVER;
        /// Size of a memory pool.
        "request_pool_size" => PoolSize = "4k", in HTTP | HTTP_SERVER;
        /// Size of a hash table.
        "types_hash_max_size" => Num = "1024", in HTTP_ALL;
        /// Bucket size of a hash table.
        "types_hash_bucket_size" => Num = "64", in HTTP_ALL;
        /// Keeps a request body in one buffer, as bodies in memory always are.
        "client_body_in_single_buffer" => Flag = "off", in HTTP_ALL;
        /// Uses sendfile.
        "sendfile" => Flag = "off", in HTTP_ALL | LOCATION_IF;
        /// Maximum size of a single sendfile call.
        "sendfile_max_chunk" => Size = "0", in HTTP_ALL;
        /// Size of the buffer for in-memory subrequests.
        "subrequest_output_buffer_size" => Size = "4k", in HTTP_ALL;
        /// Enables TCP_CORK with sendfile.
        "tcp_nopush" => Flag = "off", in HTTP_ALL;
        /// Ignored on Linux.
        "send_lowat" => SendLowat = "0", in HTTP_ALL;
        /// Minimum number of bytes to send.
        "postpone_output" => Size = "1460", in HTTP_ALL;
        /// Asynchronous file I/O: on|off|threads[=pool].
        "aio" => Aio = "off", in HTTP_ALL;
        /// Uses O_DIRECT for files above this size.
        "directio" => SizeOrOff = "off", in HTTP_ALL;
        /// Alignment for O_DIRECT.
        "directio_alignment" => Size = "512", in HTTP_ALL;
        /// Writes files asynchronously too, with `aio threads`.
        "aio_write" => Flag = "off", in HTTP_ALL;
        /// Bytes that the system reads of a file in advance.
        "read_ahead" => Size = "0", in HTTP_ALL;
        /// Number and size of buffers for reading a response from disk.
        "output_buffers" => BufferCount = "2 32k", in HTTP_ALL;
    }
}
