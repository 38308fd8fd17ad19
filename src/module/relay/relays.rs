//! Relays: streams fetched from other servers and sent to them.
//!
//! A pulled stream (`pull`) lasts as long as somebody plays it here, a pushed one (`push`) as long as it is
//! published here. Each attempt is a session of its own, with a number and events of its own. What an attempt
//! comes to is an `Outcome`; who runs the attempts decides what follows.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::destination::Asked;
use super::lines::Pushes;
use super::pull::{self, PullUse, Pulls};
use crate::config::store::Store;
use crate::hub::registry::Registry;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::extension::{Demand, OnStream, PublishObserver, SessionObserver, Source};
use crate::media::ingest::Intake;
use crate::media::session::{Identity, Moments, Protocol, Reason, Role, Session, Sessions};
use crate::media::trail::Trail;
use crate::media::trails::Trails;
use crate::media::view::AppView;
use crate::media::workers::Workers;
use crate::net::dns::Dns;
use crate::net::tls::Tls;
use crate::notify::Notifier;
use crate::task::lifetime::Lifetime;

/// What all relays use.
pub struct Relays {
    /// Streams with players.
    pub pulls: Pulls,
    /// Which streams are on a relay's trail.
    pub trails: Arc<Trails>,
    /// The configuration in force.
    pub store: Arc<Store>,
    /// All streams.
    pub registry: Arc<Registry>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Callbacks.
    pub callbacks: Notifier,
    /// Media threads.
    pub workers: Arc<Workers>,
    /// Host names.
    pub dns: Dns,
    /// TLS to other servers.
    pub tls: Arc<ArcSwap<Tls>>,
    /// Where what is pulled goes.
    pub intake: Arc<Intake>,
    /// The end of the process.
    pub lifetime: Lifetime,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The callback wants no relay.
    Unwanted,
    /// The callback, or the origin, refuses: who depends on the relay has to end.
    Refused,
    /// It worked for a while and ended.
    Worked,
    /// It came to nothing.
    Failed,
    /// It was ended here.
    Closed,
}

/// What never ends well.
pub(super) enum Never {}

/// Why a relay has ended. The text goes to the log.
#[derive(Debug)]
pub(super) enum End {
    /// An error of the network, or of the protocol.
    Error(String),
    /// The other server closed.
    Closed,
    /// The other server refused for good.
    Refused(String),
    /// Somebody publishes the stream here.
    Published,
    /// It was ended here.
    Asked(Reason),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Error(text) => f.write_str(text),
            End::Closed => f.write_str("the other server closed"),
            End::Refused(text) => write!(f, "the other server refused: {text}"),
            End::Published => f.write_str("the stream is published here"),
            End::Asked(reason) => f.write_str(reason.name()),
        }
    }
}

impl End {
    pub(super) fn error(error: impl fmt::Display) -> End {
        End::Error(error.to_string())
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

/// A session for one attempt, caused by `cause`, for sessions that have `trail` in common. Its trail is what it tells
/// the other server.
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
        Moments::default(),
    );
    session.set_stream(stream.clone());
    Arc::new(session)
}

/// What a destination takes from the session that caused it.
pub(super) fn asked(identity: &Identity) -> Asked<'_> {
    Asked {
        app: &identity.app,
        name: &identity.name,
        pargs: &identity.pargs,
        flash_ver: &identity.flash_ver,
        page_url: &identity.page_url,
        swf_url: &identity.swf_url,
    }
}

/// Whether a relay that began at `started` has worked, so that the next attempt may follow at once: it has run for
/// the longest delay between two attempts, `most`. A target that accepts and drops at once is a failure each time.
pub(super) fn has_worked(started: Option<Instant>, most: Duration) -> bool {
    started.is_some_and(|started| started.elapsed() >= most.max(limits::RELAY_WORKED))
}

/// How long the other server may take from the connection to the first media command.
pub(super) fn setup_time(connect: Duration) -> Duration {
    connect.max(limits::RELAY_SETUP)
}
