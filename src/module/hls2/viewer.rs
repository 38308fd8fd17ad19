//! Players of HLS from memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Fragments;
use super::conf::Conf;
use super::{SessionId, SessionIds};
use crate::hub::registry::StreamKey;
use crate::limits;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log as media_log;
use crate::media::mpegts::{FeedSettings, Feeds, MpegtsFeed};
use crate::media::session::{Reason, Session, mark, millis};
use crate::media::view::AppView;
use crate::module::hls2;
use crate::module::hls2::log;
use crate::task::lifetime::Lifetime;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A player between and during its requests.
pub struct Viewer {
    key: ViewerKey,
    session: Arc<Session>,
    /// What its application said when it came.
    conf: Arc<hls2::conf::Conf>,
    place: Mutex<ViewerPosition>,
    state: watch::Sender<ViewerState>,
}

/// Where a viewer is.
struct ViewerPosition {
    playlist: hls2::ViewerSession,
    /// Requests being answered; the viewer stays while there are any.
    requests: usize,
}

/// How far a viewer has come.
#[derive(Clone)]
pub enum ViewerState {
    /// Callbacks are asked.
    Asking,
    /// It may watch.
    Watching(Arc<Fragments>),
    /// It may not.
    Denied(ViewerRefusal),
}

/// Why a viewer gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerRefusal {
    /// Refused by a callback or an access rule.
    Forbidden,
    /// Nothing is, or will be, published there.
    NoStream,
    /// It was ended.
    Over,
}

/// All viewers.
pub struct Viewers {
    admission: Arc<Admission>,
    feeds: Arc<Feeds>,
    lifetime: Lifetime,
    live: Mutex<HashMap<ViewerKey, Arc<Viewer>>>,
    ids: SessionIds,
    count: AtomicU64,
}

/// What requests of one viewer have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ViewerKey {
    stream: StreamKey,
    id: SessionId,
    /// Where the viewer is, if the id counts there only: with `hls2_session_bind`, and where the player chose the id
    /// itself. Others may choose the same, and must not pass by the verdict on this one.
    addr: Option<IpAddr>,
}

/// A request of a viewer. The viewer's time of leave counts from the drop.
pub struct ViewerRequest {
    viewer: Arc<Viewer>,
}

impl Viewers {
    /// None yet. `secret` has to come from the system's randomness.
    pub fn new(secret: [u8; 32], admission: Arc<Admission>, feeds: Arc<Feeds>, lifetime: Lifetime) -> Self {
        Viewers {
            admission,
            feeds,
            lifetime,
            live: Mutex::default(),
            ids: SessionIds::new(secret),
            count: AtomicU64::new(0),
        }
    }

    /// An id for a new viewer that asks on this connection.
    pub fn issue(&self, unix_seconds: u64, connection: u64) -> SessionId {
        self.ids.issue(unix_seconds, self.count.fetch_add(1, Ordering::Relaxed), SLOT, connection)
    }

    /// The request of a viewer that is there.
    pub fn visit(&self, stream: &StreamKey, id: &SessionId, addr: Option<IpAddr>) -> Option<ViewerRequest> {
        let issued = self.ids.has_issued(id);
        find(&self.live.lock(), stream, id, addr, issued).map(|viewer| viewer.visit())
    }

    /// The request of a viewer that is there or comes with it. `None`: there are too many.
    ///
    /// `session` makes the session of a new one. Must be called within a runtime: the viewer's task runs there.
    pub fn visit_or_enter(
        self: &Arc<Self>,
        view: &AppView,
        id: SessionId,
        stream: &StreamKey,
        addr: Option<IpAddr>,
        session: impl FnOnce() -> Session,
    ) -> Option<ViewerRequest> {
        let issued = self.ids.has_issued(&id);
        let bound = !issued || view.held().get::<Conf>().session_bind.to_addr();
        let key = ViewerKey { stream: stream.clone(), id: id.clone(), addr: addr.filter(|_| bound) };
        let mut live = self.live.lock();
        if let Some(there) = find(&live, stream, &id, addr, issued) {
            return Some(there.visit());
        }
        let count = live.len();
        let vacant = match live.entry(key.clone()) {
            Entry::Occupied(there) => return Some(there.get().visit()),
            Entry::Vacant(_) if count >= limits::HLS2_SESSIONS => {
                log::too_many_viewers(limits::HLS2_SESSIONS);
                return None;
            }
            Entry::Vacant(vacant) => vacant,
        };
        let session = Arc::new(session());
        media_log::stream_requested(&session);
        let viewer = Arc::new(Viewer {
            key,
            session: session.clone(),
            conf: view.held().share(),
            place: Mutex::new(ViewerPosition {
                playlist: hls2::ViewerSession::new(id, SLOT, now()),
                requests: 0,
            }),
            state: watch::Sender::new(ViewerState::Asking),
        });
        vacant.insert(viewer.clone());
        let visit = viewer.visit();
        let stay = ViewerTask {
            viewers: self.clone(),
            view: view.clone(),
            entered: AdmittedSession::enter(&self.admission, view, &session),
            viewer,
            _unfinished: self.lifetime.unfinished.token(),
        };
        tokio::spawn(stay.run());
        Some(visit)
    }

    /// Takes the viewer out, unless `now` is too early for it.
    fn expire(&self, viewer: &Viewer, now: u64, timeout: u64) -> bool {
        let mut live = self.live.lock();
        let over = {
            let place = viewer.place.lock();
            place.requests == 0 && place.playlist.expires_at_ms(timeout) <= now
        };
        if over {
            live.remove(&viewer.key);
        }
        over
    }

    fn remove(&self, viewer: &Viewer) {
        let mut live = self.live.lock();
        // A later one of the same key may have its place already.
        if live.get(&viewer.key).is_some_and(|other| std::ptr::eq(&**other, viewer)) {
            live.remove(&viewer.key);
        }
    }
}

/// The viewer with this id that is seen from this address. An id that was issued may be bound to none, as its application
/// said when the viewer came.
fn find<'a>(
    live: &'a HashMap<ViewerKey, Arc<Viewer>>,
    stream: &StreamKey,
    id: &SessionId,
    addr: Option<IpAddr>,
    issued: bool,
) -> Option<&'a Arc<Viewer>> {
    let mut key = ViewerKey { stream: stream.clone(), id: id.clone(), addr };
    let bound = live.get(&key);
    key.addr = None;
    bound.or_else(|| live.get(&key).filter(|_| issued))
}

impl Viewer {
    fn visit(self: &Arc<Self>) -> ViewerRequest {
        let mut place = self.place.lock();
        place.requests += 1;
        place.playlist.touch(now());
        ViewerRequest { viewer: self.clone() }
    }
}

impl ViewerRequest {
    /// Whether a playlist may be asked for with this query (`hls2_session_bind args`).
    pub fn allows(&self, query: &[u8]) -> bool {
        let allowed = !self.viewer.conf.session_bind.to_args() || self.viewer.session.identity.pargs == query;
        if !allowed {
            log::other_arguments(&self.viewer.session);
        }
        allowed
    }

    /// What the viewer's application said when it came.
    pub fn conf(&self) -> &Arc<hls2::conf::Conf> {
        &self.viewer.conf
    }

    /// Waits for the verdict.
    ///
    /// # Errors
    ///
    /// The viewer is refused, or has gone.
    pub async fn admitted(&self) -> Result<Arc<Fragments>, ViewerRefusal> {
        let mut state = self.viewer.state.subscribe();
        // The sender lives in the viewer, so the wait ends by the value.
        let _ = state.wait_for(|state| !matches!(state, ViewerState::Asking)).await;
        let now = state.borrow().clone();
        match now {
            ViewerState::Watching(fragments) => Ok(fragments),
            ViewerState::Denied(denied) => Err(denied),
            ViewerState::Asking => Err(ViewerRefusal::Over),
        }
    }

    /// The playlist, as soon as there are enough fragments.
    ///
    /// # Errors
    ///
    /// The viewer is refused, or there will be no playlist.
    pub async fn playlist(&self, name: &[u8], base_url: &str) -> Result<String, ViewerRefusal> {
        let fragments = self.admitted().await?;
        let mut completed = fragments.watch();
        let mut state = self.viewer.state.subscribe();
        loop {
            completed.mark_unchanged();
            let made = fragments.playlist(&mut self.viewer.place.lock().playlist, name, base_url);
            if let Some(text) = made {
                return Ok(text);
            }
            tokio::select! {
                _ = completed.changed() => {}
                denied = state.wait_for(|state| matches!(state, ViewerState::Denied(_))) => {
                    return Err(match denied.as_deref() {
                        Ok(ViewerState::Denied(denied)) => *denied,
                        _ => ViewerRefusal::Over,
                    });
                }
            }
        }
    }

    /// Counts bytes of an answer.
    pub fn sent(&self, bytes: usize) {
        let session = &self.viewer.session;
        mark(&session.moments.first_data);
        session.link.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for ViewerRequest {
    fn drop(&mut self) {
        let mut place = self.viewer.place.lock();
        place.requests -= 1;
        place.playlist.touch(now());
    }
}

/// The task of a viewer: holds its stream, and lets go when its time is over.
struct ViewerTask {
    viewers: Arc<Viewers>,
    view: AppView,
    entered: Box<AdmittedSession>,
    viewer: Arc<Viewer>,
    /// Last, so that a stop waits for the `done` that dropping `entered` sends.
    _unfinished: TaskTrackerToken,
}

impl ViewerTask {
    async fn run(mut self) {
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

    async fn admit(&mut self) -> Result<(Arc<MpegtsFeed>, Arc<Fragments>), (Reason, ViewerRefusal)> {
        let session = self.viewer.session.clone();
        let admitted = tokio::select! {
            admitted = self.entered.admit() => admitted,
            reason = session.closed() => return Err((reason, ViewerRefusal::Forbidden)),
        };
        if let Err(AdmissionRefusal(reason)) = admitted {
            return Err((reason, ViewerRefusal::Forbidden));
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
        let settings = FeedSettings::of(&self.view);
        let feed = self.viewers.feeds.hold(stream, settings);
        let fragments = feed.companion(|| Fragments::new(hls2.settings(), feed.stream().clone()));
        Ok((feed, fragments))
    }

    /// Waits until nothing was asked for during the timeout, or somebody ends it.
    async fn watch(&self) -> Reason {
        let timeout = self.view.held().get::<Conf>().timeout_ms();
        let expired = async {
            loop {
                let due = self.viewer.place.lock().playlist.expires_at_ms(timeout);
                // While a request is being answered that time has passed already: it is looked after again later.
                let wait = due.saturating_sub(now()).max(EXPIRY_TICK_MS);
                tokio::time::sleep(Duration::from_millis(wait)).await;
                if self.viewers.expire(&self.viewer, now(), timeout) {
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
        // Also by a panic, or with the worker: requests that wait get an answer, and the next one begins anew.
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

/// One process holds all sessions.
const SLOT: u32 = 0;

/// How often a viewer whose time is over is looked at while it has a request.
const EXPIRY_TICK_MS: u64 = 250;

fn now() -> u64 {
    millis(Instant::now())
}
