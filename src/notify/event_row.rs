//! Rows of the table of events, and the macro that generates directives and [`super::EventKind`] from them.

use std::sync::Arc;

use super::effect::{AnswerEffect, Effects, FamilyEffects, NOTHING, NameFamily};
use super::hook::Hook;
use super::request::{SESSION_FIELDS, Stage};
use crate::directive::context::{self, Contexts};

/// Properties of an event: its lines, its requests, the effects of answers.
#[derive(Clone, Copy, Debug)]
pub struct EventRow {
    /// Directives of its lines: the name that begins with `on_`, then older ones.
    pub names: &'static [&'static str],
    /// Contexts of the lines.
    pub contexts: Contexts,
    /// Whether several lines are allowed.
    pub is_list: bool,
    /// Value of `call=`.
    pub call: &'static str,
    /// Subject of the event.
    pub about: &'static str,
    /// Names of the fields at `start`, in order, before `groupid` and the expansion of `args=`.
    pub fields: &'static [&'static str],
    /// Names of further fields of `update` and `done`, after those; a request for which the event has no values lacks them.
    pub later: &'static [&'static str],
    /// Whether `name` names a stream; otherwise it is empty.
    pub has_stream: bool,
    /// Whether `epoch` follows the expansion of `args=` while the session's stream is claimed in a cluster.
    pub has_epoch: bool,
    /// Remark on a field.
    pub note: &'static str,
    /// Effects of answers to `start`.
    pub start: FamilyEffects,
    /// Effects of answers to `update`.
    pub update: FamilyEffects,
    /// Effects of answers to `done`.
    pub done: FamilyEffects,
}

/// The answer to `start` decides whether a session may go on.
pub(super) const VERDICT: FamilyEffects = {
    use AnswerEffect::{LetIn, Refused, RefusedUnlessIgnored};
    FamilyEffects::both([LetIn, LetIn, Refused, Refused, Refused, RefusedUnlessIgnored])
};

/// Repetition of `done` requests that did not reach the server.
const REPEATED: Effects = {
    use AnswerEffect::{Nothing, ToldAgain, ToldAgainIfAway};
    [Nothing, Nothing, Nothing, Nothing, ToldAgainIfAway, ToldAgain]
};

impl EventRow {
    /// A session event with common properties; the table adds the properties of its lines.
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
            has_epoch: false,
            note: "",
            start,
            update: FamilyEffects::older_refusal(AnswerEffect::EndsSession),
            done: FamilyEffects::both(REPEATED),
        }
    }

    /// A process event; answers have no effect.
    pub(super) const fn process(call: &'static str, about: &'static str) -> EventRow {
        let nothing = FamilyEffects::both(NOTHING);
        EventRow {
            has_stream: false,
            update: nothing,
            done: nothing,
            ..EventRow::session(call, about, nothing)
        }
    }

    /// Word for the event in the ledger: its name without `on_`.
    pub fn word(&self) -> &'static str {
        self.names.first().and_then(|name| name.strip_prefix("on_")).unwrap_or_default()
    }

    /// The innermost context of its lines.
    pub fn block(&self) -> &'static str {
        let first = context::names(self.contexts).next().unwrap_or_default();
        first.rsplit(' ').next().unwrap_or_default()
    }

    /// Effects of answers to this stage.
    pub fn effects(&self, stage: Stage) -> FamilyEffects {
        match stage {
            Stage::Start => self.start,
            Stage::Update => self.update,
            Stage::Done => self.done,
        }
    }

    /// Whether an answer to `start` may start a relay.
    pub fn relays(&self) -> bool {
        self.start.of(NameFamily::On).contains(&AnswerEffect::Relay)
    }
}

/// Type of a directive that holds an event's lines.
pub(super) trait LineList {
    /// Whether several lines are allowed.
    const IS_LIST: bool;

    /// The lines.
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

/// Declares the session events: for each row a directive, a kind of event, and an [`EventRow`]. Other directives stand
/// before and after them.
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

        /// Kind of session event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ::strum::VariantArray)]
        pub enum EventKind {
            $( #[doc = concat!("`", stringify!($field), "`.")] $Kind, )+
        }

        /// Every session event, in the order of [`EventKind`].
        pub const EVENTS: &[EventRow] = &[
            $( EventRow {
                names: &[$($name),+],
                contexts: $in,
                is_list: <$Lines as LineList>::IS_LIST,
                ..$row
            }, )+
        ];

        impl EventKind {
            /// Lines of this event.
            pub fn lines(self, conf: &Current) -> &[Arc<Hook>] {
                match self {
                    $( EventKind::$Kind => conf.$field.lines(), )+
                }
            }

            /// Properties of the event.
            pub fn row(self) -> &'static EventRow {
                &EVENTS[self as usize]
            }

            /// Value of `call=`.
            pub fn name(self) -> &'static str {
                self.row().call
            }
        }
    };
}

pub(super) use events;
