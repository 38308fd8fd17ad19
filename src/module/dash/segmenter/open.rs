//! The part of a segment of one track that is being written.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::files::DashFiles;
use crate::wire::fmp4::{Run, Sample, TrackConfig, fragment};

#[derive(Debug)]
pub(super) struct OpenTrack {
    pub(super) config: Arc<TrackConfig>,
    pub(super) file: PathBuf,
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) bytes: u64,
    /// Number of samples, and their duration in ticks.
    pub(super) samples: (usize, u64),
    /// Samples that are not written yet.
    pub(super) held: Vec<Sample>,
    pub(super) held_bytes: usize,
}

impl OpenTrack {
    /// Writes the samples that are not written yet. A failure shows when the file is closed.
    pub(super) fn flush(&mut self, sequence: &mut u32, files: &mut impl DashFiles) {
        if self.held.is_empty() {
            return;
        }
        let bytes: Bytes = fragment(*sequence, &[Run { track: 1, samples: &self.held }]);
        *sequence = sequence.wrapping_add(1);
        files.append(&self.file, &bytes);
        self.held.clear();
        self.held_bytes = 0;
    }
}
