//! Log lines about HLS from memory.

use std::net::IpAddr;

use tracing::{error, info};

use crate::hub::stream_key::StreamKey;
use crate::log::shown::Shown;
use crate::media::session::Session;

/// Too many players of HLS from memory.
pub fn too_many_viewers(limit: usize) {
    error!(target: "alert", "{limit} hls2 sessions are not enough");
}

/// Too many players of streams that are not published, at one address.
pub(super) fn too_many_absent(stream: &StreamKey, addr: Option<IpAddr>, limit: usize) {
    let client = addr.map_or_else(|| "unix:".to_owned(), |addr| addr.to_string());
    info!(
        target: "notice",
        "hls2: session of '{}' refused, the client has {limit} sessions of streams that are not published, client: {client}",
        Shown::new(&stream.name)
    );
}

/// The application has no `hls2 on`.
pub fn switched_off(conn: u64, app: &[u8]) {
    info!(target: "notice", conn, "hls2 is off in application '{}'", Shown::new(app));
}

/// A request names a session that began with other arguments.
pub fn other_arguments(session: &Session) {
    info!(target: "notice", conn = session.id, "other arguments than at the start of HLS session, client: {}", session.peer.addr);
}
