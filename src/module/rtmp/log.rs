//! Log lines about RTMP connections.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use tracing::{error, info};

use crate::directive::ListenAddr;
use crate::log::arguments::ShownName;
use crate::log::os_text;
use crate::log::shown::Shown;
use crate::media::session::{Reason, Session};
use crate::net::socket::Peer;
use crate::net::tls::Refusal;
use crate::net::tls::x509::chain::Verdict;

/// A connection was accepted.
pub fn connected(conn: u64, peer: &Peer, listen: &ListenAddr) {
    info!(conn, "client connected '{}', server: {listen}", peer.addr);
}

/// A connection ended.
pub fn disconnected(conn: u64, peer: &Peer, reason: Reason, received: u64) {
    info!(conn, "client disconnected '{}', reason: {}, received: {received}", peer.addr, reason.name());
}

/// The certificate of a client is not trusted, or missing.
pub fn client_refused(conn: u64, refusal: Refusal, peer: &Peer) {
    match refusal {
        Refusal::Untrusted(Verdict { code, text }) => {
            info!(conn, "client SSL certificate verify error: ({code}:{text}), client: {}", peer.addr);
        }
        Refusal::Status(status) => {
            info!(conn, "client SSL certificate verify error: {}, client: {}", status.text(), peer.addr);
        }
        Refusal::NoCertificate => {
            info!(conn, "client sent no required SSL certificate, client: {}", peer.addr);
        }
    }
}

/// A client asks for a server that verifies clients, and another one was negotiated.
pub fn misdirected(conn: u64, peer: &Peer) {
    info!(
        conn,
        "client attempted to request the server name different from the one that was negotiated, client: {}",
        peer.addr
    );
}

/// Reading or writing failed.
pub fn connection_failed(conn: u64, error: &io::Error) {
    let error = os_text(error);
    info!(conn, "connection failed: {error}");
}

/// The peer violated the protocol.
pub fn protocol_error(conn: u64, peer: &Peer, error: &dyn Display) {
    info!(conn, "protocol error: {error}, client: {}", peer.addr);
}

/// The peer sent a message longer than `max_message`. At error, as in nginx-rtmp: a key frame of an encoder may be as long.
pub fn message_too_long(conn: u64, peer: &Peer, length: u32, limit: usize) {
    error!(conn, "message of {length} bytes is longer than max_message {limit}, client: {}", peer.addr);
}

/// The peer was too slow.
pub fn timed_out(conn: u64, peer: &Peer) {
    info!(conn, "client timed out, client: {}", peer.addr);
}

/// `connect` over `max_connections`.
pub fn over_max_connections(conn: u64, limit: u64) {
    info!(target: "notice", conn, "connect: max_connections {limit} reached");
}

/// The stream name is already published.
pub fn name_taken(session: &Session) {
    info!(
        target: "notice",
        conn = session.id,
        "stream is already publishing: '{}', client: {}, app: '{}'",
        Shown::new(&session.key.name),
        session.peer.addr,
        Shown::new(&session.key.app)
    );
}

/// A second publish or play request on a connection.
pub fn second_stream(conn: u64, peer: &Peer, name: &[u8]) {
    info!(
        target: "notice",
        conn,
        "'{}' refused, another stream is active on this connection, client: {}",
        ShownName(name),
        peer.addr
    );
}

/// A publisher was admitted.
pub fn publishing(session: &Session) {
    info!(
        target: "notice",
        conn = session.id,
        "publishing '{}', client: {}, app: '{}'",
        Shown::new(&session.key.name),
        session.peer.addr,
        Shown::new(&session.key.app)
    );
}

/// A publisher left after `lasted`; `received` is the number of bytes that it has sent.
pub fn published(session: &Session, lasted: Duration, received: u64) {
    let info = session.stream_info();
    let codec = |name: &'static str| if name.is_empty() { "none" } else { name };
    info!(
        target: "notice",
        conn = session.id,
        "stopped publishing '{}', client: {}, app: '{}', video: {}, audio: {}, lasted: {:.3} s, bytes: {received}, ended by: {}",
        Shown::new(&session.key.name),
        session.peer.addr,
        Shown::new(&session.key.app),
        codec(info.video_codec),
        codec(info.audio_codec),
        lasted.as_secs_f64(),
        session.reason().name()
    );
}
