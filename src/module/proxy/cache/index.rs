//! Index of a zone: what is known of each key, and in which order keys were used. No I/O.
//!
//! A key is entered by each request that uses it and left when that has done with it. One of them at a time may replace its
//! response: the one that has its token.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::key::Key;

/// Bytes of nginx's memory for a key, by which the size of a zone bounds the number of keys.
const NODE: u64 = 128;
/// Bytes of a zone that hold no keys.
const OVERHEAD: u64 = 8192;

/// The keys of a zone.
#[derive(Debug)]
pub(super) struct Index {
    most: usize,
    nodes: HashMap<Key, Node>,
    /// Keys by their last use, the earliest first.
    order: BTreeMap<u64, Key>,
    turn: u64,
    /// Bytes of all files.
    size: u64,
    token: u64,
}

#[derive(Debug)]
struct Node {
    turn: u64,
    expires: Instant,
    uses: u64,
    /// Requests that use it.
    users: u32,
    has_file: bool,
    size: u64,
    /// Token of the request that replaces it.
    updating: Option<u64>,
    /// Until when others wait for that.
    locked: Option<Instant>,
    /// Status that is answered without a file, and until when in seconds since 1970.
    error: Option<(u16, i64)>,
}

/// What was found of a key that is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// Nothing was known.
    New,
    /// It is known; whether it has a file.
    Known(bool),
    /// It was not asked for often enough to be kept.
    Scarce,
    /// A status is answered without a file.
    Error(u16),
    /// No more keys fit.
    Full,
}

impl Index {
    /// An index for a zone of a size in bytes.
    pub(super) fn new(size: u64) -> Index {
        let most = usize::try_from(size.saturating_sub(OVERHEAD) / NODE).unwrap_or(usize::MAX).max(1);
        Index { most, nodes: HashMap::new(), order: BTreeMap::new(), turn: 0, size: 0, token: 0 }
    }

    /// Bytes of all files.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no other key fits.
    pub(super) fn is_full(&self) -> bool {
        self.nodes.len() >= self.most
    }

    /// Enters a key. `seconds` is the time since 1970. A full index takes no key that it does not know.
    pub(super) fn enter(
        &mut self,
        key: &Key,
        min_uses: u64,
        inactive: Duration,
        now: Instant,
        seconds: i64,
    ) -> Entered {
        let is_full = self.is_full();
        self.turn += 1;
        let (turn, expires) = (self.turn, now + inactive);
        let Some(node) = self.nodes.get_mut(key) else {
            if is_full {
                return Entered::Full;
            }
            let mut node = Node::new(turn, expires);
            (node.uses, node.users) = (1, 1);
            self.nodes.insert(*key, node);
            self.order.insert(turn, *key);
            return if min_uses > 1 { Entered::Scarce } else { Entered::New };
        };
        self.order.remove(&node.turn);
        self.order.insert(turn, *key);
        (node.turn, node.expires) = (turn, expires);
        node.uses += 1;
        node.users += 1;
        if let Some((status, until)) = node.error {
            if until >= seconds {
                return Entered::Error(status);
            }
            node.error = None;
            self.size -= std::mem::take(&mut node.size);
            node.has_file = false;
            return Entered::New;
        }
        if node.has_file || node.uses >= min_uses { Entered::Known(node.has_file) } else { Entered::Scarce }
    }

    /// Begins to replace the response of a key, unless another request does that and its lock is not too old. Returns the token.
    pub(super) fn begin(&mut self, key: &Key, age: Option<Duration>, now: Instant) -> Option<u64> {
        let node = self.nodes.get_mut(key)?;
        let is_late = age.is_some() && node.locked.is_none_or(|until| until <= now);
        if node.updating.is_some() && !is_late {
            return None;
        }
        self.token += 1;
        node.updating = Some(self.token);
        if let Some(age) = age {
            node.locked = Some(now + age);
        }
        Some(self.token)
    }

    /// The end of the lock of a key, after which another request may replace its response, too; `None` if no request replaces it.
    pub(super) fn locked(&self, key: &Key, now: Instant) -> Option<Instant> {
        let node = self.nodes.get(key)?;
        node.locked.filter(|until| node.updating.is_some() && *until > now)
    }

    /// Leaves a key that was entered, perhaps with a status that is to be answered without a file until a time. A key of which
    /// nothing else is known is forgotten, unless its uses are counted (`proxy_cache_min_uses`).
    pub(super) fn leave(&mut self, key: &Key, token: Option<u64>, error: Option<(u16, i64)>, counts: bool) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        node.users = node.users.saturating_sub(1);
        if token.is_some() && node.updating == token {
            node.updating = None;
        }
        if error.is_some() {
            node.error = error;
        }
        if node.users == 0 && !node.has_file && node.error.is_none() && !counts {
            self.remove(key);
        }
    }

    /// A key has a new file of a size.
    pub(super) fn filled(&mut self, key: &Key, size: u64) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        self.size = self.size - node.size + size;
        (node.size, node.has_file, node.error, node.updating) = (size, true, None, None);
    }

    /// A file was found on the disk. Returns whether it was taken, which it is not if no more keys fit.
    pub(super) fn found(&mut self, key: &Key, size: u64, inactive: Duration, now: Instant) -> bool {
        let is_full = self.is_full();
        match self.nodes.get_mut(key) {
            Some(node) if node.has_file => true,
            Some(node) => {
                (node.size, node.has_file) = (size, true);
                self.size += size;
                true
            }
            None if is_full => false,
            None => {
                self.turn += 1;
                let mut node = Node::new(self.turn, now + inactive);
                (node.uses, node.size, node.has_file) = (1, size, true);
                self.nodes.insert(*key, node);
                self.order.insert(self.turn, *key);
                self.size += size;
                true
            }
        }
    }

    /// The file of a key is gone.
    pub(super) fn lost(&mut self, key: &Key) {
        if let Some(node) = self.nodes.get_mut(key) {
            self.size -= std::mem::take(&mut node.size);
            node.has_file = false;
            if node.users == 0 {
                self.remove(key);
            }
        }
    }

    /// Removes the key that was not used for the longest time, unless that is too recent, and returns it with whether it
    /// has a file. Those that requests use stay.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<(Key, bool)> {
        let key = self.oldest(|node| node.expires <= now)?;
        self.take(key)
    }

    /// Removes the key that was not used for the longest time, as [`Index::take_expired`] does.
    pub(super) fn take_oldest(&mut self) -> Option<(Key, bool)> {
        let key = self.oldest(|_| true)?;
        self.take(key)
    }

    fn take(&mut self, key: Key) -> Option<(Key, bool)> {
        let has_file = self.remove(&key)?.has_file;
        Some((key, has_file))
    }

    fn oldest(&self, counts: impl Fn(&Node) -> bool) -> Option<Key> {
        let nodes = self.order.values().filter_map(|key| Some((key, self.nodes.get(key)?)));
        nodes.take_while(|(_, node)| counts(node)).find(|(_, node)| node.users == 0).map(|(key, _)| *key)
    }

    fn remove(&mut self, key: &Key) -> Option<Node> {
        let node = self.nodes.remove(key)?;
        self.order.remove(&node.turn);
        self.size -= node.size;
        Some(node)
    }
}

impl Node {
    fn new(turn: u64, expires: Instant) -> Node {
        Node {
            turn,
            expires,
            uses: 0,
            users: 0,
            has_file: false,
            size: 0,
            updating: None,
            locked: None,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key(number: u8) -> Key {
        [number; 16]
    }

    fn enter(index: &mut Index, number: u8, now: Instant) -> Entered {
        index.enter(&key(number), 1, MINUTE, now, 0)
    }

    #[test]
    fn a_key_is_known_with_its_file() {
        let (mut index, now) = (Index::new(1 << 20), Instant::now());
        assert_eq!(enter(&mut index, 1, now), Entered::New);
        let token = index.begin(&key(1), None, now);
        assert!(token.is_some());
        assert_eq!(enter(&mut index, 1, now), Entered::Known(false));
        assert_eq!(index.begin(&key(1), None, now), None);
        index.filled(&key(1), 100);
        index.leave(&key(1), token, None, false);
        index.leave(&key(1), None, None, false);
        assert_eq!(enter(&mut index, 1, now), Entered::Known(true));
        assert_eq!((index.size(), index.len()), (100, 1));
        index.lost(&key(1));
        assert_eq!((index.size(), enter(&mut index, 1, now)), (0, Entered::Known(false)));
    }

    #[test]
    fn a_key_that_nothing_came_of_is_forgotten() {
        let (mut index, now) = (Index::new(1 << 20), Instant::now());
        enter(&mut index, 1, now);
        index.leave(&key(1), None, None, false);
        assert_eq!(index.len(), 0);
    }

    #[test]
    fn a_lock_is_bounded_by_its_age() {
        let (mut index, now) = (Index::new(1 << 20), Instant::now());
        enter(&mut index, 1, now);
        enter(&mut index, 1, now);
        let first = index.begin(&key(1), Some(MINUTE), now);
        assert_eq!(index.begin(&key(1), Some(MINUTE), now), None);
        assert_eq!(index.locked(&key(1), now), Some(now + MINUTE));
        let second = index.begin(&key(1), Some(MINUTE), now + MINUTE);
        assert!(second.is_some() && second != first);
        // The first one, which was late, does not end the lock of the second.
        index.leave(&key(1), first, None, false);
        assert!(index.locked(&key(1), now + MINUTE).is_some());
    }

    #[test]
    fn uses_are_counted_before_a_response_is_kept() {
        let (mut index, now) = (Index::new(1 << 20), Instant::now());
        let use_it = |index: &mut Index| {
            let found = index.enter(&key(1), 3, MINUTE, now, 0);
            index.leave(&key(1), None, None, true);
            found
        };
        let found = [(); 3].map(|()| use_it(&mut index));
        assert_eq!(found, [Entered::Scarce, Entered::Scarce, Entered::Known(false)]);
    }

    #[test]
    fn errors_are_answered_until_their_time() {
        let (mut index, now) = (Index::new(1 << 20), Instant::now());
        enter(&mut index, 1, now);
        index.leave(&key(1), None, Some((502, 10)), false);
        assert_eq!(index.enter(&key(1), 1, MINUTE, now, 10), Entered::Error(502));
        assert_eq!(index.enter(&key(1), 1, MINUTE, now, 11), Entered::New);
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let (mut index, now) = (Index::new(1 << 20), Instant::now());
        for number in 1..4 {
            assert!(index.found(&key(number), 10, MINUTE, now));
        }
        enter(&mut index, 1, now);
        index.leave(&key(1), None, None, false);
        enter(&mut index, 2, now);
        assert_eq!(index.take_expired(now), None);
        assert_eq!(index.take_oldest(), Some((key(3), true)));
        // The second one is in use.
        assert_eq!(index.take_expired(now + MINUTE), Some((key(1), true)));
        assert_eq!((index.take_oldest(), index.size()), (None, 10));
    }

    #[test]
    fn a_full_zone_takes_no_more_keys() {
        let (mut index, now) = (Index::new(OVERHEAD + 2 * NODE), Instant::now());
        assert_eq!(
            [1, 2, 3].map(|number| enter(&mut index, number, now)),
            [Entered::New, Entered::New, Entered::Full]
        );
        assert!(!index.found(&key(4), 1, MINUTE, now));
    }
}
