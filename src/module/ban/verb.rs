//! `pingosd ctl ban`, `unban` and `bans`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bstr::{BString, ByteSlice};

use super::bans::{Ban, BanTarget, Bans};
use super::log;
use crate::directive::number;
use crate::limits;
use crate::media::control::{
    ArgumentValue, ControlOrder, ControlOutcome, ControlRefusal, ControlResult, ControlSection, ControlVerb,
};
use crate::media::session::{Reason, Sessions};

/// Description of `ban`.
pub const BAN: ControlVerb = ControlVerb {
    name: "ban",
    takes: "ADDRESS|NETWORK|[APPLICATION/]STREAM [for TIME]",
    text: "refuse an address, a network or a stream, and end its sessions",
    done: "banned, dropped",
};

/// Description of `unban`.
pub const UNBAN: ControlVerb = ControlVerb {
    name: "unban",
    takes: "ADDRESS|NETWORK|[APPLICATION/]STREAM",
    text: "take back a ban",
    done: "unbanned",
};

/// Description of `bans`.
pub const BANS: ControlVerb =
    ControlVerb { name: "bans", takes: "", text: "list the bans in force", done: "listed" };

/// Reason why an order is refused.
#[derive(Debug, thiserror::Error)]
enum BanError {
    #[error("bans takes no arguments")]
    Arguments,
    #[error("there are {} bans already", limits::BANS)]
    Full,
    #[error("{0} is not banned")]
    NotBanned(BanTarget),
    #[error("an address, a network or a stream is missing")]
    NoTarget,
    #[error("\"{0}\" is not a time such as 10m")]
    Time(BString),
}

impl From<BanError> for ControlRefusal {
    fn from(error: BanError) -> ControlRefusal {
        ControlRefusal::section(error)
    }
}

/// What the three verbs use.
#[derive(Clone)]
pub struct BanVerbs {
    /// The bans.
    pub bans: Arc<Bans>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
}

/// One of the verbs.
pub enum BanVerb {
    /// `ban`.
    Ban(BanVerbs),
    /// `unban`.
    Unban(BanVerbs),
    /// `bans`.
    List(BanVerbs),
}

impl ControlSection for BanVerb {
    fn verb(&self) -> &'static ControlVerb {
        match self {
            BanVerb::Ban(_) => &BAN,
            BanVerb::Unban(_) => &UNBAN,
            BanVerb::List(_) => &BANS,
        }
    }

    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult {
        match self {
            BanVerb::Ban(verbs) => verbs.ban(order),
            BanVerb::Unban(verbs) => {
                let target = target(order)?;
                match verbs.bans.remove(&target) {
                    true => Ok(ControlOutcome::Text(format!("{target} is no longer banned\n"))),
                    false => Err(BanError::NotBanned(target).into()),
                }
            }
            BanVerb::List(verbs) if order.method.is_empty() => Ok(verbs.list()),
            BanVerb::List(_) => Err(BanError::Arguments.into()),
        }
    }
}

impl BanVerbs {
    fn ban(&self, order: &ControlOrder<'_>) -> ControlResult {
        let target = target(order)?;
        let time = ArgumentValue::of(order.query, b"for");
        let until = match time.decoded() {
            b"" if order.query.is_empty() => None,
            time => {
                let wrong = || BanError::Time(time.into());
                let msec = number::msec(time).filter(|msec| *msec > 0).ok_or_else(wrong)?;
                Some(SystemTime::now().checked_add(Duration::from_millis(msec)).ok_or_else(wrong)?)
            }
        };
        if !self.bans.add(Ban { target: target.clone(), until }) {
            return Err(BanError::Full.into());
        }
        let mut count = 0;
        for session in self.sessions.snapshot() {
            if target.is_address(session.peer.ip) || target.is_stream(&session.key) {
                log::dropped(&session, &target);
                session.close(Reason::ControlDrop);
                count += 1;
            }
        }
        Ok(ControlOutcome::Sessions(count))
    }

    fn list(&self) -> ControlOutcome {
        let (mut text, mut list) = (String::new(), Vec::new());
        let now = SystemTime::now();
        for Ban { target, until } in self.bans.list() {
            let left = until.map(|until| until.duration_since(now).unwrap_or_default().as_secs());
            // Writing to a string cannot fail.
            let _ = match left {
                Some(left) => writeln!(text, "{target} for {left}s"),
                None => writeln!(text, "{target}"),
            };
            let kind = match &target {
                BanTarget::Network(..) => "address",
                BanTarget::Stream(_) => "stream",
            };
            list.push(serde_json::json!({
                kind: target.text().to_str_lossy(), "seconds_left": left,
            }));
        }
        ControlOutcome::Listed(text, serde_json::json!({ "bans": list }))
    }
}

fn target(order: &ControlOrder<'_>) -> Result<BanTarget, BanError> {
    BanTarget::parse(order.method).ok_or(BanError::NoTarget)
}
