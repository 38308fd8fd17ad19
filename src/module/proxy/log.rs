//! Log lines about forwarded requests, with nginx's texts.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use bstr::ByteSlice;

use super::doing::{CONNECTING, HANDSHAKING};
use super::states::Excess;
use super::target::TargetError;
use crate::http::exchange::Exchange;
use crate::http::log::READING_UPSTREAM_HEAD;
use crate::http::log::{about, about_at, about_while};
use crate::log::level::LogLevel;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;

/// The URL of a variable target is not understood.
pub(super) fn invalid_url(exchange: &Exchange<'_>, reason: TargetError, url: &[u8]) {
    match reason {
        TargetError::Prefix => about(exchange, &format_args!("{reason} in \"{}\"", Shown::new(url))),
        _ => {
            let behind_scheme = url.split_once_str("://").map_or(url, |(_, rest)| rest);
            about(exchange, &format_args!("{reason} in upstream \"{}\"", Shown::new(behind_scheme)));
        }
    }
}

/// A host name has no addresses.
pub(super) fn not_resolved(exchange: &Exchange<'_>, host: &[u8], error: &dyn Display) {
    about(exchange, &format_args!("{} could not be resolved ({error})", Shown::new(host)));
}

/// A host name with variables needs a resolver.
pub(super) fn no_resolver(exchange: &Exchange<'_>, host: &[u8]) {
    about(exchange, &format_args!("no resolver defined to resolve {}", Shown::new(host)));
}

/// No server of the group may be used.
pub(super) fn no_live_upstreams(exchange: &Exchange<'_>) {
    about_while(LogLevel::Error, exchange, &"no live upstreams", Some(CONNECTING));
}

/// A connection could not be made.
pub(super) fn connect_failed(exchange: &Exchange<'_>, peer: &str, error: &io::Error) {
    let text = os_text(error);
    if peer.starts_with("unix:") {
        let text = format_args!("connect() to {peer} failed ({text})");
        let level = match error.kind() {
            io::ErrorKind::ConnectionRefused => LogLevel::Error,
            _ => LogLevel::Crit,
        };
        return about_while(level, exchange, &text, Some(CONNECTING));
    }
    let text = format_args!("connect() failed ({text})");
    about_while(LogLevel::Error, exchange, &text, Some(CONNECTING));
}

/// The local address of a connection cannot be had.
pub(super) fn bind_failed(exchange: &Exchange<'_>, addr: &SocketAddr, error: &io::Error) {
    let text = format_args!("bind({addr}) failed ({})", os_text(error));
    about_while(LogLevel::Crit, exchange, &text, Some(CONNECTING));
}

/// TLS could not be begun.
pub(super) fn handshake_failed(exchange: &Exchange<'_>, error: &dyn Display) {
    let text = format_args!("SSL_do_handshake() failed ({error})");
    about_while(LogLevel::Error, exchange, &text, Some(HANDSHAKING));
}

/// TLS has not agreed on HTTP/2.
pub(super) fn not_http2(exchange: &Exchange<'_>) {
    let text = "upstream has not agreed to HTTP/2 (ALPN)";
    about_while(LogLevel::Error, exchange, &text, Some(HANDSHAKING));
}

/// The head of a request cannot be sent over HTTP/2.
pub(super) fn no_http2_head(exchange: &Exchange<'_>, method: &[u8], host: &[u8]) {
    let (method, host) = (Shown::new(method), Shown::new(host));
    about(exchange, &format_args!("invalid method \"{method}\" or host \"{host}\" for HTTP/2"));
}

/// A backend is not trusted.
pub(super) fn not_trusted(exchange: &Exchange<'_>, why: &str) {
    about_while(LogLevel::Error, exchange, &why, Some(HANDSHAKING));
}

/// A local address is none.
pub(super) fn invalid_bind(exchange: &Exchange<'_>, address: &[u8]) {
    about(exchange, &format_args!("invalid local address \"{}\"", Shown::new(address)));
}

/// A timeout.
pub(super) fn timed_out(exchange: &Exchange<'_>, doing: &str) {
    let text = "upstream timed out (110: Connection timed out)";
    about_while(LogLevel::Error, exchange, &text, Some(doing));
}

/// A system call has failed.
pub(super) fn failed(exchange: &Exchange<'_>, call: &str, error: &io::Error, doing: &str) {
    let text = format_args!("{call}() failed ({})", os_text(error));
    about_while(LogLevel::Error, exchange, &text, Some(doing));
}

/// What a backend has done wrong.
pub(super) fn bad_response(exchange: &Exchange<'_>, what: &str) {
    bad_response_while(exchange, what, READING_UPSTREAM_HEAD);
}

/// What a backend has done wrong meanwhile.
pub(super) fn bad_response_while(exchange: &Exchange<'_>, what: &str, doing: &str) {
    about_while(LogLevel::Error, exchange, &what, Some(doing));
}

/// A server is not used for a time.
pub(super) fn disabled(exchange: &Exchange<'_>, doing: &str) {
    about_while(LogLevel::Warn, exchange, &"upstream server temporarily disabled", Some(doing));
}

/// A response could not be stored.
pub(super) fn not_stored(conn: u64, what: &str) {
    tracing::info!(target: "crit", conn, "{what} while reading upstream");
}

/// A backend has sent more than a response.
pub(super) fn too_much(exchange: &Exchange<'_>, excess: Excess) {
    let doing = Some(excess.doing);
    if excess.is_behind_chunks {
        return about_while(LogLevel::Warn, exchange, &"upstream sent data after final chunk", doing);
    }
    let text = "upstream sent more data than specified in \"Content-Length\" header";
    about_while(LogLevel::Warn, exchange, &text, doing);
}

/// A flag of `proxy_cookie_flags` is none.
pub(super) fn invalid_flag(exchange: &Exchange<'_>, flag: &[u8]) {
    let flag = Shown::new(flag);
    let text = format_args!("invalid proxy_cookie_flags flag \"{flag}\"");
    about_at(LogLevel::Notice, exchange, &text);
}

/// A request has waited for another one's response long enough (`proxy_cache_lock_timeout`).
pub(super) fn cache_lock_timeout(exchange: &Exchange<'_>) {
    about_at(LogLevel::Info, exchange, &"cache lock timeout");
}

/// The zone that variables name does not exist.
pub(super) fn cache_unknown(exchange: &Exchange<'_>, zone: &[u8]) {
    about(exchange, &format_args!("cache \"{}\" not found", Shown::new(zone)));
}

/// A backend has said that a cached response is unchanged.
pub(super) fn not_modified(exchange: &Exchange<'_>) {
    about_at(LogLevel::Info, exchange, &"upstream not modified");
}

/// A cached response could not be read, written or removed.
pub(super) fn cache_failed(call: &str, path: &Path, error: &io::Error) {
    tracing::info!(target: "crit", "{call}() \"{}\" failed ({})", Shown::path(path), os_text(error));
}

/// A zone has no room for another key.
pub(super) fn cache_full(zone: &[u8]) {
    tracing::info!(target: "alert", "could not allocate node in cache keys zone \"{}\"", Shown::new(zone));
}

/// A file is that of another key.
pub(super) fn cache_collision(path: &Path) {
    tracing::info!(target: "crit", "cache file \"{}\" has md5 collision", Shown::path(path));
}

/// A file is not that of a cached response, and is removed.
pub(super) fn cache_damaged(path: &Path) {
    tracing::info!(target: "crit", "cache file \"{}\" is damaged, it is removed", Shown::path(path));
}
