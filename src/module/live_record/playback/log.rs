//! Log lines about playback.

use std::io;

use tracing::{error, info, warn};

use super::entry::RecordedFile;
use crate::log::shown::Shown;
use crate::media::session::Session;

/// A recording is requested.
pub(super) fn requested(session: &Session) {
    info!(conn = session.id, "vod: recording of '{}' requested", Shown::new(&session.key.name));
}

/// The recordings of a stream cannot be read.
pub(super) fn unreadable(session: &Session, failure: &io::Error) {
    error!(
        conn = session.id,
        "vod: recordings of '{}' cannot be read ({failure})",
        Shown::new(&session.key.name)
    );
}

/// A request covers more than is served at once.
pub(super) fn cut(session: &Session) {
    warn!(
        conn = session.id,
        "vod: the range requested of '{}' has too many files or parts, the later ones are left out",
        Shown::new(&session.key.name)
    );
}

/// A file is no longer there, or shorter than its index says.
pub(super) fn removed(session: &Session, file: &RecordedFile) {
    warn!(
        conn = session.id,
        "vod: the recording '{file}' of '{}' is not there any more, its parts are left out",
        Shown::new(&session.key.name)
    );
}

/// A player goes on with the live stream behind a gap.
pub(super) fn gap(session: &Session) {
    warn!(
        conn = session.id,
        "vod: what is recorded of '{}' does not reach the cache, the player goes on behind a gap",
        Shown::new(&session.key.name)
    );
}
