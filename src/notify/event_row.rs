//! What a row of the table of events says, and the macro that makes directives and [`super::EventKind`] of the rows.

use std::sync::Arc;

use super::effect::{Effect, Effects, FamilyEffects, NOTHING, NameFamily};
use super::hook::Hook;
use super::request::{SESSION_FIELDS, Stage};
use crate::directive::context::{self, Contexts};

/// What is the same wherever an event is dealt with: its lines, its requests, what answers do.
#[derive(Clone, Copy, Debug)]
pub struct EventRow {
    /// The directives that name the lines: the one that begins with `on_`, then the older ones.
    pub names: &'static [&'static str],
    /// Where the lines stand.
    pub contexts: Contexts,
    /// Whether there may be several lines.
    pub is_list: bool,
    /// Value of `call=`.
    pub call: &'static str,
    /// What it tells of.
    pub about: &'static str,
    /// Names of the fields at `start`, in their order, before `groupid` and what `args=` gives.
    pub fields: &'static [&'static str],
    /// Further fields of `update` and `done`, behind those.
    pub later: &'static [&'static str],
    /// Whether `name` names a stream; otherwise it is empty.
    pub has_stream: bool,
    /// What is to be known of a field.
    pub note: &'static str,
    /// What answers to `start` do.
    pub start: FamilyEffects,
    /// What answers to `update` do.
    pub update: FamilyEffects,
    /// What answers to `done` do.
    pub done: FamilyEffects,
}

/// The answer to `start` decides whether a session may go on.
pub(super) const VERDICT: FamilyEffects = {
    use Effect::{LetIn, Refused, RefusedUnlessIgnored};
    FamilyEffects::both([LetIn, LetIn, Refused, Refused, Refused, RefusedUnlessIgnored])
};

/// Ends that have not been taken notice of are told again.
const REPEATED: Effects = {
    use Effect::{Nothing, ToldAgain, ToldAgainIfAway};
    [Nothing, Nothing, Nothing, Nothing, ToldAgainIfAway, ToldAgain]
};

impl EventRow {
    /// An event of sessions as most are. The table adds to it how the lines are written.
    pub(super) const fn session(call: &'static str, about: &'static str, start: FamilyEffects) -> EventRow {
        EventRow {
            names: &[],
            contexts: 0,
            is_list: false,
            call,
            about,
            fields: &SESSION_FIELDS,
            later: &[],
            has_stream: true,
            note: "",
            start,
            update: FamilyEffects::older_refusal(Effect::EndsSession),
            done: FamilyEffects::both(REPEATED),
        }
    }

    /// An event of the process. No answer decides anything.
    pub(super) const fn process(call: &'static str, about: &'static str) -> EventRow {
        let nothing = FamilyEffects::both(NOTHING);
        EventRow {
            has_stream: false,
            update: nothing,
            done: nothing,
            ..EventRow::session(call, about, nothing)
        }
    }

    /// The part of its names behind `on_`: the event's word in the ledger.
    pub fn word(&self) -> &'static str {
        self.names.first().and_then(|name| name.strip_prefix("on_")).unwrap_or_default()
    }

    /// The innermost block that its lines may stand in: the last word of its context.
    pub fn block(&self) -> &'static str {
        let first = context::names(self.contexts).next().unwrap_or_default();
        first.rsplit(' ').next().unwrap_or_default()
    }

    /// What answers to this stage do.
    pub fn effects(&self, stage: Stage) -> FamilyEffects {
        match stage {
            Stage::Start => self.start,
            Stage::Update => self.update,
            Stage::Done => self.done,
        }
    }

    /// Whether an answer to `start` may begin a relay.
    pub fn relays(&self) -> bool {
        self.start.of(NameFamily::On).contains(&Effect::Relay)
    }
}

/// The type of a directive that holds an event's lines.
pub(super) trait LineList {
    /// Whether there may be several.
    const IS_LIST: bool;

    /// Those that are there.
    fn lines(&self) -> &[Arc<Hook>];
}

impl LineList for Option<Arc<Hook>> {
    const IS_LIST: bool = false;

    fn lines(&self) -> &[Arc<Hook>] {
        self.as_slice()
    }
}

impl LineList for Vec<Arc<Hook>> {
    const IS_LIST: bool = true;

    fn lines(&self) -> &[Arc<Hook>] {
        self
    }
}

/// Declares the events of sessions: of each row a directive, a kind of event, and a row of [`EventRow`]. Directives that are
/// no events stand before and behind them.
macro_rules! events {
    (
        before { $($before:tt)* }
        $(
            $(#[doc = $doc:literal])+
            $($name:literal)|+ => $field:ident: $Lines:ty, in $in:expr $(, restricts $restricts:ident)?,
            event $Kind:ident = $row:expr;
        )+
        after { $($after:tt)* }
    ) => {
        $crate::directive::table::directives! {
            /// HTTP notifications of what happens to streams.
            module "notify";
            live as Current {
                $($before)*
                $( $(#[doc = $doc])+ $($name)|+ => $field: $Lines, in $in $(, restricts $restricts)?; )+
                $($after)*
            }
        }

        /// Which event a callback tells of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $( #[doc = concat!("`", stringify!($field), "`.")] $Kind, )+
        }

        /// Every event of sessions, in the order of [`EventKind`].
        pub const EVENTS: &[EventRow] = &[
            $( EventRow {
                names: &[$($name),+],
                contexts: $in,
                is_list: <$Lines as LineList>::IS_LIST,
                ..$row
            }, )+
        ];

        impl EventKind {
            /// Every event of sessions.
            pub const ALL: &[EventKind] = &[$( EventKind::$Kind ),+];

            /// The lines of this event.
            pub fn lines(self, conf: &Current) -> &[Arc<Hook>] {
                match self {
                    $( EventKind::$Kind => conf.$field.lines(), )+
                }
            }

            /// What is the same wherever the event is dealt with.
            pub fn row(self) -> &'static EventRow {
                &EVENTS[self as usize]
            }

            /// The word in `call=`.
            pub fn name(self) -> &'static str {
                self.row().call
            }
        }
    };
}

pub(super) use events;
