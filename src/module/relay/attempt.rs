//! Common parts of pull and push: the decision that an answer requests, and the outcome of an attempt.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use super::outcome::{AttemptOutcome, RelayEnd, asked};

use super::address::{RelayAddress, RelayProtocol};
use super::complaints::{Complaints, LogDecision};
use super::destination::Destination;
use crate::media::listing::RelayCounter;
use crate::media::log as media_log;
use crate::media::relay_target::RelayTarget;
use crate::media::session::{Reason, Session};
use crate::module::relay::log;
use crate::notify::hook::Hook;
use crate::notify::{CallbackAnswer, Reply, SessionEvent, ledger};

/// Reason why nothing is pushed to an HTTP address.
const NO_TARGET: &str = "only rtmp:// and rtmps:// can be pushed to";

/// Decision about a relay.
#[derive(Debug, PartialEq, Eq)]
enum RelayDecision {
    /// Relay to or from this address, with this host in tcUrl or `Host`.
    Follow(RelayAddress, Option<Bytes>),
    /// No relay.
    Unwanted,
    /// End the sessions that depend on the relay.
    Refused,
    /// Ask again later; the text is the reason.
    Again(String),
}

impl RelayDecision {
    /// The decision in the ledger of callbacks.
    fn entry(&self) -> ledger::CallDecision {
        match self {
            RelayDecision::Follow(..) => ledger::CallDecision::Relay,
            RelayDecision::Unwanted => ledger::CallDecision::NoRelay,
            RelayDecision::Refused => ledger::CallDecision::Refuse,
            RelayDecision::Again(_) => ledger::CallDecision::AskAgain,
        }
    }
}

/// Direction of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayKind {
    Pull,
    Push,
}

impl RelayKind {
    /// Name in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            RelayKind::Pull => "pull",
            RelayKind::Push => "push",
        }
    }

    /// End reason of a session that the other side has ended.
    fn reason(self) -> Reason {
        match self {
            RelayKind::Pull => Reason::StreamEnd,
            RelayKind::Push => Reason::NormalClose,
        }
    }
}

/// One attempt: a session, and the history of preceding attempts.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) kind: RelayKind,
    pub(super) session: &'a Session,
    pub(super) complaints: &'a Mutex<Complaints>,
    pub(super) counter: &'a RelayCounter,
}

impl Attempt<'_> {
    /// Destination that the answer to `asking` gives, or another outcome. The event continues if there is a relay;
    /// otherwise the caller decides about it.
    pub(super) fn destination(
        self,
        asking: &mut SessionEvent,
        reply: &Reply,
    ) -> Result<Destination, AttemptOutcome> {
        let is_pull = self.kind == RelayKind::Pull;
        let decision = decide(reply, asking.hook(), is_pull);
        asking.decided(decision.entry());
        match decision {
            RelayDecision::Follow(address, domain) => {
                asking.keep();
                let asked = asked(&self.session.identity);
                let destination = Destination::redirected(address, domain.as_deref(), asked);
                Ok(if is_pull { destination } else { destination.of_push(asked, None) })
            }
            RelayDecision::Unwanted => Err(AttemptOutcome::Unwanted),
            RelayDecision::Refused => {
                media_log::start_refused(self.session, asking.hook(), &reply.answer);
                Err(AttemptOutcome::Refused)
            }
            RelayDecision::Again(why) => {
                match self.failed(&why) {
                    LogDecision::Failure => {
                        log::unusable(self.session, self.kind.name(), &why, asking.hook());
                    }
                    say => self.log_summary(say, &why),
                }
                Err(AttemptOutcome::Failed)
            }
        }
    }

    /// Destinations of a `push` or `pull` line, in order; invalid addresses are logged and skipped.
    pub(super) fn destinations(self, line: &RelayTarget) -> impl Iterator<Item = Destination> {
        line.urls.iter().filter_map(move |url| {
            let is_pull = self.kind == RelayKind::Pull;
            match RelayAddress::parse(url) {
                Ok(address) if address.protocol == RelayProtocol::HttpFlv && !is_pull => {
                    self.complain(&NO_TARGET);
                    None
                }
                Ok(address) => {
                    let asked = asked(&self.session.identity);
                    let destination = Destination::fixed(address, line, asked);
                    Some(if is_pull { destination } else { destination.of_push(asked, Some(line)) })
                }
                Err(error) => {
                    self.complain(&error);
                    None
                }
            }
        })
    }

    /// Outcome of an attempt that ended in this way. `worked` tells whether it ran long enough.
    pub(super) fn outcome(self, end: &RelayEnd, worked: bool) -> AttemptOutcome {
        self.session.set_reason(match end {
            RelayEnd::Asked(asked) => *asked,
            _ => self.kind.reason(),
        });
        let outcome = match end {
            RelayEnd::Refused(_) => AttemptOutcome::Refused,
            RelayEnd::Asked(_) => AttemptOutcome::Closed,
            RelayEnd::Published => AttemptOutcome::Worked,
            RelayEnd::Error(_) | RelayEnd::Closed if worked => AttemptOutcome::Worked,
            RelayEnd::Error(_) | RelayEnd::Closed => AttemptOutcome::Failed,
        };
        match outcome {
            AttemptOutcome::Refused | AttemptOutcome::Failed => self.complain(end),
            _ => {
                self.complaints.lock().worked();
                log::ended(self.session, self.kind.name(), end);
            }
        }
        outcome
    }

    /// Logs the start of a relay; at level debug if it failed at this destination before.
    pub(super) fn starting(self, destination: &Destination) {
        self.counter.attempts.fetch_add(1, Ordering::Relaxed);
        let address = &destination.address;
        let is_new = self.complaints.lock().tries(&format!("{}:{}", address.host, address.port));
        log::starting(self.session, self.kind.name(), destination, !is_new);
    }

    /// Logs a failed relay, unless the failure is known.
    fn complain(self, why: &dyn Display) {
        match self.failed(&why.to_string()) {
            LogDecision::Failure => log::failed(self.session, self.kind.name(), why),
            say => self.log_summary(say, why),
        }
    }

    fn failed(self, why: &str) -> LogDecision {
        self.counter.failed.fetch_add(1, Ordering::Relaxed);
        self.complaints.lock().failed(why, Instant::now())
    }

    fn log_summary(self, say: LogDecision, why: &dyn Display) {
        if let LogDecision::Summary(failures, since) = say {
            log::still_failing(self.session, self.kind.name(), why, failures, since);
        }
    }
}

/// Decision that an answer requests.
fn decide(reply: &Reply, hook: &Hook, is_pull: bool) -> RelayDecision {
    match reply.answer {
        CallbackAnswer::Status(200..=299) => RelayDecision::Unwanted,
        CallbackAnswer::Status(status @ 300..=399) => follow(reply, status, is_pull),
        CallbackAnswer::Status(400..=599) if hook.enforce.start => RelayDecision::Refused,
        CallbackAnswer::Status(400..=599) => RelayDecision::Unwanted,
        CallbackAnswer::Status(status) => RelayDecision::Again(format!("status {status}")),
        ref answer @ (CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut) => {
            RelayDecision::Again(answer.to_string())
        }
    }
}

fn follow(reply: &Reply, status: u16, is_pull: bool) -> RelayDecision {
    let Some(location) = &reply.location else {
        return RelayDecision::Again(format!("status {status} without Location"));
    };
    match RelayAddress::parse(location) {
        Ok(address) if address.protocol == RelayProtocol::HttpFlv && !is_pull => {
            RelayDecision::Again(format!("unusable Location: {NO_TARGET}"))
        }
        Ok(address) => RelayDecision::Follow(address, reply.domain.clone().filter(|d| is_domain(d))),
        Err(error) => RelayDecision::Again(format!("unusable Location: {error}")),
    }
}

/// Whether a `Domain` header can be part of a URL; otherwise it is ignored.
fn is_domain(text: &[u8]) -> bool {
    (1..=255).contains(&text.len()) && text.iter().all(|b| b.is_ascii_graphic() && *b != b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::hook::{DEFAULT_TIMEOUT, DEFAULT_UPDATE, Enforce, Stages};
    use crate::notify::url::Url;
    use crate::notify::variable::Template;
    use crate::syntax::Pos;

    fn hook(start: bool) -> Hook {
        Hook {
            url: Url::parse(b"http://h/").unwrap().0,
            args: Template::default(),
            groupid: "".into(),
            stages: Stages::default(),
            timeout: DEFAULT_TIMEOUT,
            update: DEFAULT_UPDATE,
            update_written: false,
            enforce: Enforce { start, update: false },
            legacy: false,
            pos: Pos { file: std::path::Path::new("test").into(), line: 1 },
        }
    }

    fn decided(status: u16, location: Option<&'static str>, is_pull: bool) -> RelayDecision {
        let reply = Reply {
            answer: CallbackAnswer::Status(status),
            location: location.map(Bytes::from),
            domain: Some(Bytes::from_static(b"cdn.example")),
            limits: None,
        };
        decide(&reply, &hook(true), is_pull)
    }

    #[test]
    fn a_location_is_followed() {
        let RelayDecision::Follow(address, domain) = decided(302, Some("rtmp://h/live/s"), false) else {
            panic!("a usable location")
        };
        assert_eq!((address.host.to_string(), domain), ("h".to_string(), Some(Bytes::from("cdn.example"))));
        assert!(matches!(decided(301, Some("http://h/flv/s"), true), RelayDecision::Follow(..)));
    }

    #[test]
    fn what_cannot_be_followed_is_asked_again() {
        for location in [None, Some("ftp://h/"), Some("rtmp://h:0/"), Some("http://h/flv/s")] {
            assert!(matches!(decided(301, location, false), RelayDecision::Again(_)), "{location:?}");
        }
        let silent = Reply::without(CallbackAnswer::TimedOut);
        assert_eq!(decide(&silent, &hook(true), true), RelayDecision::Again("timed out".into()));
    }

    #[test]
    fn a_refusal_counts_unless_the_line_says_otherwise() {
        assert_eq!(decided(200, Some("rtmp://h/"), true), RelayDecision::Unwanted);
        assert_eq!(decided(404, None, true), RelayDecision::Refused);
        let refusal = Reply::without(CallbackAnswer::Status(500));
        assert_eq!(decide(&refusal, &hook(true), true), RelayDecision::Refused);
        assert_eq!(decide(&refusal, &hook(false), true), RelayDecision::Unwanted);
    }

    #[test]
    fn a_domain_must_fit_into_a_url() {
        assert!(is_domain(b"cdn.example"));
        for domain in [b"".as_slice(), b"a b", b"a/b", b"\xff"] {
            assert!(!is_domain(domain), "{domain:?}");
        }
    }
}
