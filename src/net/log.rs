//! Log lines about sockets and host names.

use std::fmt::Display;
use std::io;

use tracing::{error, info, warn};

use super::plain::Peer;
use crate::directive::ListenAddr;
use crate::log::os_text;

/// A TLS handshake failed.
pub fn tls_failed(peer: &Peer, listen: &ListenAddr, error: &dyn Display) {
    info!("TLS handshake failed: {error} while SSL handshaking, client: {}, server: {listen}", peer.addr);
}

/// A connection was closed because of its PROXY header: the client has violated the protocol, or left.
pub fn proxy_header_failed(peer: &Peer, listen: &ListenAddr, error: &dyn Display, is_violation: bool) {
    let client = &peer.addr;
    match is_violation {
        true => error!("{error} while reading PROXY protocol, client: {client}, server: {listen}"),
        false => info!("{error} while reading PROXY protocol, client: {client}, server: {listen}"),
    }
}

/// An option of a listening socket could not be set.
pub fn option_failed(option: &str, listen: &ListenAddr, error: &io::Error) {
    let error = os_text(error);
    error!(target: "alert", "setsockopt({option}) {listen} failed ({error}), ignored");
}

/// The accept queue of a listening socket could not be resized.
pub fn backlog_failed(listen: &ListenAddr, backlog: i32, error: &io::Error) {
    let error = os_text(error);
    error!(target: "alert", "listen() to {listen}, backlog {backlog} failed ({error}), ignored");
}

/// `ipv6only` of an open socket was changed in the configuration.
pub fn ipv6only_kept(listen: &ListenAddr) {
    warn!("\"ipv6only\" of an open socket cannot be changed, it takes effect on {listen} after a restart");
}

/// A TLS socket cannot be opened yet.
pub fn socket_closed(listen: &ListenAddr, why: &dyn Display) {
    error!("{why}, nothing listens on {listen}");
}

/// A connection above `worker_connections` or `max_connections` was closed.
pub fn too_many_connections(limit: u64) {
    error!(target: "alert", "{limit} worker_connections are not enough");
}

/// A name has no address; logged once until it has one.
pub fn host_not_found(why: &dyn Display) {
    error!("{why}");
}

/// Name servers do not answer; the last answer is used.
pub fn host_kept(host: &str, why: &dyn Display) {
    warn!("{why}; the last known addresses of \"{}\" are used", host.escape_debug());
}

/// Name servers answer again.
pub fn host_found_again(host: &str) {
    info!(target: "notice", "host \"{}\" is found again", host.escape_debug());
}

/// A responder gives no usable answer.
pub fn ocsp_failed(text: &str) {
    error!("{text}");
}

/// A responder is asked without what nginx would have asked it with.
pub fn ocsp_warning(text: &str) {
    warn!("{text}");
}

/// A directive of TLS is ignored, as nginx ignores it.
pub fn tls_warning(text: &str) {
    warn!("{text}");
}

/// Accepting failed; usually because no descriptors are left.
pub fn accept_failed(listen: &ListenAddr, error: &io::Error) {
    let error = os_text(error);
    error!(target: "crit", "accept() failed ({error}), server: {listen}");
}
