//! Common parts of pull and push: the decision that an answer requests, and the outcome of an attempt.

use std::fmt::Display;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use super::relays::{Outcome, RelayEnd, asked};

use super::address::{Address, Protocol};
use super::complaints::{Complaints, Say};
use super::destination::Destination;
use crate::media::log as media_log;
use crate::media::relay_target::Relay;
use crate::media::session::{Reason, Session};
use crate::module::relay::log;
use crate::notify::hook::Hook;
use crate::notify::{Answer, Reply, SessionEvent, ledger};

/// Reason why nothing is pushed to an HTTP address.
const NO_TARGET: &str = "only rtmp:// and rtmps:// can be pushed to";

/// Decision about a relay.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Relay to or from this address, with this host in tcUrl or `Host`.
    Follow(Address, Option<Bytes>),
    /// No relay.
    Unwanted,
    /// End the sessions that depend on the relay.
    Refused,
    /// Ask again later; the text is the reason.
    Again(String),
}

impl Decision {
    /// The decision in the ledger of callbacks.
    fn entry(&self) -> ledger::Decision {
        match self {
            Decision::Follow(..) => ledger::Decision::Relay,
            Decision::Unwanted => ledger::Decision::NoRelay,
            Decision::Refused => ledger::Decision::Refuse,
            Decision::Again(_) => ledger::Decision::AskAgain,
        }
    }
}

/// Direction of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pull,
    Push,
}

impl Kind {
    /// Name in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Pull => "pull",
            Kind::Push => "push",
        }
    }

    /// End reason of a session that the other side has ended.
    fn reason(self) -> Reason {
        match self {
            Kind::Pull => Reason::StreamEnd,
            Kind::Push => Reason::NormalClose,
        }
    }
}

/// One attempt: a session, and the history of preceding attempts.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) kind: Kind,
    pub(super) session: &'a Session,
    pub(super) complaints: &'a Mutex<Complaints>,
}

impl Attempt<'_> {
    /// Destination that the answer to `asking` gives, or another outcome. The event continues if there is a relay;
    /// otherwise the caller decides about it.
    pub(super) fn destination(
        self,
        asking: &mut SessionEvent,
        reply: &Reply,
    ) -> Result<Destination, Outcome> {
        let is_pull = self.kind == Kind::Pull;
        let decision = decide(reply, asking.hook(), is_pull);
        asking.decided(decision.entry());
        match decision {
            Decision::Follow(address, domain) => {
                asking.keep();
                let asked = asked(&self.session.identity);
                let destination = Destination::redirected(address, domain.as_deref(), asked);
                Ok(if is_pull { destination } else { destination.of_push(asked, None) })
            }
            Decision::Unwanted => Err(Outcome::Unwanted),
            Decision::Refused => {
                media_log::start_refused(self.session, asking.hook(), &reply.answer);
                Err(Outcome::Refused)
            }
            Decision::Again(why) => {
                match self.failed(&why) {
                    Say::Failure => {
                        log::unusable(self.session, self.kind.name(), &why, asking.hook());
                    }
                    say => self.told(say),
                }
                Err(Outcome::Failed)
            }
        }
    }

    /// Destinations of a `push` or `pull` line, in order; invalid addresses are logged and skipped.
    pub(super) fn destinations(self, line: &Relay) -> impl Iterator<Item = Destination> {
        line.urls.iter().filter_map(move |url| {
            let is_pull = self.kind == Kind::Pull;
            match Address::parse(url) {
                Ok(address) if address.protocol == Protocol::HttpFlv && !is_pull => {
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
    pub(super) fn outcome(self, end: &RelayEnd, worked: bool) -> Outcome {
        self.session.set_reason(match end {
            RelayEnd::Asked(asked) => *asked,
            _ => self.kind.reason(),
        });
        let outcome = match end {
            RelayEnd::Refused(_) => Outcome::Refused,
            RelayEnd::Asked(_) => Outcome::Closed,
            RelayEnd::Published => Outcome::Worked,
            RelayEnd::Error(_) | RelayEnd::Closed if worked => Outcome::Worked,
            RelayEnd::Error(_) | RelayEnd::Closed => Outcome::Failed,
        };
        match outcome {
            Outcome::Refused | Outcome::Failed => self.complain(end),
            _ => {
                self.complaints.lock().worked();
                log::ended(self.session, self.kind.name(), end);
            }
        }
        outcome
    }

    /// Logs the start of a relay; at level debug if it failed at this destination before.
    pub(super) fn starting(self, destination: &Destination) {
        let address = &destination.address;
        let is_new = self.complaints.lock().tries(&format!("{}:{}", address.host, address.port));
        log::starting(self.session, self.kind.name(), destination, !is_new);
    }

    /// Logs a failed relay, unless the failure is known.
    fn complain(self, why: &dyn Display) {
        match self.failed(&why.to_string()) {
            Say::Failure => log::failed(self.session, self.kind.name(), why),
            say => self.told(say),
        }
    }

    fn failed(self, why: &str) -> Say {
        self.complaints.lock().failed(why, Instant::now())
    }

    fn told(self, say: Say) {
        if let Say::Summary(failures, since) = say {
            log::still_failing(self.session, self.kind.name(), failures, since);
        }
    }
}

/// Decision that an answer requests.
fn decide(reply: &Reply, hook: &Hook, is_pull: bool) -> Decision {
    match reply.answer {
        Answer::Status(200..=299) => Decision::Unwanted,
        Answer::Status(status @ 300..=399) => follow(reply, status, is_pull),
        Answer::Status(400..=599) if hook.enforce.start => Decision::Refused,
        Answer::Status(400..=599) => Decision::Unwanted,
        Answer::Status(status) => Decision::Again(format!("status {status}")),
        ref answer @ (Answer::Failed(_) | Answer::TimedOut) => Decision::Again(answer.to_string()),
    }
}

fn follow(reply: &Reply, status: u16, is_pull: bool) -> Decision {
    let Some(location) = &reply.location else {
        return Decision::Again(format!("status {status} without Location"));
    };
    match Address::parse(location) {
        Ok(address) if address.protocol == Protocol::HttpFlv && !is_pull => {
            Decision::Again(format!("unusable Location: {NO_TARGET}"))
        }
        Ok(address) => Decision::Follow(address, reply.domain.clone().filter(|d| is_domain(d))),
        Err(error) => Decision::Again(format!("unusable Location: {error}")),
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

    fn decided(status: u16, location: Option<&'static str>, is_pull: bool) -> Decision {
        let reply = Reply {
            answer: Answer::Status(status),
            location: location.map(Bytes::from),
            domain: Some(Bytes::from_static(b"cdn.example")),
        };
        decide(&reply, &hook(true), is_pull)
    }

    #[test]
    fn a_location_is_followed() {
        let Decision::Follow(address, domain) = decided(302, Some("rtmp://h/live/s"), false) else {
            panic!("a usable location")
        };
        assert_eq!((address.host.to_string(), domain), ("h".to_string(), Some(Bytes::from("cdn.example"))));
        assert!(matches!(decided(301, Some("http://h/flv/s"), true), Decision::Follow(..)));
    }

    #[test]
    fn what_cannot_be_followed_is_asked_again() {
        for location in [None, Some("ftp://h/"), Some("rtmp://h:0/"), Some("http://h/flv/s")] {
            assert!(matches!(decided(301, location, false), Decision::Again(_)), "{location:?}");
        }
        let silent = Reply { answer: Answer::TimedOut, location: None, domain: None };
        assert_eq!(decide(&silent, &hook(true), true), Decision::Again("timed out".into()));
    }

    #[test]
    fn a_refusal_counts_unless_the_line_says_otherwise() {
        assert_eq!(decided(200, Some("rtmp://h/"), true), Decision::Unwanted);
        assert_eq!(decided(404, None, true), Decision::Refused);
        let refusal = Reply { answer: Answer::Status(500), location: None, domain: None };
        assert_eq!(decide(&refusal, &hook(true), true), Decision::Refused);
        assert_eq!(decide(&refusal, &hook(false), true), Decision::Unwanted);
    }

    #[test]
    fn a_domain_must_fit_into_a_url() {
        assert!(is_domain(b"cdn.example"));
        for domain in [b"".as_slice(), b"a b", b"a/b", b"\xff"] {
            assert!(!is_domain(domain), "{domain:?}");
        }
    }
}
