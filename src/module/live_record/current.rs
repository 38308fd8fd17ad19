//! Files that are being recorded.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::hub::stream::Stream;

/// First file of each publish, by stream.
#[derive(Debug, Default)]
pub struct CurrentFiles(Mutex<HashMap<u64, PublishFiles>>);

#[derive(Clone, Copy, Debug)]
struct PublishFiles {
    /// Epoch of the publisher.
    epoch: u64,
    /// Begin of its first file, in seconds since 1970; `None` before there is one.
    first: Option<u64>,
    /// Whether files are written; otherwise recording is off for now.
    writes: bool,
}

impl CurrentFiles {
    /// A publish begins that may be recorded.
    pub(super) fn begin(self: &Arc<Self>, stream: u64, epoch: u64) -> CurrentRecording {
        self.0.lock().insert(stream, PublishFiles { epoch, first: None, writes: false });
        CurrentRecording { files: self.clone(), stream, epoch }
    }

    /// It has a file with this begin in its name.
    pub(super) fn opened(&self, stream: u64, epoch: u64, unix: u64) {
        if let Some(publish) = self.0.lock().get_mut(&stream).filter(|publish| publish.epoch == epoch) {
            publish.first.get_or_insert(unix);
        }
    }

    /// Whether files of the stream may be written.
    pub fn records(&self, stream: &Stream) -> bool {
        self.0.lock().get(&stream.id()).is_some_and(|publish| publish.writes)
    }

    /// Whether a file of the stream with this begin in its name is of the present publish. Later files of a stream have later names.
    pub fn is_of_publish(&self, stream: &Stream, unix: u64) -> bool {
        let publish = self.0.lock().get(&stream.id()).copied();
        publish.is_some_and(|publish| {
            publish.epoch == stream.phase().epoch && publish.first.is_some_and(|first| unix >= first)
        })
    }
}

/// A publish that may be recorded; dropped when all of its files are complete.
pub(super) struct CurrentRecording {
    files: Arc<CurrentFiles>,
    stream: u64,
    epoch: u64,
}

impl CurrentRecording {
    /// Sets whether files are written.
    pub(super) fn set_writes(&self, writes: bool) {
        let mut streams = self.files.0.lock();
        if let Some(publish) = streams.get_mut(&self.stream).filter(|publish| publish.epoch == self.epoch) {
            publish.writes = writes;
        }
    }
}

impl Drop for CurrentRecording {
    fn drop(&mut self) {
        let mut streams = self.files.0.lock();
        if streams.get(&self.stream).is_some_and(|publish| publish.epoch == self.epoch) {
            streams.remove(&self.stream);
        }
    }
}
