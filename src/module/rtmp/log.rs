//! Log lines about RTMP connections.

use std::fmt::Display;
use std::io;

use tracing::info;

use crate::directive::ListenAddr;
use crate::log::shown::Shown;
use crate::media::session::{Reason, Session};
use crate::net::socket::Peer;

/// A connection was accepted.
pub fn connected(conn: u64, peer: &Peer, listen: &ListenAddr) {
    info!(conn, "client connected '{}', server: {listen}", peer.addr);
}

/// A connection ended.
pub fn disconnected(conn: u64, peer: &Peer, reason: Reason, received: u64) {
    info!(conn, "client disconnected '{}', reason: {}, received: {received}", peer.addr, reason.name());
}

/// Reading or writing failed.
pub fn connection_failed(conn: u64, error: &io::Error) {
    info!(conn, "connection failed: {error}");
}

/// The peer violated the protocol.
pub fn protocol_error(conn: u64, peer: &Peer, error: &dyn Display) {
    info!(conn, "protocol error: {error}, client: {}", peer.addr);
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
    info!(target: "notice", conn = session.id, "stream is already publishing: '{}'", Shown::new(&session.key.name));
}

/// A publisher was admitted.
pub fn publishing(session: &Session) {
    info!(conn = session.id, "publishing '{}', client: {}", Shown::new(&session.key.name), session.peer.addr);
}

/// A publisher left.
pub fn published(session: &Session) {
    info!(conn = session.id, "stopped publishing '{}'", Shown::new(&session.key.name));
}
