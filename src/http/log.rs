//! Log lines about HTTP requests.

use std::fmt::Display;

use tracing::info;

use crate::net::socket::Peer;

/// A request refused before a location was selected.
pub fn refused(conn: u64, status: u16, why: &str, peer: &Peer) {
    info!(target: "notice", conn, "request refused with {status}: {why}, client: {}", peer.addr);
}

/// `deny` refused a client.
pub fn access_denied(conn: u64, peer: &Peer) {
    info!(target: "notice", conn, "access forbidden by rule, client: {}", peer.addr);
}

/// A regular expression exceeded its bounds on a part of a request, which is therefore refused.
pub fn undecided(conn: u64, what: &str, peer: &Peer) {
    info!(target: "alert", conn, "a regular expression has reached its limit on {what}, client: {}", peer.addr);
}

/// An HTTP request that could not be parsed.
pub fn error(conn: u64, error: &dyn Display) {
    info!(conn, "http: {error}");
}
