//! Kinds of answers, and their effects.

use strum::VariantArray;

/// Kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    /// 200.
    Ok,
    /// 201 to 299.
    Success,
    /// 3xx.
    Redirect,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
    /// No answer in time.
    None,
}

/// All kinds, in the order of the columns of conf/callbacks.md, with headings.
pub const ANSWER_KINDS: [(AnswerKind, &str); 6] = [
    (AnswerKind::Ok, "200"),
    (AnswerKind::Success, "other 2xx"),
    (AnswerKind::Redirect, "3xx"),
    (AnswerKind::ClientError, "4xx"),
    (AnswerKind::ServerError, "5xx"),
    (AnswerKind::None, "no answer"),
];

/// Effect of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerEffect {
    /// No effect.
    Nothing,
    /// The session continues.
    LetIn,
    /// The session is refused.
    Refused,
    /// The session is refused, unless `ignore_invalid_notify` is on.
    RefusedUnlessIgnored,
    /// Updates are sent.
    Updates,
    /// No updates are sent.
    NoUpdates,
    /// The session that opened the stream ends.
    EndsOpener,
    /// There is no relay, and no `done` is sent.
    NoRelay,
    /// There is no relay, but the event continues.
    NoRelayGoesOn,
    /// A relay starts.
    Relay,
    /// The players are disconnected.
    EndsPlayers,
    /// The publisher is disconnected.
    EndsPublisher,
    /// `start` is sent again later.
    Again,
    /// A recording is made.
    Recorded,
    /// No recording is made.
    NotRecorded,
    /// The configuration decides.
    AsConfigured,
    /// The session that the request names ends.
    EndsSession,
    /// The relay ends.
    EndsRelay,
    /// The recording ends.
    EndsRecording,
    /// `done` is repeated.
    ToldAgain,
    /// `done` is repeated if a proxy reports that the server is unreachable.
    ToldAgainIfAway,
}

impl AnswerEffect {
    /// Wording in conf/callbacks.md.
    pub(super) fn text(self) -> &'static str {
        match self {
            AnswerEffect::Nothing => "-",
            AnswerEffect::LetIn => "admitted",
            AnswerEffect::Refused => "refused",
            AnswerEffect::RefusedUnlessIgnored => "refused, unless `ignore_invalid_notify on`",
            AnswerEffect::Updates => "updates follow",
            AnswerEffect::NoUpdates => "no updates",
            AnswerEffect::EndsOpener => "disconnects the session that opened the stream",
            AnswerEffect::NoRelay => "no relay, no done",
            AnswerEffect::NoRelayGoesOn => "no relay, but update and done are sent",
            AnswerEffect::Relay => "relay to `Location`",
            AnswerEffect::EndsPlayers => "disconnects all waiting players",
            AnswerEffect::EndsPublisher => "disconnects the publisher",
            AnswerEffect::Again => "sent again",
            AnswerEffect::Recorded => "recorded",
            AnswerEffect::NotRecorded => "not recorded",
            AnswerEffect::AsConfigured => "as `live_record` is set",
            AnswerEffect::EndsSession => "disconnects the session named by `clientid`",
            AnswerEffect::EndsRelay => "ends the relay",
            AnswerEffect::EndsRecording => "ends the recording",
            AnswerEffect::ToldAgain => "repeated",
            AnswerEffect::ToldAgainIfAway => "repeated after 502, 503 and 504",
        }
    }
}

/// Effect of each of [`ANSWER_KINDS`], in their order.
pub type Effects = [AnswerEffect; ANSWER_KINDS.len()];

/// No answer has any effect.
pub const NOTHING: Effects = [AnswerEffect::Nothing; ANSWER_KINDS.len()];

/// Family of event names: PingOS's two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub enum NameFamily {
    /// Names that begin with `on_`.
    On,
    /// Names that begin with `oclp_`.
    Oclp,
}

impl NameFamily {
    /// Prefix of the names.
    pub fn prefix(self) -> &'static str {
        match self {
            NameFamily::On => "on_",
            NameFamily::Oclp => "oclp_",
        }
    }
}

/// Effects of answers by the name family of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyEffects {
    pub(super) on: Effects,
    pub(super) oclp: Effects,
}

impl FamilyEffects {
    /// The same effects with both families.
    pub(super) const fn both(effects: Effects) -> Self {
        FamilyEffects { on: effects, oclp: effects }
    }

    /// A 4xx has this effect with the older names only; other answers have none.
    pub(super) const fn older_refusal(effect: AnswerEffect) -> Self {
        let mut oclp = NOTHING;
        oclp[AnswerKind::ClientError as usize] = effect;
        FamilyEffects { on: NOTHING, oclp }
    }

    /// Effects with names of this family.
    pub fn of(self, family: NameFamily) -> Effects {
        match family {
            NameFamily::On => self.on,
            NameFamily::Oclp => self.oclp,
        }
    }
}
