//! A push line, and the headers that `on_meta` reports for it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::media::relay_target::RelayTarget;
use crate::media::session::Session;
use crate::module::relay::log;
use crate::notify::CallbackLine;

/// One line.
#[derive(Clone)]
pub(super) enum PushLine {
    /// A callback gives the destination.
    Asked(Arc<CallbackLine>),
    /// A `push` line.
    Fixed(RelayTarget),
}

/// Codec headers that an `on_meta` line must report. Those that arrive while an answer is pending are reported by one
/// request, so that the rate of answers bounds the callbacks that a publisher can cause.
pub(super) struct PendingHeaders {
    session: Arc<Session>,
    fired: watch::Receiver<u64>,
    reported: u64,
    /// Whether a request was sent without waiting since.
    busy: bool,
    /// Number of headers without a request of their own.
    together: u64,
}

impl PendingHeaders {
    /// A line added to a running stream reports only the newest header.
    pub(super) fn new(session: &Arc<Session>, fired: &watch::Receiver<u64>) -> PendingHeaders {
        let reported = fired.borrow().saturating_sub(1);
        PendingHeaders { session: session.clone(), fired: fired.clone(), reported, busy: false, together: 0 }
    }

    /// Waits for headers to report. Never ends once none can arrive.
    pub(super) async fn next(&mut self) {
        let reported = self.reported;
        if *self.fired.borrow_and_update() == reported {
            if self.fired.wait_for(|fired| *fired > reported).await.is_err() {
                std::future::pending::<()>().await;
            }
            self.busy = false;
        }
        let waiting = *self.fired.borrow() - reported;
        let taken = if self.busy { waiting } else { 1 };
        self.together += taken - 1;
        self.reported += taken;
        self.busy = true;
    }

    /// Whether a request was sent.
    pub(super) fn has_asked(&self) -> bool {
        self.busy
    }
}

impl Drop for PendingHeaders {
    fn drop(&mut self) {
        if self.together > 0 {
            log::meta_coalesced(&self.session, self.together);
        }
    }
}
