//! Modules that take part in the requests of a location: determined once, because most modules have nothing to do in most
//! locations.

use std::sync::Arc;

use strum::EnumCount;

use super::conf::Conf;
use super::core::conf::Current as Core;
use super::http2::conf::Current as Life;

/// nginx's phases in which modules take part, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumCount, strum::EnumIter)]
pub enum Phase {
    /// Once per request, before anything else.
    PostRead,
    /// Before the location is selected.
    ServerRewrite,
    /// After the location is selected.
    Rewrite,
    /// Before access is checked.
    PreAccess,
    /// Access; `satisfy` combines the results.
    Access,
    /// Before the content.
    PreContent,
    /// The content of locations without a handler.
    Content,
}

/// Positions in a list of at most 32 entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions(u32);

impl Positions {
    /// Positions of the entries that are wanted.
    pub fn of<T>(entries: &[T], is_wanted: impl Fn(&T) -> bool) -> Positions {
        assert!(entries.len() <= 32, "the list is one of the program");
        let wanted = entries.iter().enumerate().filter(|(_, entry)| is_wanted(entry));
        Positions(wanted.fold(0, |bits, (position, _)| bits | 1 << position))
    }
}

impl Positions {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let first = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(first as usize)
    }
}

/// Modules that take part in the requests of a location, and the values that every request needs.
#[derive(Debug)]
pub struct Plan {
    pub(super) conf: Arc<Conf>,
    pub(super) core: Arc<Core>,
    pub(super) life: Arc<Life>,
    /// Position of the handler that answers the requests; most of those without are files.
    pub(super) handler: Option<usize>,
    /// Checks by phase.
    pub(super) phases: [Positions; Phase::COUNT],
    pub(super) adapters: Positions,
    pub(super) filters: Positions,
    pub(super) encodings: Positions,
    pub(super) logs: Positions,
    /// Whether the configuration uses `$realpath_root` anywhere.
    pub(super) uses_real_root: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_in_order() {
        let even = |entries: usize| {
            Positions::of(&(0..entries).collect::<Vec<_>>(), |n| n % 2 == 0).collect::<Vec<_>>()
        };
        assert_eq!(even(0), Vec::<usize>::new());
        assert_eq!(even(5), [0, 2, 4]);
        assert_eq!(even(32).last(), Some(&30));
        assert_eq!(Positions::of(&[(); 32], |()| true).count(), 32);
    }
}
