//! The lists that the helper keeps.

use super::listed::Listed;
use crate::limits;

/// Lists of configurations that were read. Those in force, now and before, are kept; of the others the last ones.
#[derive(Debug, Default)]
pub(super) struct Lists {
    last: u64,
    known: Vec<(u64, Listed)>,
    in_force: Option<u64>,
    /// In force before, for a rollback.
    before: Option<u64>,
}

impl Lists {
    /// Adds a list and returns its number: that of an equal one, if it is known.
    pub(super) fn add(&mut self, listed: Listed) -> u64 {
        if let Some((generation, _)) = self.known.iter().find(|(_, known)| *known == listed) {
            return *generation;
        }
        self.last += 1;
        self.known.push((self.last, listed));
        let kept = |generation: u64| Some(generation) == self.in_force || Some(generation) == self.before;
        let others = self.known.iter().filter(|(generation, _)| !kept(*generation)).count();
        if others > limits::HELPER_LISTS {
            // The numbers ascend.
            let oldest = self.known.iter().position(|(generation, _)| !kept(*generation));
            oldest.map(|at| self.known.remove(at));
        }
        self.last
    }

    /// The list with this number, unless it was dropped.
    pub(super) fn get(&self, generation: u64) -> Option<&Listed> {
        self.known.iter().find(|(known, _)| *known == generation).map(|(_, listed)| listed)
    }

    /// The list of the configuration in force.
    pub(super) fn in_force(&self) -> Option<&Listed> {
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
    use crate::server::helper::listed::ListedFile;
    use crate::task::rights::Purpose;

    fn listed(name: usize) -> Listed {
        let file = ListedFile { purpose: Purpose::Read, path: format!("/{name}").into() };
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
