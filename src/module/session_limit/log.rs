//! Log lines about limits of sessions.

use tracing::{info, warn};

use crate::log::shown::Shown;
use crate::media::log as media_log;
use crate::media::session::Session;

/// A player above `max_viewers`.
pub(super) fn too_many_viewers(session: &Session, most: u64) {
    media_log::refused(session, &format_args!("max_viewers {most} reached"));
}

/// A publisher above `max_publishers`.
pub(super) fn too_many_publishers(session: &Session, most: u64) {
    media_log::refused(session, &format_args!("max_publishers {most} reached"));
}

/// A header of a callback's answer that cannot be a limit; the configured limit is in force.
pub(super) fn invalid_header(session: &Session, name: &str, value: &[u8]) {
    warn!(
        conn = session.id,
        "invalid {name} header \"{}\" in the answer to publish of '{}', client: {}",
        Shown::new(value),
        Shown::new(&session.key.name),
        session.peer.addr
    );
}

/// A publisher above `max_bitrate`.
pub(super) fn bitrate_too_high(session: &Session, bits: u64, most: u64) {
    info!(
        target: "notice",
        conn = session.id,
        "publisher of '{}' ends, {bits} bit/s are above max_bitrate {most}, client: {}",
        Shown::new(&session.key.name),
        session.peer.addr
    );
}
