//! Task of a viewer.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Viewer, ViewerRefusal, ViewerState, Viewers, now};
use crate::media::admission::{AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log as media_log;
use crate::media::mpegts::{FeedSettings, MpegtsFeed};
use crate::media::session::Reason;
use crate::media::view::AppView;
use crate::module::hls2::conf::Conf;
use crate::module::hls2::{Fragments, SampleFeed};

/// What keeps the fragments of a viewer's stream coming.
enum HeldFeed {
    Mpegts { _feed: Arc<MpegtsFeed> },
    Samples { _feed: Arc<SampleFeed> },
}

/// Task of a viewer: holds its stream, and releases it at the end.
pub(super) struct ViewerTask {
    pub(super) viewers: Arc<Viewers>,
    pub(super) view: AppView,
    pub(super) entered: Box<AdmittedSession>,
    pub(super) viewer: Arc<Viewer>,
    /// Dropped last, so that a stop waits for the `done` that dropping `entered` sends.
    pub(super) _unfinished: TaskTrackerToken,
}

impl ViewerTask {
    pub(super) async fn run(mut self) {
        let session = self.viewer.session.clone();
        let (reason, denied) = match self.admit().await {
            Ok((feed, fragments)) => {
                media_log::playing(&session);
                self.viewer.state.send_replace(ViewerState::Watching(fragments));
                let reason = self.watch().await;
                drop(feed);
                media_log::played(&session, 0);
                (reason, ViewerRefusal::Over)
            }
            Err(denied) => denied,
        };
        session.set_reason(reason);
        self.viewers.remove(&self.viewer);
        self.viewer.state.send_replace(ViewerState::Denied(denied));
        session.end();
    }

    async fn admit(&mut self) -> Result<(HeldFeed, Arc<Fragments>), (Reason, ViewerRefusal)> {
        let session = self.viewer.session.clone();
        let admitted = tokio::select! {
            admitted = self.entered.admit() => admitted,
            reason = session.closed() => return Err((reason, ViewerRefusal::Forbidden)),
        };
        if let Err(AdmissionRefusal(reason)) = admitted {
            let refusal = match reason {
                Reason::OverLimit => ViewerRefusal::Crowded,
                _ => ViewerRefusal::Forbidden,
            };
            return Err((reason, refusal));
        }
        let held = self.view.held();
        let (live, hls2) = (held.get::<live::conf::Conf>(), held.get::<Conf>());
        if !live.live {
            media_log::not_live(&session);
            return Err((Reason::NormalClose, ViewerRefusal::NoStream));
        }
        let stream = self.entered.stream();
        if !live.idle_streams && !stream.phase().publishing && !self.entered.is_pulled() {
            media_log::no_stream(&session);
            return Err((Reason::StreamEnd, ViewerRefusal::NoStream));
        }
        if hls2.is_fmp4() {
            let feed = self.viewers.samples.hold(&self.view, stream, hls2.settings());
            let fragments = feed.fragments().clone();
            return Ok((HeldFeed::Samples { _feed: feed }, fragments));
        }
        let settings = FeedSettings::of(&self.view);
        let feed = self.viewers.feeds.hold(stream, settings);
        let fragments = feed.companion(|| Fragments::new(hls2.settings(), feed.stream().clone()));
        Ok((HeldFeed::Mpegts { _feed: feed }, fragments))
    }

    /// Waits until the timeout has passed without requests, or the session is ended.
    async fn watch(&self) -> Reason {
        let expired = async {
            loop {
                let timeout = self.viewer.timeout_ms();
                let due = self.viewer.place.lock().playlist.expires_at_ms(timeout);
                // During a request the time may have passed already: it is checked again later.
                let wait = due.saturating_sub(now()).max(EXPIRY_TICK_MS);
                tokio::time::sleep(Duration::from_millis(wait)).await;
                if self.viewers.expire(&self.viewer, now()) {
                    return;
                }
            }
        };
        tokio::select! {
            () = expired => Reason::NormalClose,
            reason = self.viewer.session.closed() => reason,
            () = self.viewers.lifetime.shutdown.cancelled() => Reason::ProcessExit,
        }
    }
}

impl Drop for ViewerTask {
    fn drop(&mut self) {
        // Also after a panic, or with the end of the worker: waiting requests get an answer, and the next one starts a
        // new viewer.
        self.viewers.remove(&self.viewer);
        self.viewer.state.send_if_modified(|state| {
            let is_open = !matches!(state, ViewerState::Denied(_));
            if is_open {
                *state = ViewerState::Denied(ViewerRefusal::Over);
            }
            is_open
        });
        self.viewer.session.end();
    }
}

/// Interval of checks of an expired viewer during a request.
const EXPIRY_TICK_MS: u64 = 250;
