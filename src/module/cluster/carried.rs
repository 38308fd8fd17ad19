//! What this server pulls from the servers that have claimed names, and offers to others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::app_conf::Current;
use crate::hub::stream_key::StreamKey;
use crate::media::view::AppView;

/// Streams that this server pulls from the servers that have claimed their names.
#[derive(Default)]
pub(super) struct Carried {
    streams: Mutex<HashMap<StreamKey, Pulled>>,
    /// Something has changed, for the task that writes the keys.
    pub(super) changed: Notify,
}

/// A running pull.
struct Pulled {
    view: AppView,
    epoch: u64,
    /// Tells a pull from a later one of the stream.
    mark: Arc<()>,
}

impl Carried {
    /// A pull runs. The result tells it from a later one of the stream.
    pub(super) fn begun(&self, view: &AppView, key: &StreamKey, epoch: u64) -> Arc<()> {
        let mark = Arc::new(());
        let pulled = Pulled { view: view.clone(), epoch, mark: mark.clone() };
        self.streams.lock().insert(key.clone(), pulled);
        self.look_again();
        mark
    }

    /// It has ended.
    pub(super) fn ended(&self, key: &StreamKey, mark: &Arc<()>) {
        {
            let mut streams = self.streams.lock();
            if streams.get(key).is_some_and(|pulled| Arc::ptr_eq(&pulled.mark, mark)) {
                streams.remove(key);
            }
        }
        self.look_again();
    }

    /// Wakes the task that writes missing keys and deletes those of streams that are no longer carried.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    /// The claim of the stream that this server has pulled and offers to others.
    pub(super) fn epoch(&self, key: &StreamKey) -> Option<u64> {
        self.streams.lock().get(key).filter(|pulled| is_offered(&pulled.view)).map(|pulled| pulled.epoch)
    }

    /// The claims of all streams that it offers.
    pub(super) fn offered(&self) -> HashMap<StreamKey, u64> {
        let streams = self.streams.lock();
        let offered = streams.iter().filter(|(_, pulled)| is_offered(&pulled.view));
        offered.map(|(key, pulled)| (key.clone(), pulled.epoch)).collect()
    }
}

/// Whether streams of an application that are pulled from the cluster are offered to others.
pub(super) fn is_offered(view: &AppView) -> bool {
    let application = view.current();
    let conf: &Current = application.get();
    conf.pull && conf.carry
}
