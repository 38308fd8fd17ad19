//! Relays: streams fetched from other servers and sent to them.
//!
//! A pulled stream (`pull`) lasts as long as somebody plays it here, a pushed one (`push`) as long as it is
//! published here. Each attempt is a session of its own, with a number and events of its own. What an attempt
//! comes to is an `Outcome`; who runs the attempts decides what follows.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::destination::Asked;
use super::pull::Pulls;
use crate::config::model::Config;
use crate::directive::ConfPath;
use crate::hub::registry::{Registry, StreamKey};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::session::{Identity, Moments, Protocol, Reason, Role, Session};
use crate::media::trail::{self, Claim, Feed, Hop, Trail};
use crate::media::trail_proof::{Keys, Purpose, Verdict};
use crate::module::relay::log;
use crate::net::secret;
use crate::net::secret::Secret;
use crate::server::context::Context;

/// What all relays share.
pub struct Relays {
    /// Marks streams of this process in trails.
    mark: [u8; 32],
    /// What proves trails; a reload replaces it.
    keys: ArcSwap<Keys>,
    pub(super) pulls: Pulls,
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

impl Relays {
    /// `mark` is random and secret.
    pub fn new(mark: [u8; 32], secrets: Secrets) -> Self {
        let keys = ArcSwap::from_pointee(Keys::new(mark, secrets.0));
        Relays { mark, keys, pulls: Pulls::default() }
    }

    /// A reload has read the secrets anew.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.keys.store(Arc::new(Keys::new(self.mark, secrets.0)));
    }

    /// By way of which streams the media of `stream` comes that came by `upstream` until here; told to relays.
    pub fn way(&self, upstream: &[u8], stream: &StreamKey) -> Bytes {
        trail::extended(upstream, &Hop::new(&self.mark, stream))
    }

    /// To which streams the media of `stream` goes that goes on from here to `downstream`; told to relays that publish it.
    pub fn reach(&self, downstream: &[u8], stream: &StreamKey) -> String {
        String::from_utf8_lossy(&self.way(downstream, stream)).into_owned()
    }

    /// Whether a stream would be fed with itself by what has come this way.
    pub(super) fn leads_back(&self, way: &[u8], stream: &StreamKey) -> bool {
        trail::is_loop(way, &Hop::new(&self.mark, stream))
    }

    /// Whether a session says of itself that it would feed its stream with itself, by way of relays.
    pub fn is_loop(&self, registry: &Registry, identity: &Identity, role: Role) -> bool {
        if !identity.trail.claims_relay() {
            return false;
        }
        let key = StreamKey::new(identity.serverid.clone(), identity.app.clone(), identity.name.clone());
        let (trail, hop) = (identity.trail.claimed(), Hop::new(&self.mark, &key));
        let stream = registry.find(&key).filter(|stream| role == Role::Player && stream.phase().publishing);
        match stream {
            None => trail::closes_circle(trail, &hop, Feed::Nobody),
            Some(stream) if stream.is_published_here() => trail::closes_circle(trail, &hop, Feed::Here),
            Some(stream) => trail::closes_circle(trail, &hop, Feed::Way(&self.pulls.way(stream.id()))),
        }
    }

    /// What the connection `conn` says of its way here, once it is known what it asks for.
    pub fn judge(&self, conn: u64, claim: &Claim, purpose: Purpose<'_>) -> Trail {
        if claim.hops().is_empty() {
            return Trail::default();
        }
        let keys = self.keys.load();
        let verdict = keys.judge(claim, purpose, now());
        if keys.are_shared() && verdict != Verdict::Proved {
            log::trail_not_proved(conn, verdict, purpose.name);
        }
        Trail::new(claim, verdict == Verdict::Proved)
    }

    /// What proves the trail of a relay of ours to others.
    pub(super) fn proof(&self, trail: &[u8], purpose: Purpose<'_>) -> Bytes {
        self.keys.load().proof(trail, purpose, now())
    }
}

/// Seconds since 1970, by which proofs are dated.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The secrets of `relay_secret`.
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Reads the files that `config` names. The error is nginx's sentence.
    pub fn load(config: &Config) -> Result<Secrets, String> {
        let paths = config.rtmp.as_ref().map_or(&[][..], |rtmp| &rtmp.relay.secrets);
        let read = |path: &ConfPath| secret::read("relay_secret", &path.0);
        Ok(Secrets(paths.iter().map(read).collect::<Result<_, _>>()?))
    }
}

/// A session for one attempt, caused by `cause`, for sessions that have `trail` in common. Its trail is what it tells
/// the other server.
pub(super) fn session_for(
    context: &Context,
    cause: &Session,
    trail: &[u8],
    stream: &Arc<Stream>,
    role: Role,
) -> Arc<Session> {
    let mut identity = cause.identity.clone();
    identity.trail = Trail::ours(trail::extended(trail, &Hop::new(&context.relays.mark, &cause.key)));
    let session = Session::new(
        context.sessions.next_session_id(),
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

/// The worker that the next relay runs on.
pub(super) fn next_worker(context: &Context) -> crate::media::workers::Worker {
    context.workers.next()
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
