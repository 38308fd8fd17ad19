//! Log lines about MPEG-TS packaging.

use std::fmt::Display;

use tracing::warn;

use crate::hub::stream::Stream;
use crate::log::shown::Shown;
use crate::wire::MediaKind;

/// A stream contains media that MPEG-TS cannot carry; logged once per publish.
pub fn not_packaged(stream: &Stream, kind: MediaKind, error: &dyn Display) {
    let what = match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Data => "data",
    };
    warn!(
        "'{}': {what} is missing, wholly or in part, in HLS, MPEG-TS over HTTP and live_record: {error}",
        Shown::new(&stream.key().name)
    );
}
