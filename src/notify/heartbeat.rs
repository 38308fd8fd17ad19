//! Periodic updates of a recording, each with the file being written at that moment.

use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::CallbackAnswer;
use super::request::RecordFields;
use super::session_event::SessionEvent;
use crate::task::sleep_until;

/// Sends an update at each interval, one at a time, if the line sets `update=`. Dropping it cancels a pending update,
/// so that none follows `done`.
pub struct Heartbeat {
    changed: watch::Receiver<u64>,
    last: Instant,
    under_way: Option<JoinHandle<Result<(), CallbackAnswer>>>,
}

impl Heartbeat {
    /// Starts the interval of this event's updates.
    pub fn new(event: &SessionEvent) -> Self {
        let last = Instant::now() + event.first_update_delay();
        Heartbeat { changed: event.watch(), last, under_way: None }
    }

    /// Sends updates while polled. A pause between polls delays updates and loses none. Nothing is sent while `fields`
    /// is `None`, which means that no file is being written. Resolves to an answer that ends the recording.
    pub async fn refused(
        &mut self,
        event: &SessionEvent,
        fields: impl Fn() -> Option<RecordFields>,
    ) -> CallbackAnswer {
        loop {
            if let Some(under_way) = &mut self.under_way {
                let outcome = under_way.await;
                self.under_way = None;
                self.last = Instant::now();
                if let Ok(Err(answer)) = outcome {
                    return answer;
                }
            }
            let hook = event.update_hook().filter(|hook| hook.update_written);
            let due = hook.and_then(|hook| self.last.checked_add(hook.update.duration()));
            tokio::select! {
                () = sleep_until(due) => {}
                change = self.changed.changed() => match change {
                    Ok(()) => continue,
                    Err(_) => return std::future::pending().await,
                },
            }
            match fields() {
                Some(fields) => self.under_way = Some(event.updating(fields)),
                None => self.last = Instant::now(),
            }
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            under_way.abort();
        }
    }
}
