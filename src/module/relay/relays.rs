//! Relays: streams fetched from other servers and sent to them.
//!
//! A pulled stream (`pull`) lasts as long as it has players here, a pushed one (`push`) as long as it is published
//! here. Each attempt is a session with its own number and events. The result of an attempt is an `AttemptOutcome`, which
//! determines the next step.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::destination::CauseIdentity;
use super::error::RelayError;
use super::lines::Pushes;
use super::pull::{self, PullUse, Pulls};
use crate::config::store::Store;
use crate::hub::registry::StreamRegistry;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::extension::{Demand, OnStream, PublishObserver, SessionObserver, Source};
use crate::media::ingest::Intake;
use crate::media::session::{Identity, Protocol, Reason, Role, Session, SessionMoments, Sessions};
use crate::media::trail::Trail;
use crate::media::trails::Trails;
use crate::media::view::AppView;
use crate::media::workers::Workers;
use crate::net::dns::Dns;
use crate::net::tls::Tls;
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
    /// All streams.
    pub registry: Arc<StreamRegistry>,
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
    /// Shutdown of the process.
    pub lifetime: Lifetime,
}

/// Outcome of an attempt.
#[derive(Debug)]
pub(super) enum AttemptOutcome {
    /// The callback wants no relay.
    Unwanted,
    /// The callback or the origin refuses: the sessions that depend on the relay must end.
    Refused,
    /// The relay worked for a while and ended.
    Worked,
    /// The relay failed.
    Failed,
    /// The relay was ended by this server.
    Closed,
}

/// Result of a function that returns only errors.
pub(super) enum Never {}

/// Reason for the end of a relay.
#[derive(Debug)]
pub(super) enum RelayEnd {
    /// An error of the network, the other server or the configuration.
    Error(RelayError),
    /// The other server closed the connection.
    Closed,
    /// The other server refused permanently, with this status.
    Refused(u16),
    /// The stream is now published on this server.
    Published,
    /// The relay was ended by this server.
    Asked(Reason),
}

impl fmt::Display for RelayEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RelayEnd::Error(error) => error.fmt(f),
            RelayEnd::Closed => f.write_str("the other server closed"),
            RelayEnd::Refused(status) => write!(f, "the other server refused: status {status}"),
            RelayEnd::Published => f.write_str("the stream is published here"),
            RelayEnd::Asked(reason) => f.write_str(reason.name()),
        }
    }
}

impl<E: Into<RelayError>> From<E> for RelayEnd {
    fn from(error: E) -> Self {
        RelayEnd::Error(error.into())
    }
}

impl Source for Relays {
    fn is_configured(&self, view: &AppView) -> bool {
        pull::is_configured(view)
    }

    fn demand(self: Arc<Self>, player: OnStream<'_>) -> Box<dyn Demand> {
        Box::new(PullUse::enter(&self, player))
    }

    fn way(&self, stream: u64) -> Bytes {
        self.pulls.way(stream)
    }
}

impl SessionObserver for Relays {
    fn publishing(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Box<dyn PublishObserver>> {
        Some(Box::new(Pushes::start(&self, publisher)))
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

/// Arguments that a destination takes from the session that caused it.
pub(super) fn asked(identity: &Identity) -> CauseIdentity<'_> {
    CauseIdentity {
        app: &identity.app,
        name: &identity.name,
        pargs: &identity.pargs,
        flash_ver: &identity.flash_ver,
        page_url: &identity.page_url,
        swf_url: &identity.swf_url,
    }
}

/// Whether a relay that began at `started` has worked, so that the next attempt may follow at once: it ran for the
/// maximum retry delay `most`. A target that accepts and disconnects immediately counts as failed each time.
pub(super) fn has_worked(started: Option<Instant>, most: Duration) -> bool {
    started.is_some_and(|started| started.elapsed() >= most.max(limits::RELAY_WORKED))
}

/// Time that the other server has from the connection to the first media command.
pub(super) fn setup_time(connect: Duration) -> Duration {
    connect.max(limits::RELAY_SETUP)
}
