//! The configuration in force, replaced as a whole by a reload.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::dynamic::Dynamic;
use super::model::Config;

/// Holds the current [`Config`]. Readers keep an `Arc` for as long as they need one consistent view and never
/// hold a guard over an `.await`.
#[derive(Debug)]
pub struct Store {
    current: ArcSwap<Config>,
    dynamic: ArcSwap<Dynamic>,
    generation: watch::Sender<u64>,
}

impl Store {
    /// The first generation.
    pub fn new(config: Config) -> Self {
        Store::beginning(config, 1)
    }

    /// As [`Store::new`], with the number that the history gives it.
    pub fn beginning(config: Config, generation: u64) -> Self {
        Store {
            current: ArcSwap::from_pointee(config),
            dynamic: ArcSwap::default(),
            generation: watch::Sender::new(generation),
        }
    }

    /// The configuration in force.
    pub fn load(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// What the file of `dynamic_conf` says.
    pub fn dynamic(&self) -> Arc<Dynamic> {
        self.dynamic.load_full()
    }

    /// Puts what that file says now in force.
    pub fn set_dynamic(&self, dynamic: Dynamic) {
        self.dynamic.store(Arc::new(dynamic));
    }

    /// Puts another configuration in force and tells who watches. Returns the number of the new generation.
    pub fn commit(&self, config: Config) -> u64 {
        self.current.store(Arc::new(config));
        let mut generation = 0;
        self.generation.send_modify(|g| {
            *g += 1;
            generation = *g;
        });
        generation
    }

    /// Follows generations.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Number of the generation in force, see [`super::history`].
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }
}
