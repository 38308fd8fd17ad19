//! Relays: streams fetched from other servers and sent to them.
//!
//! A pulled stream ([`pull`]) lasts as long as somebody plays it here, a pushed one ([`push`]) as long as it is
//! published here. Each attempt is a session of its own, with a number and events of its own. What an attempt
//! comes to is an [`Outcome`]; who runs the attempts decides what follows.

mod attempt;
mod connect;
mod http;
pub mod lines;
pub mod pull;
mod push;
mod rtmp;
pub mod standing;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::pull::Pulls;
use super::context::Context;
use super::session::{Identity, Moments, Protocol, Reason, Role, Session};
use crate::hub::registry::StreamKey;
use crate::hub::stream::Stream;
use crate::limits;
use crate::module::relay::address::{self, Address};
use crate::module::relay::complaints::Complaints;
use crate::module::relay::destination::{Asked, Destination};
use crate::module::relay::target::Relay;
use crate::module::relay::trail::{self, Hop};

/// What all relays share.
pub struct Relays {
    /// Marks streams of this process in trails.
    mark: [u8; 32],
    pulls: Pulls,
}

/// What an attempt came to.
#[derive(Debug)]
enum Outcome {
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
enum Never {}

/// Why a relay has ended. The text goes to the log.
#[derive(Debug)]
enum End {
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
    fn error(error: impl fmt::Display) -> End {
        End::Error(error.to_string())
    }
}

impl Relays {
    /// `mark` is random.
    pub fn new(mark: [u8; 32]) -> Self {
        Relays { mark, pulls: Pulls::default() }
    }

    /// By way of which streams the media of `stream` comes that came by `upstream` until here; told to relays.
    pub fn way(&self, upstream: &[u8], stream: &StreamKey) -> Bytes {
        trail::extended(upstream, &Hop::new(&self.mark, stream))
    }

    /// Whether a stream would be fed with itself by what has come this way.
    fn leads_back(&self, way: &[u8], stream: &StreamKey) -> bool {
        trail::is_loop(way, &Hop::new(&self.mark, stream))
    }

    /// Whether a session would feed its stream with itself, by way of relays.
    pub fn is_loop(&self, identity: &Identity) -> bool {
        if identity.trail.is_empty() {
            return false;
        }
        let key = StreamKey::new(identity.serverid.clone(), identity.app.clone(), identity.name.clone());
        trail::is_loop(&identity.trail, &Hop::new(&self.mark, &key))
    }
}

/// A session for one attempt, caused by `cause`. Its trail is what it tells the other server.
fn session_for(context: &Context, cause: &Session, stream: &Arc<Stream>, role: Role) -> Arc<Session> {
    let mut identity = cause.identity.clone();
    identity.trail = trail::extended(&identity.trail, &Hop::new(&context.relays.mark, &cause.key));
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

/// The destinations of a `push` or `pull` line, in order; an address that cannot be used is logged and left out.
fn destinations<'a>(
    line: &'a Relay,
    session: &'a Session,
    what: &'a str,
    complaints: &'a Mutex<Complaints>,
) -> impl Iterator<Item = Destination> + 'a {
    line.urls.iter().filter_map(move |url| match Address::parse(url) {
        Ok(address) if address.protocol == address::Protocol::HttpFlv && what == push::WHAT => {
            attempt::complain(session, what, &attempt::NO_TARGET, complaints);
            None
        }
        Ok(address) => {
            let asked = asked(&session.identity);
            let destination = Destination::fixed(address, line, asked);
            Some(if what == push::WHAT { destination.of_push(asked, Some(line)) } else { destination })
        }
        Err(error) => {
            attempt::complain(session, what, &error, complaints);
            None
        }
    })
}

/// What a destination takes from the session that caused it.
fn asked(identity: &Identity) -> Asked<'_> {
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
fn next_worker(context: &Context) -> super::workers::Worker {
    context.workers.next()
}

/// Whether a relay that began at `started` has worked, so that the next attempt may follow at once: it has run for
/// the longest delay between two attempts, `most`. A target that accepts and drops at once is a failure each time.
fn has_worked(started: Option<Instant>, most: Duration) -> bool {
    started.is_some_and(|started| started.elapsed() >= most.max(limits::RELAY_WORKED))
}

/// How long the other server may take from the connection to the first media command.
fn setup_time(connect: Duration) -> Duration {
    connect.max(limits::RELAY_SETUP)
}
