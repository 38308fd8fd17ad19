//! Log lines about snapshots.

use tracing::warn;

use super::decoder::DecodeError;
use crate::hub::registry::StreamKey;
use crate::log::shown::Shown;

/// A picture could not be made.
pub(super) fn failed(why: &DecodeError, key: &StreamKey) {
    warn!("snapshot: {why}, app: {}, name: {}", Shown::new(&key.app), Shown::new(&key.name));
}
