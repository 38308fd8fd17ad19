//! Log lines about playback.

use std::io;

use tracing::{error, info, warn};

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
