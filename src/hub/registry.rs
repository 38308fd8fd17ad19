//! All streams by key. A stream exists as long as at least one session uses it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::counters::MediaCounts;
use super::stream::Stream;
pub use super::stream_key::StreamKey;

/// All streams of the process.
#[derive(Debug, Default)]
pub struct StreamRegistry {
    streams: Mutex<RegisteredStreams>,
    ids: AtomicU64,
}

/// Changed and read under one lock, so that a stream's media counts exactly once.
#[derive(Debug, Default)]
struct RegisteredStreams {
    by_key: HashMap<StreamKey, RegisteredStream>,
    /// Media of streams that have ended.
    ended: MediaCounts,
}

#[derive(Debug)]
struct RegisteredStream {
    stream: Arc<Stream>,
    users: usize,
}

/// A session's use of a stream.
#[derive(Debug)]
pub struct StreamUse {
    registry: Arc<StreamRegistry>,
    stream: Arc<Stream>,
    first: bool,
    released: bool,
}

impl StreamRegistry {
    /// Starts using a stream, which is created if it does not exist. `chunk_size` applies to a new stream only.
    pub fn enter(self: &Arc<Self>, key: &StreamKey, chunk_size: usize) -> StreamUse {
        let mut streams = self.streams.lock();
        let entry = streams.by_key.entry(key.clone()).or_insert_with(|| RegisteredStream {
            stream: Arc::new(Stream::new(self.ids.fetch_add(1, Ordering::Relaxed), key.clone(), chunk_size)),
            users: 0,
        });
        entry.users += 1;
        StreamUse {
            registry: self.clone(),
            stream: entry.stream.clone(),
            first: entry.users == 1,
            released: false,
        }
    }

    /// Creates a stream that repackages another one, for example as MPEG-TS. It has its own number, is not listed, and
    /// lives as long as it is referenced.
    pub fn derive(&self, source: &Stream) -> Arc<Stream> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        Arc::new(source.derived(id))
    }

    /// The stream, if a session uses it.
    pub fn find(&self, key: &StreamKey) -> Option<Arc<Stream>> {
        self.streams.lock().by_key.get(key).map(|e| e.stream.clone())
    }

    /// All current streams.
    pub fn list(&self) -> Vec<Arc<Stream>> {
        self.streams.lock().by_key.values().map(|e| e.stream.clone()).collect()
    }

    /// Media published so far, under all names.
    pub fn media_total(&self) -> MediaCounts {
        let streams = self.streams.lock();
        let mut total = streams.ended;
        streams.by_key.values().for_each(|entry| total.add(entry.stream.counters().counts()));
        total
    }

    /// Number of streams, and of those with a publisher.
    pub fn count(&self) -> (usize, usize) {
        let streams = self.list();
        (streams.len(), streams.iter().filter(|stream| stream.phase().publishing).count())
    }

    /// Ends a use. Returns whether it was the last one.
    fn leave(&self, stream: &Arc<Stream>) -> bool {
        let mut streams = self.streams.lock();
        let Some(entry) = streams.by_key.get_mut(stream.key()).filter(|e| Arc::ptr_eq(&e.stream, stream))
        else {
            return false;
        };
        entry.users -= 1;
        let last = entry.users == 0;
        if last {
            streams.by_key.remove(stream.key());
            streams.ended.add(stream.counters().counts());
        }
        last
    }
}

impl StreamUse {
    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Whether this use created the stream, which is the start of the `stream` event.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Ends the use. Returns whether that ended the stream, which is the `done` of the `stream` event.
    pub fn leave(mut self) -> bool {
        self.released = true;
        self.registry.leave(&self.stream)
    }
}

impl Drop for StreamUse {
    fn drop(&mut self) {
        if !self.released {
            self.registry.leave(&self.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_lives_from_its_first_to_its_last_user() {
        let registry = Arc::new(StreamRegistry::default());
        let key = StreamKey::new("default", "live", "s");
        let a = registry.enter(&key, 4096);
        let b = registry.enter(&key, 4096);
        assert!(a.is_first() && !b.is_first());
        assert!(!a.leave());
        assert!(registry.find(&key).is_some());
        assert!(b.leave());
        assert!(registry.find(&key).is_none());
    }

    #[test]
    fn a_derived_stream_is_another_one_and_is_not_listed() {
        let registry = Arc::new(StreamRegistry::default());
        let key = StreamKey::new("default", "live", "s");
        let source = registry.enter(&key, 4096);
        let derived = registry.derive(source.stream());
        assert_ne!(derived.id(), source.stream().id());
        assert_eq!(derived.key(), &key);
        assert_eq!(registry.list().len(), 1);
    }

    #[test]
    fn a_dropped_use_counts_as_left() {
        let registry = Arc::new(StreamRegistry::default());
        let key = StreamKey::new("default", "live", "s");
        drop(registry.enter(&key, 4096));
        assert!(registry.list().is_empty());
    }
}
