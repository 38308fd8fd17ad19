//! Log lines about HTTP requests, with nginx's texts.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use h2::Reason;
use tracing::{error, info, warn};

use super::exchange::{Exchange, HttpConnection};
use super::input::BadBody;
use super::request::HeadError;
use super::request_body::BodyFailure;
use super::response::BrokenBody;
use super::tunnel::{TunnelFailure, TunnelSide};
use crate::limits;
use crate::log::level::LogLevel;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;
use crate::net::socket::Peer;

/// What is done while a response is sent.
pub const SENDING: &str = "sending response to client";

/// What is done while the head of a response of a backend is waited for.
pub const READING_UPSTREAM_HEAD: &str = "reading response header from upstream";

/// What is done while the body of a response of a backend is passed on.
pub const READING_UPSTREAM: &str = "reading upstream";

/// What is done while the head of a request is read.
pub(super) const READING_LINE: &str = "reading client request line";
/// The same behind its first line.
pub(super) const READING_HEADERS: &str = "reading client request headers";

/// Text that a module keeps for a request, for the end of log lines about it. Bytes of the client's are
/// escaped.
#[derive(Clone, Debug)]
pub struct LogSuffix(pub String);

/// A request refused before a location was selected.
pub(super) fn refused(exchange: &Exchange<'_>, error: &HeadError) {
    reading_head(exchange, &error.why, error.is_in_line);
}

/// The client has closed the connection in the middle of a request head, or the connection failed.
pub(super) fn left_early(exchange: &Exchange<'_>, failure: Option<&io::Error>) {
    let text = match failure {
        None => "client prematurely closed connection".to_owned(),
        Some(failure) => format!("recv() failed ({})", os_text(failure)),
    };
    reading_head(exchange, &text, !exchange.request.has_line());
}

fn reading_head(exchange: &Exchange<'_>, text: &dyn Display, is_in_line: bool) {
    about_while(
        LogLevel::Info,
        exchange,
        text,
        Some(if is_in_line { READING_LINE } else { READING_HEADERS }),
    );
}

/// The client has closed a connection before its first request, or behind a request if it was kept; or the connection failed.
pub(super) fn closed_idle(connection: &HttpConnection, is_kept: bool, failure: Option<&io::Error>) {
    let reason = failure.map(|failure| format!(" ({})", os_text(failure))).unwrap_or_default();
    match failure {
        _ if is_kept => {
            info!(
                conn = connection.id,
                "client {} closed keepalive connection{reason}", connection.peer.addr
            );
        }
        None => waiting(connection, &"client closed connection while waiting for request"),
        Some(_) => waiting(connection, &format_args!("recv() failed{reason} while waiting for request")),
    }
}

/// A client sends nothing.
pub(super) fn silent(connection: &HttpConnection) {
    waiting(connection, &"client timed out (110: Connection timed out) while waiting for request");
}

fn waiting(connection: &HttpConnection, what: &dyn Display) {
    let (client, server) = (&connection.peer.addr, &connection.listen);
    info!(conn = connection.id, "{what}, client: {client}, server: {server}");
}

/// A connection of HTTP/2 is closed because of what its client does.
pub(super) fn http2_failed(conn: u64, why: &str, peer: &Peer) {
    info!(conn, "{why} while processing HTTP/2 connection, client: {}", peer.addr);
}

/// The head of a request over HTTP/2 does not come in time.
pub(super) fn head_timed_out(exchange: &Exchange<'_>) {
    reading_head(exchange, &"client timed out (110: Connection timed out)", false);
}

/// A header line was left out because of its name.
pub(super) fn left_out(exchange: &Exchange<'_>, line: &[u8]) {
    let shown = Shown::beginning(line, limits::HTTP_LOGGED_HEADER);
    reading_head(exchange, &format_args!("client sent invalid header line: \"{shown}\""), false);
}

/// `deny` refused a client.
pub(super) fn access_denied(exchange: &Exchange<'_>) {
    about(exchange, &"access forbidden by rule");
}

/// A regular expression exceeded its bounds on a part of a request, which is therefore refused.
pub fn undecided(exchange: &Exchange<'_>, what: &str) {
    let text = format_args!("a regular expression has reached its limit on {what}");
    about_at(LogLevel::Alert, exchange, &text);
}

/// The directory of `$realpath_root` is not there, which is logged once for a request.
pub(super) fn no_real_root(exchange: &Exchange<'_>, root: &Path, failure: &io::Error) {
    if exchange.has_told_no_root.swap(true, Ordering::Relaxed) {
        return;
    }
    let text = format_args!("realpath() \"{}\" failed ({})", Shown::path(root), os_text(failure));
    about_at(LogLevel::Crit, exchange, &text);
}

/// An internal redirect to a location that does not exist.
pub(super) fn no_named_location(exchange: &Exchange<'_>, name: &[u8]) {
    about(exchange, &format_args!("could not find named location \"{}\"", Shown::new(name)));
}

/// A redirect to a named location of a request whose line was not understood.
pub(super) fn no_path_for_location(exchange: &Exchange<'_>, name: &[u8]) {
    about(exchange, &format_args!("empty URI in redirect to named location \"{}\"", Shown::new(name)));
}

/// Too many internal redirects.
pub(super) fn redirect_cycle(exchange: &Exchange<'_>, doing: &str, target: &[u8]) {
    let target = Shown::new(target);
    about(exchange, &format_args!("rewrite or internal redirection cycle while {doing} \"{target}\""));
}

/// A directory of temporary files could not be created.
pub(super) fn directory_not_made(path: &Path, error: &io::Error) {
    error!("mkdir() \"{}\" failed ({})", Shown::path(path), os_text(error));
}

/// A request body above `client_max_body_size`.
pub(super) fn body_too_large(exchange: &Exchange<'_>, length: u64) {
    about(exchange, &format_args!("client intended to send too large body: {length} bytes"));
}

/// A request body is written to a file.
pub(super) fn body_in_file(exchange: &Exchange<'_>, path: &Path, always: bool) {
    let level = if always { LogLevel::Notice } else { LogLevel::Warn };
    let path = Shown::path(path);
    about_at(level, exchange, &format_args!("a client request body is buffered to a temporary file {path}"));
}

/// A request body that could not be read.
pub(super) fn body_failed(exchange: &Exchange<'_>, failure: &BodyFailure) {
    match failure {
        // As in nginx, whatever is done meanwhile.
        BodyFailure::Bad(BadBody::Chunks) => {
            about_while(LogLevel::Error, exchange, &"client sent invalid chunked body", None);
        }
        BodyFailure::Bad(BadBody::Longer) => {
            about(exchange, &"client intended to send body data larger than declared");
        }
        BodyFailure::Bad(BadBody::Shorter(left)) => {
            about(
                exchange,
                &format_args!("client prematurely closed stream: {left} bytes of its body are missing"),
            );
        }
        BodyFailure::Bad(BadBody::TooLarge { received, chunk }) => {
            let text =
                format_args!("client intended to send too large chunked body: {received}+{chunk} bytes");
            about(exchange, &text);
        }
        BodyFailure::Left if exchange.connection.socket.http2().is_some() => {
            stream_reset(exchange);
            about_at(LogLevel::Info, exchange, &"client prematurely closed stream");
        }
        BodyFailure::Left => about_at(LogLevel::Info, exchange, &"client prematurely closed connection"),
        BodyFailure::TimedOut => {
            about_at(LogLevel::Info, exchange, &"client timed out (110: Connection timed out)");
        }
        BodyFailure::Disk(failure) => {
            let (call, path) = (failure.call, Shown::path(&failure.path));
            let text = format_args!("{call}() \"{path}\" failed ({})", os_text(&failure.source));
            about_at(LogLevel::Crit, exchange, &text);
        }
    }
}

/// A file that could not be opened.
pub(super) fn open_failed(exchange: &Exchange<'_>, path: &Path, failure: &io::Error) {
    let call = exchange.call_for(path, "open");
    let path = Shown::path(path);
    about(exchange, &format_args!("{call}() \"{path}\" failed ({})", os_text(failure)));
}

/// `alias` in a location whose prefix the path does not have any more.
pub(super) fn alias_after_rewrite(exchange: &Exchange<'_>) {
    let name = Shown::new(exchange.location.name.spelled());
    let text = format_args!("\"alias\" cannot be used in location \"{name}\" where URI was rewritten");
    about_at(LogLevel::Alert, exchange, &text);
}

/// A path with `..`, which nginx would follow.
pub(super) fn leaves_directory(exchange: &Exchange<'_>) {
    let path = Shown::new(&exchange.path);
    about(exchange, &format_args!("\"{path}\" is not served: \"..\" may lead out of the directory"));
}

/// A value of `limit_rate` or `limit_rate_after` that is no size.
pub(super) fn invalid_size(exchange: &Exchange<'_>, text: &[u8]) {
    about(exchange, &format_args!("invalid size \"{}\"", Shown::new(text)));
}

/// A response that could not be sent completely.
pub(super) fn send_failed(exchange: &Exchange<'_>, failure: &io::Error) {
    if let Some(broken) = failure.get_ref().and_then(|error| error.downcast_ref::<BrokenBody>()) {
        return about_while(LogLevel::Error, exchange, &broken.text, broken.doing.or(exchange.doing));
    }
    if exchange.connection.socket.http2().is_some_and(|stream| stream.is_gone()) {
        return stream_reset(exchange);
    }
    let text = match failure.kind() {
        io::ErrorKind::TimedOut => "client timed out (110: Connection timed out)".to_owned(),
        _ => format!("send() failed ({})", os_text(failure)),
    };
    about_while(LogLevel::Info, exchange, &text, Some(SENDING));
}

/// A tunnel that neither side has closed.
pub(super) fn tunnel_failed(exchange: &Exchange<'_>, failure: &TunnelFailure) {
    let level = match failure {
        TunnelFailure::Failed { side: TunnelSide::Upstream, .. } => LogLevel::Error,
        _ => LogLevel::Info,
    };
    about_while(level, exchange, failure, Some("proxying upgraded connection"));
}

/// The client has reset the stream of a request over HTTP/2, if it has. The end of a connection is told once for all of its streams.
fn stream_reset(exchange: &Exchange<'_>) {
    let Some(reset) = exchange.connection.socket.http2().and_then(|stream| stream.take_reset()) else {
        return;
    };
    let stream = reset.stream;
    let text = match reset.reason {
        Reason::CANCEL => format!("client canceled stream {stream}"),
        Reason::REFUSED_STREAM => format!("client refused stream {stream}"),
        Reason::INTERNAL_ERROR => format!("client terminated stream {stream} due to internal error"),
        reason => format!("client terminated stream {stream} with status {}", u32::from(reason)),
    };
    about_at(LogLevel::Info, exchange, &text);
}

/// The client has closed, and another server need not answer any more.
pub(super) fn client_left(exchange: &Exchange<'_>) {
    if exchange.connection.socket.http2().is_some() {
        return stream_reset(exchange);
    }
    let text = match exchange.doing {
        Some(doing) if doing.ends_with("upstream") => {
            "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too"
        }
        _ => "client prematurely closed connection",
    };
    about_at(LogLevel::Info, exchange, &text);
}

/// The answer to a request without authorization is delayed.
pub(super) fn delays_unauthorized(exchange: &Exchange<'_>) {
    about_at(LogLevel::Info, exchange, &"delaying unauthorized request");
}

/// A directory without an index file.
pub(super) fn index_forbidden(exchange: &Exchange<'_>, path: &[u8]) {
    about(exchange, &format_args!("directory index of \"{}\" is forbidden", Shown::new(path)));
}

/// A line of this level about a request, with what is done for it and the request.
pub fn about_at(level: LogLevel, exchange: &Exchange<'_>, what: &dyn Display) {
    about_while(level, exchange, what, exchange.doing);
}

/// A line of this level about what happens while something else is done for a request.
pub fn about_while(level: LogLevel, exchange: &Exchange<'_>, what: &dyn Display, doing: Option<&str>) {
    // Clients can cause many lines at info, which most logs do not take.
    if level >= LogLevel::Info && !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let conn = exchange.id();
    let text = text_about(exchange, what, doing);
    match level {
        LogLevel::Emerg | LogLevel::Alert => info!(target: "alert", conn, "{text}"),
        LogLevel::Crit => info!(target: "crit", conn, "{text}"),
        LogLevel::Error => error!(conn, "{text}"),
        LogLevel::Warn => warn!(conn, "{text}"),
        LogLevel::Notice => info!(target: "notice", conn, "{text}"),
        LogLevel::Info | LogLevel::Debug => info!(conn, "{text}"),
    }
}

/// An error about a request, with what is done for it and the request.
pub fn about(exchange: &Exchange<'_>, what: &dyn Display) {
    about_at(LogLevel::Error, exchange, what);
}

fn text_about(exchange: &Exchange<'_>, what: &dyn Display, doing: Option<&str>) -> String {
    let mut text = what.to_string();
    if let Some(doing) = doing {
        text.push_str(&format!(" while {doing}"));
    }
    let client = &exchange.peer().addr;
    text.push_str(&format!(", client: {client}, server: {}", Shown::new(&exchange.server_name())));
    let mut add = |name: &str, value: &dyn Display| text.push_str(&format!(", {name}: \"{value}\""));
    let request = exchange.request.text();
    if !request.is_empty() && !exchange.request.lacks_line {
        add("request", &Shown::new(request));
    }
    if exchange.is_subrequest() {
        add("subrequest", &Shown::new(&exchange.path));
    }
    if let Some(upstream) = &exchange.upstream {
        add("upstream", upstream);
    }
    for (name, header) in [("host", "host"), ("referrer", "referer")] {
        if let Some(value) = exchange.request.header(header) {
            add(name, &Shown::new(value));
        }
    }
    text.push_str(exchange.kept.get::<LogSuffix>().map_or("", |suffix| suffix.0.as_str()));
    text
}
