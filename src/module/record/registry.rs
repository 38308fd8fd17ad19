//! Registry of publishes that control requests can record.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Recorders;
use crate::hub::registry::StreamKey;
use crate::media::view::AppView;

/// A control request to the recorders of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordControl {
    /// Name of the recorder; empty for the application's own.
    pub recorder: BString,
    /// Whether to start or stop it.
    pub on: bool,
}

/// All publishes, by stream number.
#[derive(Default)]
pub struct Recordings {
    running: Mutex<HashMap<u64, RecordedPublish>>,
}

struct RecordedPublish {
    view: AppView,
    key: StreamKey,
    commands: mpsc::Sender<RecordControl>,
}

/// Removes its publish when dropped.
pub(crate) struct ListedPublish {
    recordings: Arc<Recordings>,
    stream: u64,
    commands: mpsc::Sender<RecordControl>,
}

impl Recordings {
    pub(crate) fn list(
        self: &Arc<Self>,
        stream: u64,
        view: AppView,
        key: StreamKey,
        commands: mpsc::Sender<RecordControl>,
    ) -> ListedPublish {
        self.running.lock().insert(stream, RecordedPublish { view, key, commands: commands.clone() });
        ListedPublish { recordings: self.clone(), stream, commands }
    }

    /// Starts or stops a recorder of every publish selected by `chosen`. Returns the number of those that have such a
    /// recorder and accepted the command: a recorder with a stalled disk accepts at most
    /// [`crate::limits::RECORD_COMMANDS`].
    pub fn command(&self, command: &RecordControl, chosen: impl Fn(&StreamKey) -> bool) -> usize {
        let running = self.running.lock();
        let has = |entry: &&RecordedPublish| {
            let application = entry.view.current();
            chosen(&entry.key) && application.get::<Recorders>().0.iter().any(|r| r.name == command.recorder)
        };
        running.values().filter(has).filter(|entry| entry.commands.try_send(command.clone()).is_ok()).count()
    }
}

impl Drop for ListedPublish {
    fn drop(&mut self) {
        let mut running = self.recordings.running.lock();
        // The next publisher may have replaced the entry.
        if running.get(&self.stream).is_some_and(|entry| entry.commands.same_channel(&self.commands)) {
            running.remove(&self.stream);
        }
    }
}
