//! Relays: streams fetched from other servers and sent to them.
//!
//! A pulled stream (`pull`) lasts as long as it has players here, a pushed one (`push`) as long as it is published
//! here. Each attempt is a session with its own number and events. The result of an attempt is an `AttemptOutcome`, which
//! determines the next step.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use super::conf::Current;
use super::pulled::Pulls;
use crate::config::store::Store;
use crate::hub::stream::Stream;
use crate::hub::stream_key::StreamKey;
use crate::media::counterpart::Counterpart;
use crate::media::extension::Origins;
use crate::media::ingest::Intake;
use crate::media::session::{Protocol, Role, Session, SessionMoments, Sessions};
use crate::media::stream_events::StreamEvents;
use crate::media::trail::Trail;
use crate::media::trails::Trails;
use crate::media::view::AppView;
use crate::media::workers::Workers;
use crate::net::dns::Dns;
use crate::net::tls::Tls;
use crate::notify;
use crate::notify::Notifier;
use crate::task::lifetime::Lifetime;

/// Data shared by all relays.
pub struct Relays {
    /// Streams with players.
    pub pulls: Pulls,
    /// Relay trails.
    pub trails: Arc<Trails>,
    /// The configuration in force.
    pub store: Arc<Store>,
    /// The other process of an upgrade.
    pub counterpart: Arc<Counterpart>,
    /// Streams in use, with their events.
    pub stream_events: Arc<StreamEvents>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Callbacks.
    pub callbacks: Notifier,
    /// Worker threads.
    pub workers: Arc<Workers>,
    /// Host names.
    pub dns: Dns,
    /// TLS to other servers.
    pub tls: Arc<ArcSwap<Tls>>,
    /// Ingest of pulled media.
    pub intake: Arc<Intake>,
    /// Servers of the cluster that publish streams.
    pub origins: Arc<dyn Origins>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
}

impl Relays {
    /// Whether a stream that is not published here comes from elsewhere: the application pulls, or the other process of
    /// an upgrade has its publisher.
    pub(super) fn bring(&self, view: &AppView, key: &StreamKey) -> bool {
        let application = view.current();
        application.get::<notify::conf::Current>().on_pull.is_some()
            || !application.get::<Current>().pull.is_empty()
            || self.counterpart.holds(key)
            || self.origins.origin(view, key).is_some()
    }
}

/// Session of one attempt, caused by `cause`, on behalf of sessions with the common `trail`. Its own trail is the one
/// sent to the other server.
pub(super) fn session_for(
    relays: &Relays,
    cause: &Session,
    trail: &[u8],
    stream: &Arc<Stream>,
    role: Role,
) -> Arc<Session> {
    let mut identity = cause.identity.clone();
    identity.trail = Trail::ours(relays.trails.way(trail, &cause.key));
    let session = Session::new(
        relays.sessions.next_session_id(),
        cause.peer.clone(),
        Protocol::Rtmp,
        role,
        identity,
        Instant::now(),
        SessionMoments::default(),
    );
    session.set_stream(stream.clone());
    Arc::new(session)
}
