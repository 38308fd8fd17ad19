//! The packets of a stream that some player of a delivery worker has yet to be sent.

use std::collections::VecDeque;
use std::sync::Arc;

use super::packet::{Class, Packet};

/// Packets by sequence number, without gaps: `base` is the number of the first one.
#[derive(Debug, Default)]
pub struct Backlog {
    base: u64,
    packets: VecDeque<Arc<Packet>>,
}

impl Backlog {
    /// An empty backlog whose first packet will have the number `base`.
    pub fn starting_at(base: u64) -> Self {
        Backlog { base, packets: VecDeque::new() }
    }

    /// Number of the first packet held (or of the next one to come, when empty).
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Number that follows the last packet held.
    pub fn end(&self) -> u64 {
        self.base + self.packets.len() as u64
    }

    /// The packet with this number, if it is held.
    pub fn get(&self, seq: u64) -> Option<&Arc<Packet>> {
        let index = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.packets.get(index)
    }

    /// Packets from `seq` on.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Packet>> {
        let skip = usize::try_from(seq.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.packets.range(skip.min(self.packets.len())..)
    }

    /// Appends what was fetched from the stream. `start` is the number of the first packet; a gap (the stream
    /// dropped packets before they were fetched) empties the backlog first.
    ///
    /// Returns the packets lost in the gap.
    pub fn append(&mut self, start: u64, packets: impl IntoIterator<Item = Arc<Packet>>) -> u64 {
        let lost = start.saturating_sub(self.end());
        if lost > 0 {
            self.packets.clear();
            self.base = start;
        }
        self.packets.extend(packets);
        lost
    }

    /// Puts older packets in front, for a player that starts in the past. `packets` must end where the
    /// backlog begins.
    pub fn prepend(&mut self, packets: impl DoubleEndedIterator<Item = Arc<Packet>>) {
        for packet in packets.rev() {
            self.packets.push_front(packet);
            self.base -= 1;
        }
    }

    /// Forgets everything below `seq`.
    pub fn release(&mut self, seq: u64) {
        let n = usize::try_from(seq.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.packets.len());
        self.packets.drain(..n);
        self.base += n as u64;
        if self.packets.is_empty() && self.packets.capacity() > 256 {
            self.packets.shrink_to(64);
        }
    }

    /// Number of the newest key frame at or above `from`.
    pub fn newest_key(&self, from: u64) -> Option<u64> {
        let skip =
            usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.packets.len());
        self.packets
            .range(skip..)
            .rposition(|p| p.class() == Class::Key)
            .map(|i| self.base + (skip + i) as u64)
    }

    /// Milliseconds of media between `seq` and the end.
    pub fn span_from(&self, seq: u64) -> u32 {
        match (self.get(seq), self.packets.back()) {
            (Some(first), Some(last)) => last.timestamp().saturating_sub(first.timestamp()),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MediaKind;
    use bytes::Bytes;

    fn packet(class: Class, timestamp: u32) -> Arc<Packet> {
        Arc::new(Packet::new(MediaKind::Video, class, timestamp, 0, Bytes::from_static(b"x"), 4096))
    }

    #[test]
    fn numbers_survive_release_and_prepend() {
        let mut backlog = Backlog::starting_at(10);
        backlog.append(10, (0..5).map(|i| packet(Class::Inter, i)));
        backlog.release(13);
        assert_eq!((backlog.base(), backlog.end()), (13, 15));
        assert_eq!(backlog.get(13).map(|p| p.timestamp()), Some(3));
        backlog.prepend([packet(Class::Key, 1), packet(Class::Inter, 2)].into_iter());
        assert_eq!(backlog.base(), 11);
        assert_eq!(backlog.newest_key(0), Some(11));
        assert_eq!(backlog.newest_key(12), None);
        assert_eq!(backlog.span_from(11), 3);
    }

    #[test]
    fn a_gap_empties_the_backlog_and_is_counted() {
        let mut backlog = Backlog::starting_at(0);
        backlog.append(0, [packet(Class::Key, 0)]);
        assert_eq!(backlog.append(5, [packet(Class::Key, 5)]), 4);
        assert_eq!((backlog.base(), backlog.end()), (5, 6));
    }
}
