//! Viewers: players of HLS from memory.

mod request;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::absent::{AbsentPlace, AbsentViewers};
use super::conf::Conf;
use super::{Fragments, SampleFeed, SampleFeeds, SessionId, SessionIds};
use crate::hub::registry::StreamKey;
use crate::limits;
use crate::media::admission::{Admission, AdmissionRefusal, AdmittedSession};
use crate::media::live;
use crate::media::log as media_log;
use crate::media::mpegts::{FeedSettings, Feeds, MpegtsFeed};
use crate::media::session::{Reason, Session, millis};
use crate::media::view::AppView;
use crate::module::hls2;
use crate::module::hls2::log;
use crate::task::lifetime::Lifetime;

/// A player, between and during its requests.
pub struct Viewer {
    key: ViewerKey,
    session: Arc<Session>,
    /// Settings of its application when it came.
    conf: Arc<Conf>,
    place: Mutex<ViewerPosition>,
    state: watch::Sender<ViewerState>,
    /// Until something is sent to it, if its stream was not published when it came.
    absent: Mutex<Option<AbsentPlace>>,
}

/// Request state of a viewer.
struct ViewerPosition {
    playlist: hls2::ViewerSession,
    /// Number of requests in progress, during which the viewer stays.
    requests: usize,
}

/// Admission state of a viewer.
#[derive(Clone)]
pub enum ViewerState {
    /// Callbacks are pending.
    Asking,
    /// Admitted.
    Watching(Arc<Fragments>),
    /// Refused.
    Denied(ViewerRefusal),
}

/// Reason why a viewer gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerRefusal {
    /// Refused by a callback or an access rule.
    Forbidden,
    /// There is no such stream, and none is expected.
    NoStream,
    /// The session was ended.
    Over,
    /// There are too many viewers, or too many waiting requests of one.
    Crowded,
    /// What a request waits for did not come in time.
    Late,
    /// A request waits for a segment or part that no player can know of.
    BadRequest,
}

/// All viewers.
pub struct Viewers {
    admission: Arc<Admission>,
    feeds: Arc<Feeds>,
    samples: Arc<SampleFeeds>,
    lifetime: Lifetime,
    live: Mutex<HashMap<ViewerKey, Arc<Viewer>>>,
    /// Streams of the ids in `live` that were issued: the address of a fragment does not name the application. Locked after
    /// `live`.
    streams: Mutex<HashMap<SessionId, StreamKey>>,
    ids: SessionIds,
    count: AtomicU64,
    absent: AbsentViewers,
}

/// Identity of a viewer, common to its requests.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ViewerKey {
    stream: StreamKey,
    id: SessionId,
    /// Address of the viewer, if the id is bound to it: by `hls2_session_bind`, or because the player chose the id.
    /// Others may choose the same id, and must not share the verdict on this viewer.
    addr: Option<IpAddr>,
}

/// A request of a viewer. The viewer's timeout starts when it is dropped.
pub struct ViewerRequest {
    viewer: Arc<Viewer>,
}

impl Viewers {
    /// Creates an empty set. `secret` must come from the system's randomness.
    pub fn new(
        secret: [u8; 32],
        admission: Arc<Admission>,
        (feeds, samples): (Arc<Feeds>, Arc<SampleFeeds>),
        lifetime: Lifetime,
    ) -> Self {
        Viewers {
            admission,
            feeds,
            samples,
            lifetime,
            live: Mutex::default(),
            streams: Mutex::default(),
            ids: SessionIds::new(secret),
            count: AtomicU64::new(0),
            absent: AbsentViewers::default(),
        }
    }

    /// Issues an id for a new viewer on this connection.
    pub fn issue(&self, unix_seconds: u64, connection: u64) -> SessionId {
        self.ids.issue(unix_seconds, self.count.fetch_add(1, Ordering::Relaxed), SLOT, connection)
    }

    /// Key of the ids, for the other process of an upgrade.
    pub fn key(&self) -> String {
        self.ids.key()
    }

    /// Takes over the key of the process that this one replaces.
    pub fn adopt_key(&self, key: &str) {
        self.ids.adopt(key);
    }

    /// Whether a viewer of a stream would be refused whatever callbacks say.
    pub fn refuses(&self, view: &AppView, session: &Session) -> bool {
        self.admission.refuses(session) || self.admission.denies(view, session)
    }

    /// Begins a request of an existing viewer.
    pub fn visit(&self, stream: &StreamKey, id: &SessionId, addr: Option<IpAddr>) -> Option<ViewerRequest> {
        let issued = self.ids.has_issued(id);
        find(&self.live.lock(), stream, id, addr, issued).map(|viewer| viewer.visit())
    }

    /// The stream that an issued id is for, if it has this name.
    pub fn stream_of(&self, id: &SessionId, name: &[u8]) -> Option<StreamKey> {
        self.streams.lock().get(id).filter(|stream| stream.name == name).cloned()
    }

    /// Begins a request of an existing or new viewer.
    ///
    /// `session` creates the session of a new one. Must be called within a runtime, on which the viewer's task runs.
    ///
    /// # Errors
    ///
    /// A rule refuses the viewer, or there are too many.
    pub fn visit_or_enter(
        self: &Arc<Self>,
        view: &AppView,
        id: SessionId,
        stream: &StreamKey,
        addr: Option<IpAddr>,
        session: impl FnOnce() -> Session,
    ) -> Result<ViewerRequest, ViewerRefusal> {
        let issued = self.ids.has_issued(&id);
        let bound = !issued || view.held().get::<Conf>().session_bind.to_addr();
        let key = ViewerKey { stream: stream.clone(), id: id.clone(), addr: addr.filter(|_| bound) };
        let mut live = self.live.lock();
        if let Some(there) = find(&live, stream, &id, addr, issued) {
            return Ok(there.visit());
        }
        let count = live.len();
        let vacant = match live.entry(key.clone()) {
            Entry::Occupied(there) => return Ok(there.get().visit()),
            Entry::Vacant(_) if count >= limits::HLS2_SESSIONS => {
                log::too_many_viewers(limits::HLS2_SESSIONS);
                return Err(ViewerRefusal::Crowded);
            }
            Entry::Vacant(vacant) => vacant,
        };
        let session = Arc::new(session());
        media_log::stream_requested(&session);
        if self.admission.refuses(&session) {
            return Err(ViewerRefusal::Forbidden);
        }
        let absent = match self.admission.is_published(stream) {
            true => None,
            false => {
                let place = self.absent.enter(addr);
                if place.is_none() {
                    log::too_many_absent(stream, addr, limits::HLS2_ABSENT_VIEWERS);
                    return Err(ViewerRefusal::Crowded);
                }
                place
            }
        };
        let viewer = Arc::new(Viewer {
            key,
            session: session.clone(),
            conf: view.held().share(),
            place: Mutex::new(ViewerPosition {
                playlist: hls2::ViewerSession::new(id, SLOT, now()),
                requests: 0,
            }),
            state: watch::Sender::new(ViewerState::Asking),
            absent: Mutex::new(absent),
        });
        if issued {
            self.streams.lock().insert(viewer.key.id.clone(), stream.clone());
        }
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
        Ok(visit)
    }

    /// Removes the viewer, unless its timeout has not expired at `now`.
    fn expire(&self, viewer: &Viewer, now: u64) -> bool {
        let timeout = viewer.timeout_ms();
        let mut live = self.live.lock();
        let over = {
            let place = viewer.place.lock();
            place.requests == 0 && place.playlist.expires_at_ms(timeout) <= now
        };
        if over {
            self.take_out(&mut live, &viewer.key);
        }
        over
    }

    fn remove(&self, viewer: &Viewer) {
        let mut live = self.live.lock();
        // A later viewer with the same key may have replaced it.
        if live.get(&viewer.key).is_some_and(|other| std::ptr::eq(&**other, viewer)) {
            self.take_out(&mut live, &viewer.key);
        }
    }

    fn take_out(&self, live: &mut HashMap<ViewerKey, Arc<Viewer>>, key: &ViewerKey) {
        live.remove(key);
        let mut streams = self.streams.lock();
        if streams.get(&key.id) == Some(&key.stream) {
            streams.remove(&key.id);
        }
    }
}

/// The viewer with this id at this address. Whether an issued id is bound to an address was decided by the settings of
/// its application when the viewer came.
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
    /// Time that it lasts after a request.
    fn timeout_ms(&self) -> u64 {
        let timeout = self.conf.timeout_ms();
        match &*self.absent.lock() {
            Some(_) => timeout.min(limits::HLS2_ABSENT.as_millis() as u64),
            None => timeout,
        }
    }

    fn visit(self: &Arc<Self>) -> ViewerRequest {
        let mut place = self.place.lock();
        place.requests += 1;
        place.playlist.touch(now());
        ViewerRequest { viewer: self.clone() }
    }
}

/// Slot number: one process holds all sessions.
const SLOT: u32 = 0;

fn now() -> u64 {
    millis(Instant::now())
}

/// What keeps the fragments of a viewer's stream coming.
enum HeldFeed {
    Mpegts { _feed: Arc<MpegtsFeed> },
    Samples { _feed: Arc<SampleFeed> },
}

/// Task of a viewer: holds its stream, and releases it at the end.
struct ViewerTask {
    viewers: Arc<Viewers>,
    view: AppView,
    entered: Box<AdmittedSession>,
    viewer: Arc<Viewer>,
    /// Dropped last, so that a stop waits for the `done` that dropping `entered` sends.
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
