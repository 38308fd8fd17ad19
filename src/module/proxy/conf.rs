//! Directives of the proxy module.

use bstr::{BStr, BString};

use super::bind::ProxyBind;
use super::buffer_sizes::{BufferSizes, Buffers, ComparedSize};
use super::cache::values::{CachePath, CacheValid, CacheZone, are_defined};
use super::file::ProxyFile;
use super::key_log::KeyLogFile;
use super::rewriting::{CookieDomain, CookieFlags, CookiePath, ProxyRedirect};
use super::store::{Store, StoreAccess};
use super::target::ProxyPass;
use crate::directive::context::{Contexts, HTTP, HTTP_ALL, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::word::{any_of, one_of};
use crate::directive::{
    Args, Arity, BlockLevel, ConfPath, Evaluation, Flag, Msec, NotInherited, Num, Offset, Size, Slot, Summed,
    Text, Value,
};
use crate::http::core::buffers::{SendLowat, SizeOrVariable};
use crate::http::core::temp_path::TempPath;
use crate::http::headers::Headers;
use crate::http::variable::{Template, Templates};
use crate::net::ssl::certificate_cache::CertificateCache;
use crate::net::ssl::cipher::Ciphers;
use crate::net::ssl::command::ConfCommand;
use crate::net::ssl::protocols::SslProtocols;
use crate::syntax::{Problem, sentence};

any_of! {
    /// Headers of backends whose effect is ignored.
    pub struct IgnoredHeaders {
        /// Internal redirects.
        "X-Accel-Redirect" => REDIRECT = 1,
        /// Cache times.
        "X-Accel-Expires" => EXPIRES_IN = 1 << 1,
        /// Rate of the response.
        "X-Accel-Limit-Rate" => LIMIT_RATE = 1 << 2,
        /// Buffering of the response.
        "X-Accel-Buffering" => BUFFERING = 1 << 3,
        /// Charset of the response.
        "X-Accel-Charset" => CHARSET = 1 << 4,
        /// Cache time.
        "Expires" => EXPIRES = 1 << 5,
        /// Cache rules.
        "Cache-Control" => CACHE_CONTROL = 1 << 6,
        /// Cookies, which prevent caching.
        "Set-Cookie" => SET_COOKIE = 1 << 7,
        /// What a cached response depends on.
        "Vary" => VARY = 1 << 8,
    }
}

any_of! {
    /// Cases in which the next server is tried.
    pub struct NextUpstream {
        /// No connection, or it failed.
        "error" => ERROR = 1,
        /// A timeout.
        "timeout" => TIMEOUT = 1 << 1,
        /// A response that is malformed.
        "invalid_header" => INVALID_HEADER = 1 << 2,
        /// Requests that may not be repeated, too.
        "non_idempotent" => NON_IDEMPOTENT = 1 << 3,
        /// Status 500.
        "http_500" => HTTP_500 = 1 << 4,
        /// Status 502.
        "http_502" => HTTP_502 = 1 << 5,
        /// Status 503.
        "http_503" => HTTP_503 = 1 << 6,
        /// Status 504.
        "http_504" => HTTP_504 = 1 << 7,
        /// Status 403.
        "http_403" => HTTP_403 = 1 << 8,
        /// Status 404.
        "http_404" => HTTP_404 = 1 << 9,
        /// Status 429.
        "http_429" => HTTP_429 = 1 << 10,
        /// Cached responses that are being replaced; without a cache there are none.
        "updating" => UPDATING = 1 << 11,
        /// None.
        "off" => OFF = 1 << 12,
        /// No server is left: they are tried again, those that have failed too, up to `proxy_next_upstream_tries`.
        "no_live" => NO_LIVE = 1 << 13,
    }
}

one_of! {
    /// HTTP version of requests.
    pub enum ProxyHttpVersion {
        /// HTTP/1.0
        "1.0" => Http10,
        /// HTTP/1.1
        "1.1" => Http11,
        /// HTTP/2
        "2" => Http2,
    }
}

any_of! {
    /// Methods whose responses are cached.
    pub struct CacheMethods {
        /// Always.
        "GET" => GET = 1,
        /// Always.
        "HEAD" => HEAD = 1 << 1,
        /// If it is named.
        "POST" => POST = 1 << 2,
    }
}

any_of! {
    /// Cases in which a cached response is used although it is too old: those of [`NextUpstream`].
    pub struct UseStale {
        /// No connection, or it failed.
        "error" => ERROR = 1,
        /// A timeout.
        "timeout" => TIMEOUT = 1 << 1,
        /// A response that is malformed.
        "invalid_header" => INVALID_HEADER = 1 << 2,
        /// Status 500.
        "http_500" => HTTP_500 = 1 << 4,
        /// Status 502.
        "http_502" => HTTP_502 = 1 << 5,
        /// Status 503.
        "http_503" => HTTP_503 = 1 << 6,
        /// Status 504.
        "http_504" => HTTP_504 = 1 << 7,
        /// Status 403.
        "http_403" => HTTP_403 = 1 << 8,
        /// Status 404.
        "http_404" => HTTP_404 = 1 << 9,
        /// Status 429.
        "http_429" => HTTP_429 = 1 << 10,
        /// While it is being replaced.
        "updating" => UPDATING = 1 << 11,
        /// None.
        "off" => OFF = 1 << 12,
    }
}

directives! {
    /// Forwarding of requests.
    module "proxy";
    live as Current {
        /// Forwards requests to a URL or upstream. A URI part replaces the matched prefix; with variables the URI is
        /// used unchanged. Host names are looked up when they are needed, those with variables by `resolver`.
        ///
        /// Example: `proxy_pass http://127.0.0.1:8081;`
        "proxy_pass" => pass: NotInherited<ProxyPass>, in LOCATION | LOCATION_IF | LIMIT_EXCEPT, selects handler;
        /// Rewrites the upstream's Location and Refresh headers.
        ///
        /// Example: `proxy_redirect http://backend/ /;`
        "proxy_redirect" => redirects: Vec<ProxyRedirect> = "default", in HTTP_ALL;
        /// Replaces the attribute `Domain` of cookies of the upstream: one that is the first argument becomes the
        /// second.
        ///
        /// Example: `proxy_cookie_domain backend example.com;`
        "proxy_cookie_domain" => cookie_domains: Vec<CookieDomain> = "off", in HTTP_ALL;
        /// Replaces the beginning of the attribute `Path` of cookies of the upstream: the first argument becomes the
        /// second.
        ///
        /// Example: `proxy_cookie_path /app/ /;`
        "proxy_cookie_path" => cookie_paths: Vec<CookiePath> = "off", in HTTP_ALL;
        /// Sets and removes flags of cookies: secure, httponly, samesite=strict|lax|none, nosecure, nohttponly, nosamesite. A flag may
        /// be a variable.
        ///
        /// Example: `proxy_cookie_flags session secure httponly;`
        "proxy_cookie_flags" => cookie_flags: Vec<CookieFlags> = "off", in HTTP_ALL;
        /// Reads request bodies completely before they are sent to the upstream. With `off` they are passed on as they come, also
        /// while the response of an upstream that answers early is sent.
        ///
        /// Example: `proxy_request_buffering off;`
        "proxy_request_buffering" => request_buffering: Flag = "on", in HTTP_ALL;
        /// Continues the upstream request when the client disconnects.
        ///
        /// Example: `proxy_ignore_client_abort on;`
        "proxy_ignore_client_abort" => ignore_client_abort: Flag = "off", in HTTP_ALL;
        /// Local address of upstream connections: ADDRESS[:PORT] [transparent], or off.
        ///
        /// Example: `proxy_bind 10.0.0.11;`
        "proxy_bind" => bind: Option<ProxyBind>, in HTTP_ALL;
        /// Time to connect to an upstream server, the TLS handshake included; then the next one is tried, or the
        /// request gets status 504.
        ///
        /// Example: `proxy_connect_timeout 3s;`
        "proxy_connect_timeout" => connect_timeout: Msec = "60s", in HTTP_ALL;
        /// Time for which an upstream server may accept no data of the request; it is counted between two writes.
        ///
        /// Example: `proxy_send_timeout 30s;`
        "proxy_send_timeout" => send_timeout: Msec = "60s", in HTTP_ALL;
        /// Time for which an upstream server may send no data of the response; it is counted between two reads.
        ///
        /// Example: `proxy_read_timeout 30s;`
        "proxy_read_timeout" => read_timeout: Msec = "60s", in HTTP_ALL;
        /// Time in which the head of the response must be there, in place of `proxy_read_timeout`; it is counted from the
        /// end of the request on.
        ///
        /// Not in PingOS; as in nginx since 1.31.
        ///
        /// Example: `proxy_header_timeout 5s;`
        "proxy_header_timeout" => header_timeout: Option<Msec>, in HTTP_ALL;
        /// Size of the buffer for the response header.
        ///
        /// Example: `proxy_buffer_size 8k;`
        "proxy_buffer_size" => buffer_size: ComparedSize<Size> = "4k", in HTTP_ALL;
        /// Supports byte ranges for all proxied responses.
        ///
        /// Example: `proxy_force_ranges on;`
        "proxy_force_ranges" => force_ranges: Flag = "off", in HTTP_ALL;
        /// Maximum rate of reading from the upstream, in bytes per second; variables are allowed, those of the response too.
        ///
        /// Differs from PingOS, which allows no variables; as in nginx since 1.27.0.
        ///
        /// Example: `proxy_limit_rate 1m;`
        "proxy_limit_rate" => limit_rate: SizeOrVariable = "0", in HTTP_ALL;
        /// Sets a request header for the upstream; variables are allowed.
        ///
        /// Example: `proxy_set_header Host $host;`
        "proxy_set_header" => set_headers: Vec<SetHeader>, in HTTP_ALL;
        /// Body that is sent to the upstream instead of the client's; it may contain variables.
        ///
        /// Example: `proxy_set_body $request_body;`
        "proxy_set_body" => set_body: Option<Template>, in HTTP_ALL;
        /// Method that is sent to the upstream instead of the client's.
        ///
        /// Example: `proxy_method GET;`
        "proxy_method" => method: Option<Template>, in HTTP_ALL;
        /// Forwards the headers of the client's request; `off` sends those of `proxy_set_header` alone.
        ///
        /// Example: `proxy_pass_request_headers off;`
        "proxy_pass_request_headers" => pass_request_headers: Flag = "on", in HTTP_ALL;
        /// Forwards the body of the client's request; `off` is for checks such as that of `auth_request`.
        ///
        /// Example: `proxy_pass_request_body off;`
        "proxy_pass_request_body" => pass_request_body: Flag = "on", in HTTP_ALL;
        /// Upstream header to pass to the client.
        ///
        /// Example: `proxy_pass_header Server;`
        "proxy_pass_header" => pass_headers: Vec<Text>, in HTTP_ALL;
        /// Upstream header to hide from the client.
        ///
        /// Example: `proxy_hide_header X-Powered-By;`
        "proxy_hide_header" => hide_headers: Vec<Text>, in HTTP_ALL;
        /// Upstream headers whose effect is ignored (X-Accel-*, cache headers).
        ///
        /// Example: `proxy_ignore_headers Cache-Control Expires;`
        "proxy_ignore_headers" => ignore_headers: Summed<IgnoredHeaders>, in HTTP_ALL;
        /// Passes on the fields that follow the body of a response in chunks.
        ///
        /// Not in PingOS; as in nginx since 1.27.2.
        ///
        /// Example: `proxy_pass_trailers on;`
        "proxy_pass_trailers" => pass_trailers: Flag = "off", in HTTP_ALL;
        /// Handles responses of the upstream with status 300 or more by `error_page`, instead of passing them on.
        ///
        /// Example: `proxy_intercept_errors on;`
        "proxy_intercept_errors" => intercept_errors: Flag = "off", in HTTP_ALL;
        /// Version of HTTP for requests to the upstream. Connections are kept (`keepalive`) with 1.1 and 2. With 2, `http://` begins with
        /// HTTP/2 without asking, `https://` needs an upstream that agrees to it in the TLS handshake (ALPN). A connection has one request at
        /// a time. Headers of connections (`Connection`, `Upgrade` and the like) are not sent, so that no connection is upgraded.
        ///
        /// Differs from PingOS, which has no `2`; as in nginx since 1.29.4, except that the header `Host` is sent as `:authority` also where
        /// `proxy_set_header` sets it.
        ///
        /// Example: `proxy_http_version 1.1;`
        "proxy_http_version" => http_version: ProxyHttpVersion = "1.0", in HTTP_ALL;
        /// Cases in which the next server is tried. With `no_live` and `proxy_next_upstream_tries`, servers are tried again, those
        /// that have failed too, once there is none left.
        ///
        /// Differs from PingOS, which has no `no_live`; as in nginx since 1.31.
        ///
        /// Example: `proxy_next_upstream error timeout http_502;`
        "proxy_next_upstream" => next_upstream: Summed<NextUpstream> = "error timeout", in HTTP_ALL;
        /// Maximum number of upstream servers that are tried for a request; 0 for all.
        ///
        /// Example: `proxy_next_upstream_tries 2;`
        "proxy_next_upstream_tries" => next_upstream_tries: Num = "0", in HTTP_ALL;
        /// Time in which a request may be passed to another upstream server; 0 for any.
        ///
        /// Example: `proxy_next_upstream_timeout 5s;`
        "proxy_next_upstream_timeout" => next_upstream_timeout: Msec = "0", in HTTP_ALL;
        /// Sends TCP keep-alive probes on connections to the upstream.
        ///
        /// Example: `proxy_socket_keepalive on;`
        "proxy_socket_keepalive" => socket_keepalive: Flag = "off", in HTTP_ALL;
        /// Verifies the certificates of https:// upstream servers, with the CA certificates of
        /// `proxy_ssl_trusted_certificate`.
        ///
        /// Example: `proxy_ssl_verify on;`
        "proxy_ssl_verify" => ssl_verify: Flag = "off", in HTTP_ALL;
        /// Names the host of `proxy_pass`, or `proxy_ssl_name`, in the TLS handshake (SNI).
        ///
        /// Example: `proxy_ssl_server_name on;`
        "proxy_ssl_server_name" => ssl_server_name: Flag = "off", in HTTP_ALL;
        /// Name that the upstream's certificate must have, and that is sent as SNI; by default the host of
        /// `proxy_pass`.
        ///
        /// Example: `proxy_ssl_name backend.internal;`
        "proxy_ssl_name" => ssl_name: Option<Template>, in HTTP_ALL;
        /// TLS protocols for the upstream. Those before TLS 1.2 are not supported.
        ///
        /// Differs from PingOS, which also supports the older protocols.
        ///
        /// Example: `proxy_ssl_protocols TLSv1.2 TLSv1.3;`
        "proxy_ssl_protocols" => ssl_protocols: Summed<SslProtocols> = "TLSv1 TLSv1.1 TLSv1.2", in HTTP_ALL;
        /// File with CA certificates in PEM format, with which `proxy_ssl_verify` verifies upstream servers.
        ///
        /// Example: `proxy_ssl_trusted_certificate /etc/ssl/internal-ca.pem;`
        "proxy_ssl_trusted_certificate" => ssl_trusted: Option<ConfPath>, in HTTP_ALL;
        /// File with the certificate that the upstream gets. With variables, it is read for each connection, unless
        /// `proxy_ssl_certificate_cache` keeps it.
        ///
        /// Example: `proxy_ssl_certificate /etc/pingosd/client.crt;`
        "proxy_ssl_certificate" => ssl_certificate: Option<ProxyFile>, in HTTP_ALL;
        /// File with its key. An encrypted key needs `proxy_ssl_password_file`.
        ///
        /// Example: `proxy_ssl_certificate_key /etc/pingosd/client.key;`
        "proxy_ssl_certificate_key" => ssl_certificate_key: Option<ProxyFile>, in HTTP_ALL;
        /// Keeps certificates and keys whose names have variables: at most `max` files, each until it was not used for
        /// `inactive` (10s), or until `valid` (60s) has passed, after which it is read again.
        ///
        /// Not in PingOS; as in nginx since 1.27.4.
        ///
        /// Example: `proxy_ssl_certificate_cache max=1000 inactive=20s valid=1m;`
        "proxy_ssl_certificate_cache" => ssl_certificate_cache: CertificateCache = "off", in HTTP_ALL;
        /// File with passwords of encrypted keys, one per line; each is tried.
        ///
        /// Example: `proxy_ssl_password_file /etc/pingosd/client.password;`
        "proxy_ssl_password_file" => ssl_password_file: Option<ConfPath>, in HTTP_ALL;
        /// Number of intermediate certificates that an upstream's chain may have.
        ///
        /// Example: `proxy_ssl_verify_depth 2;`
        "proxy_ssl_verify_depth" => ssl_verify_depth: Num = "1", in HTTP_ALL;
        /// File with revocation lists: with `proxy_ssl_verify`, each certificate of an upstream's chain needs one.
        ///
        /// Example: `proxy_ssl_crl /etc/ssl/internal-ca.crl;`
        "proxy_ssl_crl" => ssl_crl: Option<ConfPath>, in HTTP_ALL;
        /// File to which the keys of TLS connections to upstream servers are appended, in the format of `SSLKEYLOGFILE`, with which
        /// captured connections can be decrypted. A file that is created may be read by the server's user only.
        ///
        /// Not in PingOS; as in nginx's commercial version since 1.27.2.
        ///
        /// Example: `proxy_ssl_key_log /var/log/pingosd/keys.log;`
        "proxy_ssl_key_log" => ssl_key_log: Option<KeyLogFile>, in HTTP_ALL;
        /// Cipher list of TLS 1.2 for the upstream, as of `ssl_ciphers`.
        ///
        /// Example: `proxy_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;`
        "proxy_ssl_ciphers" => ssl_ciphers: Ciphers = "DEFAULT", in HTTP_ALL;
        /// Resumes earlier TLS sessions with upstream servers, which shortens the handshake.
        ///
        /// Example: `proxy_ssl_session_reuse off;`
        "proxy_ssl_session_reuse" => ssl_session_reuse: Flag = "on", in HTTP_ALL;
        /// A command of OpenSSL's configuration, as of `ssl_conf_command`.
        ///
        /// Example: `proxy_ssl_conf_command MinProtocol TLSv1.2;`
        "proxy_ssl_conf_command" => ssl_conf_command: Vec<ConfCommand>, in HTTP_ALL;
        /// Saves complete responses of status 200 to files: to the file of the request, or to a path. A response is
        /// sent no faster than it is written; it is stored although its client leaves.
        ///
        /// Example: `proxy_store /var/lib/pingosd/copies$uri;`
        "proxy_store" => store: Store = "off", in HTTP_ALL;
        /// Permissions of files and directories that `proxy_store` creates, for `user`, `group` and `all`.
        ///
        /// Example: `proxy_store_access user:rw group:r all:r;`
        "proxy_store_access" => store_access: Option<StoreAccess>, in HTTP_ALL;
        /// Directory of files while proxy_store writes them.
        ///
        /// Example: `proxy_temp_path /var/lib/pingosd/temp 1 2;`
        "proxy_temp_path" => temp_path: TempPath = "proxy_temp", in HTTP_ALL;
        /// Zone of cached responses, defined by proxy_cache_path. A response is fetched to its end even if its client leaves.
        ///
        /// Example: `proxy_cache hls;`
        "proxy_cache" => cache: CacheZone = "off", in HTTP_ALL;
        /// Directory and zone of cached responses. Files have the names that nginx gives them, and their own format.
        ///
        /// Example: `proxy_cache_path /var/cache/pingosd levels=1:2 keys_zone=hls:10m max_size=2g inactive=1m;`
        "proxy_cache_path" => cache_paths: Vec<CachePath>, in HTTP;
        /// Key of cached responses. The default is the URL to which the request is forwarded.
        ///
        /// Example: `proxy_cache_key $scheme$host$uri;`
        "proxy_cache_key" => cache_key: Option<Template>, in HTTP_ALL;
        /// Time for which responses of these statuses are fresh, unless their headers give a time.
        ///
        /// Example: `proxy_cache_valid 200 206 10s;`
        "proxy_cache_valid" => cache_valid: Vec<CacheValid>, in HTTP_ALL;
        /// Methods whose responses are cached; GET and HEAD always are.
        ///
        /// Example: `proxy_cache_methods GET HEAD POST;`
        "proxy_cache_methods" => cache_methods: Summed<CacheMethods> = "GET HEAD", in HTTP_ALL;
        /// Number of requests after which a response is cached.
        ///
        /// Example: `proxy_cache_min_uses 2;`
        "proxy_cache_min_uses" => cache_min_uses: Num = "1", in HTTP_ALL;
        /// Conditions under which the cache is not asked: a value that is neither empty nor 0.
        ///
        /// Example: `proxy_cache_bypass $arg_nocache;`
        "proxy_cache_bypass" => cache_bypass: Vec<Templates>, in HTTP_ALL, args Arity::SOME;
        /// Conditions under which a response is not cached: a value that is neither empty nor 0.
        ///
        /// Example: `proxy_no_cache $arg_nocache;`
        "proxy_no_cache" => no_cache: Vec<Templates>, in HTTP_ALL, args Arity::SOME;
        /// Cases in which a response is used although it is too old.
        ///
        /// Example: `proxy_cache_use_stale error timeout updating;`
        "proxy_cache_use_stale" => cache_use_stale: Summed<UseStale> = "off", in HTTP_ALL;
        /// Replaces responses that are too old beside the request that is answered with them (use_stale updating).
        ///
        /// Example: `proxy_cache_background_update on;`
        "proxy_cache_background_update" => cache_background_update: Flag = "off", in HTTP_ALL;
        /// Asks whether responses that are too old have changed: If-Modified-Since, If-None-Match.
        ///
        /// Example: `proxy_cache_revalidate on;`
        "proxy_cache_revalidate" => cache_revalidate: Flag = "off", in HTTP_ALL;
        /// Fetches a response once for all requests that come at the same time.
        ///
        /// Example: `proxy_cache_lock on;`
        "proxy_cache_lock" => cache_lock: Flag = "off", in HTTP_ALL;
        /// Time after which another request fetches it, too.
        ///
        /// Example: `proxy_cache_lock_age 2s;`
        "proxy_cache_lock_age" => cache_lock_age: Msec = "5s", in HTTP_ALL;
        /// Time after which a waiting request is forwarded; its response is not cached.
        ///
        /// Example: `proxy_cache_lock_timeout 3s;`
        "proxy_cache_lock_timeout" => cache_lock_timeout: Msec = "5s", in HTTP_ALL;
        /// Sends a HEAD request to the upstream as GET, so that its response can be cached.
        ///
        /// Example: `proxy_cache_convert_head off;`
        "proxy_cache_convert_head" => cache_convert_head: Flag = "on", in HTTP_ALL;
        /// Offset in bytes from which on ranges are forwarded, and not cut out of the whole.
        ///
        /// Example: `proxy_cache_max_range_offset 10m;`
        "proxy_cache_max_range_offset" => cache_max_range_offset: Option<Offset>, in HTTP_ALL;
        /// Whether responses are cached, and whether `gzip` and `sub_filter` may hold back what they could send; a backend's header
        /// `X-Accel-Buffering: yes` or `no` decides for its response. It has no other effect. A response is read as fast as the
        /// client takes it, with bounded memory, and as fast as the backend sends it where it is cached.
        ///
        /// Example: `proxy_buffering off;`
        "proxy_buffering" => buffering: Flag = "on", in HTTP_ALL;
    }
    needless {
        /// Number and size of response buffers.
        "proxy_buffers" => Buffers = "8 4k", in HTTP_ALL;
        /// Maximum size of buffers that are being sent to the client.
        "proxy_busy_buffers_size" => ComparedSize<Size> = "8k", in HTTP_ALL;
        /// Maximum size of a temporary file. Responses are not written to files: see proxy_buffering.
        "proxy_max_temp_file_size" => ComparedSize<Offset> = "1024m", in HTTP_ALL;
        /// Number of bytes written to a temporary file at once.
        "proxy_temp_file_write_size" => ComparedSize<Offset>, in HTTP_ALL;
        /// Ignored on Linux.
        "proxy_send_lowat" => SendLowat = "0", in HTTP_ALL;
        /// Size of a hash table.
        "proxy_headers_hash_max_size" => Num = "512", in HTTP_ALL;
        /// Bucket size of a hash table.
        "proxy_headers_hash_bucket_size" => Num = "64", in HTTP_ALL;
    }
    made {
        BufferSizes;
        CachePaths;
    }
    checks {
        has_certificate_key, in LOCATION;
    }
    concludes {
        are_defined;
    }
}

/// Reports a certificate for TLS to backends without its key.
fn has_certificate_key(values: &dyn ValueLookup) -> Option<Problem> {
    let current = values.find::<Current>()?;
    let uses_tls = current.pass.0.as_ref()?.fixed.as_ref().is_none_or(|target| target.is_encrypted);
    let certificate = current.ssl_certificate.as_ref().filter(|_| uses_tls)?;
    let begin = b"no \"proxy_ssl_certificate_key\" is defined for certificate \"";
    let text = sentence(&[begin, &certificate.spelled, b"\""]);
    current.ssl_certificate_key.is_none().then(|| Problem::new(text))
}

/// The lines of `proxy_cache_path`.
#[derive(Debug)]
pub struct CachePaths(pub Vec<CachePath>);

impl Slot for CachePaths {
    const HOLDERS: Contexts = HTTP;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> CachePaths {
        let defined: Current = level.resolve(evaluation);
        CachePaths(defined.cache_paths)
    }
}

impl Current {
    /// Whether a response with these headers may be cached and held back, as `proxy_buffering` and `X-Accel-Buffering` say.
    pub(super) fn buffers(&self, headers: &Headers) -> bool {
        let ignored = self.ignore_headers.0.unwrap_or_default();
        let said = |value: &BStr| match () {
            () if value.eq_ignore_ascii_case(b"yes") => Some(true),
            () if value.eq_ignore_ascii_case(b"no") => Some(false),
            () => None,
        };
        // As in nginx, the last one that says one of them counts.
        let latest = headers.all(b"X-Accel-Buffering").filter_map(said).last();
        latest.filter(|_| !ignored.contains(IgnoredHeaders::BUFFERING)).unwrap_or(self.buffering)
    }

    /// Whether a response is no longer wanted once its client has left.
    pub(super) fn needs_client(&self) -> bool {
        !self.ignore_client_abort && matches!(self.store, Store::Off)
    }
}

/// `proxy_set_header`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetHeader {
    /// Name of the header.
    pub name: BString,
    /// Its value; an empty one leaves it out.
    pub value: Template,
}

impl Value for SetHeader {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "field value".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SetHeader, Problem> {
        let [name, value] = args.words else { return Err(args.refuse("is incomplete")) };
        let value = Template::compile(value, &value.bytes, evaluation)?;
        Ok(SetHeader { name: name.text().to_owned(), value })
    }
}
