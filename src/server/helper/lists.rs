//! What the helper keeps of configurations, and what the serving process keeps beside it.

use crate::limits;

/// What is known of configurations that were read, by number. Those in force, now and before, are kept; of the others the
/// last ones. Both sides forget the same ones.
#[derive(Debug)]
pub(super) struct Lists<T> {
    /// The numbers ascend.
    known: Vec<(u64, T)>,
    in_force: Option<u64>,
    /// In force before, for a rollback.
    before: Option<u64>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists { known: Vec::new(), in_force: None, before: None }
    }
}

impl<T: PartialEq> Lists<T> {
    /// Adds a list and returns its number: that of an equal one, if it is known.
    pub(super) fn add(&mut self, listed: T) -> u64 {
        if let Some((generation, _)) = self.known.iter().find(|(_, known)| *known == listed) {
            return *generation;
        }
        // The newest is never the one that is dropped.
        let next = self.known.last().map_or(1, |(last, _)| last + 1);
        self.put(next, listed);
        next
    }
}

impl<T> Lists<T> {
    /// Adds or replaces what has this number, which is at most one above the highest so far.
    pub(super) fn put(&mut self, generation: u64, listed: T) {
        match self.known.iter_mut().find(|(known, _)| *known == generation) {
            Some((_, known)) => *known = listed,
            None => self.known.push((generation, listed)),
        }
        let kept = |generation: u64| Some(generation) == self.in_force || Some(generation) == self.before;
        let others = self.known.iter().filter(|(generation, _)| !kept(*generation)).count();
        if others > limits::HELPER_LISTS {
            let oldest = self.known.iter().position(|(generation, _)| !kept(*generation));
            oldest.map(|at| self.known.remove(at));
        }
    }

    /// All of them with their numbers, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (u64, &T)> {
        self.known.iter().rev().map(|(generation, listed)| (*generation, listed))
    }

    /// The list with this number, unless it was dropped.
    pub(super) fn get(&self, generation: u64) -> Option<&T> {
        self.known.iter().find(|(known, _)| *known == generation).map(|(_, listed)| listed)
    }

    /// The list of the configuration in force.
    pub(super) fn in_force(&self) -> Option<&T> {
        self.in_force.and_then(|generation| self.get(generation))
    }

    /// Sets which list is that of the configuration in force. Returns whether it is known.
    pub(super) fn set_in_force(&mut self, generation: u64) -> bool {
        if self.get(generation).is_none() {
            return false;
        }
        if self.in_force != Some(generation) {
            self.before = self.in_force.replace(generation);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::helper::listed::{Listed, ListedFile};
    use crate::task::rights::OpenMode;

    fn listed(name: usize) -> Listed {
        let file = ListedFile { mode: OpenMode::Read, path: format!("/{name}").into() };
        Listed { files: vec![file], addresses: Vec::new() }
    }

    #[test]
    fn lists_that_were_not_put_in_force_are_dropped_the_oldest_first() {
        let mut lists = Lists::default();
        let (first, second) = (lists.add(listed(1)), lists.add(listed(2)));
        assert!(lists.set_in_force(first) && lists.set_in_force(second) && lists.set_in_force(second));
        for name in 3..3 + limits::HELPER_LISTS + 2 {
            lists.add(listed(name));
        }
        assert_eq!(lists.get(second), lists.in_force());
        assert!(lists.get(first).is_some(), "a rollback needs it");
        assert!(lists.get(3).is_none() && lists.get(4).is_none() && lists.get(5).is_some());
        assert!(!lists.set_in_force(3));
        assert_eq!(lists.add(listed(2)), second);
        assert_eq!(lists.known.len(), limits::HELPER_LISTS + 2);
    }
}
