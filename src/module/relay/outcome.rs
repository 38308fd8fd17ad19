//! Outcomes of a relay's attempts.

use std::fmt;
use std::time::{Duration, Instant};

use super::destination::CauseIdentity;
use super::error::RelayError;
use crate::limits;
use crate::media::session::{Identity, Reason};

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
