//! Log lines about HLS from memory.

use tracing::{error, info};

use crate::log::shown::Shown;
use crate::media::session::Session;

/// Too many players of HLS from memory.
pub fn too_many_viewers(limit: usize) {
    error!(target: "alert", "{limit} hls2 sessions are not enough");
}

/// The application has no `hls2 on`.
pub fn switched_off(conn: u64, app: &[u8]) {
    info!(target: "notice", conn, "hls2 is off in application '{}'", Shown::new(app));
}

/// A request names a session that began with other arguments.
pub fn other_arguments(session: &Session) {
    info!(target: "notice", conn = session.id, "other arguments than at the start of HLS session, client: {}", session.peer.addr);
}
