//! Feeds by source stream.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::packaging::Packaging;
use super::shared::{FeedSettings, PieceObserver, Shared};
use crate::hub::registry::StreamRegistry;
use crate::hub::stream::Stream;
use crate::media::view::AppView;
use crate::task::supervise::Deaths;

/// A stream as MPEG-TS; see the module's documentation.
pub struct MpegtsFeed {
    source: Arc<Stream>,
    stream: Arc<Stream>,
    shared: Arc<Shared>,
    /// Results that others derive from this feed.
    companions: Mutex<Vec<Weak<dyn Any + Send + Sync>>>,
    by_source: Weak<Mutex<BySource>>,
    /// Set when the packaging task has died, so that the feed brings nothing any more.
    died: Arc<AtomicBool>,
    /// Dropping it ends the packaging task.
    _stop: oneshot::Sender<()>,
}

type BySource = HashMap<u64, Weak<MpegtsFeed>>;

/// All feeds.
pub struct Feeds {
    registry: Arc<StreamRegistry>,
    by_source: Arc<Mutex<BySource>>,
}

impl Feeds {
    /// Creates an empty set. Packaged streams are created in `registry`.
    pub fn new(registry: Arc<StreamRegistry>) -> Feeds {
        Feeds { registry, by_source: Arc::default() }
    }

    /// The feed of `source`, created if necessary. The settings apply to the next publisher.
    ///
    /// Must be called within a runtime, on which the packaging task runs.
    pub fn hold(&self, source: &Arc<Stream>, settings: FeedSettings) -> Arc<MpegtsFeed> {
        let mut feeds = self.by_source.lock();
        if let Some(feed) =
            feeds.get(&source.id()).and_then(Weak::upgrade).filter(|feed| !feed.died.load(Ordering::Acquire))
        {
            return feed;
        }
        let stream = self.registry.derive(source);
        let shared = Arc::new(Shared { settings: Mutex::new(settings), taps: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let packaging = Packaging::new(source, &stream, shared.clone());
        let (alive, died) = Deaths::default().watch();
        tokio::spawn(async move {
            packaging.run(stopped).await;
            alive.ended();
        });
        let feed = Arc::new(MpegtsFeed {
            source: source.clone(),
            stream,
            shared,
            companions: Mutex::default(),
            by_source: Arc::downgrade(&self.by_source),
            died,
            _stop: stop,
        });
        feeds.insert(source.id(), Arc::downgrade(&feed));
        feed
    }

    /// As [`Feeds::hold`], for a publisher that is about to take `source`, with the settings of its application.
    pub fn prepare(&self, view: &AppView, source: &Arc<Stream>) -> Arc<MpegtsFeed> {
        let settings = FeedSettings::of(view);
        let feed = self.hold(source, settings);
        feed.configure(settings);
        feed
    }

    /// The feed of `source`, if it exists.
    pub fn find(&self, source: &Stream) -> Option<Arc<MpegtsFeed>> {
        self.by_source.lock().get(&source.id())?.upgrade()
    }
}

impl MpegtsFeed {
    /// The packaged stream, for the delivery loop. Its phase follows that of the source.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Sets settings for the next publisher.
    pub fn configure(&self, settings: FeedSettings) {
        *self.shared.settings.lock() = settings;
    }

    /// Passes all further pieces to `tap`, as long as it lives.
    pub fn tap(&self, tap: Weak<dyn PieceObserver>) {
        self.shared.taps.lock().push(tap);
    }

    /// The companion of type `T`, which is derived from this feed once for all users; `make` creates it if necessary.
    /// It receives all further pieces and lives as long as it is held.
    pub fn companion<T: PieceObserver + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut companions = self.companions.lock();
        companions.retain(|companion| companion.strong_count() > 0);
        if let Some(there) = find(&companions) {
            return there;
        }
        let made = Arc::new(make());
        let any: Arc<dyn Any + Send + Sync> = made.clone();
        companions.push(Arc::downgrade(&any));
        let tap: Weak<T> = Arc::downgrade(&made);
        self.tap(tap);
        made
    }

    /// The companion of that type, if it exists.
    pub fn find_companion<T: PieceObserver + 'static>(&self) -> Option<Arc<T>> {
        find(&self.companions.lock())
    }
}

impl Drop for MpegtsFeed {
    fn drop(&mut self) {
        let Some(by_source) = self.by_source.upgrade() else { return };
        let mut feeds = by_source.lock();
        // A new feed may have replaced it already.
        if feeds.get(&self.source.id()).is_some_and(|feed| feed.strong_count() == 0) {
            feeds.remove(&self.source.id());
        }
    }
}

fn find<T: Send + Sync + 'static>(companions: &[Weak<dyn Any + Send + Sync>]) -> Option<Arc<T>> {
    companions.iter().find_map(|companion| companion.upgrade()?.downcast().ok())
}
