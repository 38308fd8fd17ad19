//! Log lines about HLS from memory.

use tracing::{error, info, warn};

use crate::hub::stream::Stream;
use crate::log::shown::Shown;
use crate::media::session::Session;
use crate::wire::MediaKind;
use crate::wire::fmp4::Fmp4Error;

/// Media that fragmented MP4 cannot carry; logged once per publish and kind.
pub fn left_out(stream: &Stream, kind: MediaKind, error: Fmp4Error) {
    let kind = if kind == MediaKind::Video { "video" } else { "audio" };
    warn!("hls2: {kind} of '{}' is left out: {error}", Shown::new(&stream.key().name));
}

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
