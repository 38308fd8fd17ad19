//! Log lines about MPEG-TS recordings.

use tracing::warn;

use crate::hub::stream::Stream;
use crate::log::shown::Shown;

/// A stream name cannot be a file name.
pub fn name_refused(stream: &Stream) {
    let key = stream.key();
    warn!(
        "live_record: '{}' of '{}' is not recorded: not a file name",
        Shown::new(&key.name),
        Shown::new(&key.app)
    );
}
