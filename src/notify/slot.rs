//! Which callback lines an event uses.

use std::sync::Arc;

use super::hook::Hook;
use super::request::Call;
use crate::notify;

/// Which hook of an application an event uses; looked up anew at each use, so that a reload takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `on_connect`.
    Connect,
    /// `on_play`.
    Play,
    /// `on_publish`.
    Publish,
    /// `on_stream`.
    Stream,
    /// `on_pull`.
    Pull,
    /// The n-th `on_push` line.
    Push(usize),
    /// The n-th `on_meta` line.
    Meta(usize),
    /// `on_record`.
    Record,
}

impl Slot {
    /// The hook in force.
    pub fn hook(self, hooks: &notify::conf::Current) -> Option<&Arc<Hook>> {
        match self {
            Slot::Connect => hooks.on_connect.as_ref(),
            Slot::Play => hooks.on_play.as_ref(),
            Slot::Publish => hooks.on_publish.as_ref(),
            Slot::Stream => hooks.on_stream.as_ref(),
            Slot::Pull => hooks.on_pull.as_ref(),
            Slot::Push(index) => hooks.on_push.get(index),
            Slot::Meta(index) => hooks.on_meta.get(index),
            Slot::Record => hooks.on_record.as_ref(),
        }
    }

    /// All lines, of an event that may have several.
    pub(super) fn list(self, hooks: &notify::conf::Current) -> Option<&[Arc<Hook>]> {
        match self {
            Slot::Push(_) => Some(&hooks.on_push),
            Slot::Meta(_) => Some(&hooks.on_meta),
            Slot::Connect | Slot::Play | Slot::Publish | Slot::Stream | Slot::Pull | Slot::Record => None,
        }
    }

    /// Which of several lines it is.
    pub fn index(self) -> Option<usize> {
        match self {
            Slot::Push(index) | Slot::Meta(index) => Some(index),
            Slot::Connect | Slot::Play | Slot::Publish | Slot::Stream | Slot::Pull | Slot::Record => None,
        }
    }

    /// The line at another place of its event.
    pub(super) fn at(self, index: usize) -> Slot {
        match self {
            Slot::Push(_) => Slot::Push(index),
            Slot::Meta(_) => Slot::Meta(index),
            other => other,
        }
    }

    /// The word in `call=`.
    pub(super) fn call(self) -> Call {
        match self {
            Slot::Connect => Call::Connect,
            Slot::Play => Call::Play,
            Slot::Publish => Call::Publish,
            Slot::Stream => Call::Stream,
            Slot::Pull => Call::Pull,
            Slot::Push(_) => Call::Push,
            Slot::Meta(_) => Call::Meta,
            Slot::Record => Call::Record,
        }
    }
}
