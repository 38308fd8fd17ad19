//! Answers of callback servers by kind, and what each does to what the callback tells of.

/// How a callback server answers.
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
    /// None in time.
    None,
}

/// All kinds, in the order of the columns of conf/callbacks.md, with their headings.
pub const ANSWER_KINDS: [(AnswerKind, &str); 6] = [
    (AnswerKind::Ok, "200"),
    (AnswerKind::Success, "other 2xx"),
    (AnswerKind::Redirect, "3xx"),
    (AnswerKind::ClientError, "4xx"),
    (AnswerKind::ServerError, "5xx"),
    (AnswerKind::None, "no answer"),
];

/// What an answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// The session goes on.
    LetIn,
    /// The session ends before it has begun.
    Refused,
    /// So too, unless the configuration lets it in.
    RefusedUnlessIgnored,
    /// Updates are sent.
    Updates,
    /// No updates are sent.
    NoUpdates,
    /// The session that opened the stream ends.
    EndsOpener,
    /// There is no relay, and no end is told.
    NoRelay,
    /// There is no relay; the event goes on.
    NoRelayGoesOn,
    /// A relay.
    Relay,
    /// The players end.
    EndsPlayers,
    /// The publisher ends.
    EndsPublisher,
    /// The question comes again.
    Again,
    /// A recording is made.
    Recorded,
    /// None is made.
    NotRecorded,
    /// The configuration decides.
    AsConfigured,
    /// The session that the request names ends.
    EndsSession,
    /// What the event is about ends.
    EndsRelay,
    /// The recording ends.
    EndsRecording,
    /// The end is told again.
    ToldAgain,
    /// The end is told again where a proxy says that the server is away.
    ToldAgainIfAway,
}

impl Effect {
    /// What the page about callbacks says.
    pub(super) fn text(self) -> &'static str {
        match self {
            Effect::Nothing => "-",
            Effect::LetIn => "let in",
            Effect::Refused => "refused",
            Effect::RefusedUnlessIgnored => "refused, unless `ignore_invalid_notify on`",
            Effect::Updates => "updates follow",
            Effect::NoUpdates => "no updates",
            Effect::EndsOpener => "ends the session that opened the stream",
            Effect::NoRelay => "no relay, no done",
            Effect::NoRelayGoesOn => "no relay; update and done go on",
            Effect::Relay => "relay by `Location`",
            Effect::EndsPlayers => "all waiting players end",
            Effect::EndsPublisher => "the publisher ends",
            Effect::Again => "asked again",
            Effect::Recorded => "recorded",
            Effect::NotRecorded => "not recorded",
            Effect::AsConfigured => "as `live_record` says",
            Effect::EndsSession => "ends the session that `clientid` names",
            Effect::EndsRelay => "ends the relay",
            Effect::EndsRecording => "ends the recording",
            Effect::ToldAgain => "told again",
            Effect::ToldAgainIfAway => "told again at 502, 503 and 504",
        }
    }
}

/// What each of [`ANSWER_KINDS`] does, in their order.
pub type Effects = [Effect; ANSWER_KINDS.len()];

/// No answer does anything.
pub const NOTHING: Effects = [Effect::Nothing; ANSWER_KINDS.len()];

/// Names of an event of one age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameFamily {
    /// Those that begin with `on_`.
    On,
    /// Those that begin with `oclp_`.
    Oclp,
}

impl NameFamily {
    /// What its names begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            NameFamily::On => "on_",
            NameFamily::Oclp => "oclp_",
        }
    }
}

/// What answers do where a line has a name of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyEffects {
    pub(super) on: Effects,
    pub(super) oclp: Effects,
}

impl FamilyEffects {
    /// The same under both names.
    pub(super) const fn both(effects: Effects) -> Self {
        FamilyEffects { on: effects, oclp: effects }
    }

    /// A 4xx does this, under the older names only; no other answer does anything.
    pub(super) const fn older_refusal(effect: Effect) -> Self {
        let mut oclp = NOTHING;
        oclp[AnswerKind::ClientError as usize] = effect;
        FamilyEffects { on: NOTHING, oclp }
    }

    /// What answers do under these names.
    pub fn of(self, family: NameFamily) -> Effects {
        match family {
            NameFamily::On => self.on,
            NameFamily::Oclp => self.oclp,
        }
    }
}
