//! The configuration in force, which a reload replaces as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::dynamic::Dynamic;
use super::model::Config;
use crate::syntax::tree::Tree;

/// Holds the current [`Config`]. Readers keep an `Arc` for as long as they need one consistent view and never hold a
/// guard over an `.await`.
#[derive(Debug)]
pub struct Store {
    current: ArcSwap<Config>,
    dynamic: ArcSwap<Dynamic>,
    generation: watch::Sender<u64>,
    /// The generation's number, for readers that look at each request: faster to read than the channel.
    number: AtomicU64,
}

impl Store {
    /// Creates a store with the first generation.
    pub fn new(config: Config) -> Self {
        Store::beginning(config, 1)
    }

    /// As [`Store::new`], with a generation number from the history.
    pub fn beginning(mut config: Config, generation: u64) -> Self {
        config.tree = Tree::default();
        Store {
            current: ArcSwap::from_pointee(config),
            dynamic: ArcSwap::default(),
            generation: watch::Sender::new(generation),
            number: AtomicU64::new(generation),
        }
    }

    /// The configuration in force.
    pub fn load(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// The configuration in force, for a moment: cheaper than [`Store::load`].
    pub fn borrow(&self) -> arc_swap::Guard<Arc<Config>> {
        self.current.load()
    }

    /// Current contents of the file of `dynamic_conf`.
    pub fn dynamic(&self) -> Arc<Dynamic> {
        self.dynamic.load_full()
    }

    /// Replaces the contents of that file.
    pub fn set_dynamic(&self, dynamic: Dynamic) {
        self.dynamic.store(Arc::new(dynamic));
    }

    /// Replaces the configuration and notifies watchers. Returns the number of the new generation.
    pub fn commit(&self, mut config: Config) -> u64 {
        config.tree = Tree::default();
        self.current.store(Arc::new(config));
        let mut generation = 0;
        self.generation.send_modify(|g| {
            *g += 1;
            generation = *g;
            self.number.store(generation, Ordering::Release);
        });
        generation
    }

    /// Watches the generation number.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Number of the current generation; see [`super::history`].
    pub fn generation(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }
}
