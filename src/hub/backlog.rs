//! Packets of a stream that at least one player of a delivery worker has not been sent yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::packet::{Packet, PacketClass};

/// Packets by sequence number, without gaps; `base` is the number of the first one.
#[derive(Debug, Default)]
pub struct Backlog {
    base: u64,
    packets: VecDeque<Arc<Packet>>,
    /// Sum of the payloads in bytes.
    bytes: usize,
    /// Packets below this number were dropped although a player had not been sent them yet.
    trimmed: u64,
}

impl Backlog {
    /// Creates an empty backlog; its first packet will have the number `base`.
    pub fn starting_at(base: u64) -> Self {
        Backlog { base, ..Backlog::default() }
    }

    /// Number of the first packet, or of the next one to be appended if empty.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Number after the last packet.
    pub fn end(&self) -> u64 {
        self.base + self.packets.len() as u64
    }

    /// Sum of the payloads in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The packet with this number, if it is in the backlog.
    pub fn get(&self, seq: u64) -> Option<&Arc<Packet>> {
        let index = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.packets.get(index)
    }

    /// Packets from `seq` on.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Packet>> {
        let skip = usize::try_from(seq.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.packets.range(skip.min(self.packets.len())..)
    }

    /// Appends packets fetched from the stream. `start` is the number of the first one; a gap (the stream dropped
    /// packets before they were fetched) empties the backlog first.
    ///
    /// Returns the number of packets lost in the gap.
    pub fn append(&mut self, start: u64, packets: impl IntoIterator<Item = Arc<Packet>>) -> u64 {
        let lost = start.saturating_sub(self.end());
        if lost > 0 {
            self.packets.clear();
            self.bytes = 0;
            self.base = start;
        }
        let bytes = &mut self.bytes;
        self.packets.extend(packets.into_iter().inspect(|packet| *bytes += packet.payload().len()));
        lost
    }

    /// Inserts older packets at the front, for a player that starts in the past. `packets` must end where the backlog
    /// begins.
    pub fn prepend(&mut self, packets: impl DoubleEndedIterator<Item = Arc<Packet>>) {
        for packet in packets.rev() {
            self.bytes += packet.payload().len();
            self.packets.push_front(packet);
            self.base -= 1;
        }
    }

    /// Drops all packets below `seq`.
    pub fn release(&mut self, seq: u64) {
        let n = usize::try_from(seq.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.packets.len());
        self.bytes -= self.packets.drain(..n).map(|packet| packet.payload().len()).sum::<usize>();
        self.base += n as u64;
        if self.packets.is_empty() && self.packets.capacity() > 256 {
            self.packets.shrink_to(64);
        }
    }

    /// Drops the oldest packets until the payloads sum to at most `most` bytes; the newest packet stays.
    pub fn trim(&mut self, most: usize) {
        if self.bytes <= most {
            return;
        }
        let mut left = self.bytes;
        let over = |packet: &&Arc<Packet>| {
            let over = left > most;
            left -= packet.payload().len();
            over
        };
        let n = self.packets.iter().take_while(over).count().min(self.packets.len() - 1);
        self.release(self.base + n as u64);
        self.trimmed = self.base;
    }

    /// Whether the packet with this number was dropped by [`Backlog::trim`].
    pub fn was_trimmed(&self, seq: u64) -> bool {
        seq < self.trimmed
    }

    /// Number of the newest key frame at or above `from`.
    pub fn newest_key(&self, from: u64) -> Option<u64> {
        let skip =
            usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.packets.len());
        self.packets
            .range(skip..)
            .rposition(|p| p.class() == PacketClass::Key)
            .map(|i| self.base + (skip + i) as u64)
    }

    /// Duration in milliseconds between `seq` and the end, measured within one track, since tracks may use different
    /// clocks.
    pub fn span_from(&self, seq: u64) -> u32 {
        let Some(first) = self.get(seq) else { return 0 };
        // Tracks are interleaved, so the last packet of the track is near the end.
        let last = self.packets.iter().rev().find(|last| last.kind() == first.kind());
        let span = last.map_or(0, |last| last.timestamp().wrapping_sub(first.timestamp()));
        u32::try_from(span.cast_signed()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MediaKind;
    use bytes::Bytes;

    fn packet(class: PacketClass, timestamp: u32) -> Arc<Packet> {
        Arc::new(Packet::new(MediaKind::Video, class, timestamp, 0, Bytes::from_static(b"x"), 4096))
    }

    #[test]
    fn numbers_survive_release_and_prepend() {
        let mut backlog = Backlog::starting_at(10);
        backlog.append(10, (0..5).map(|i| packet(PacketClass::Inter, i)));
        backlog.release(13);
        assert_eq!((backlog.base(), backlog.end()), (13, 15));
        assert_eq!(backlog.get(13).map(|p| p.timestamp()), Some(3));
        backlog.prepend([packet(PacketClass::Key, 1), packet(PacketClass::Inter, 2)].into_iter());
        assert_eq!(backlog.base(), 11);
        assert_eq!(backlog.newest_key(0), Some(11));
        assert_eq!(backlog.newest_key(12), None);
        assert_eq!(backlog.span_from(11), 3);
    }

    #[test]
    fn the_oldest_packets_go_when_there_are_too_many_bytes() {
        let mut backlog = Backlog::starting_at(0);
        backlog.append(0, (0..10).map(|i| packet(PacketClass::Inter, i)));
        backlog.trim(10);
        assert_eq!((backlog.base(), backlog.was_trimmed(0)), (0, false));
        backlog.trim(4);
        assert_eq!((backlog.base(), backlog.end()), (6, 10));
        assert_eq!((backlog.was_trimmed(5), backlog.was_trimmed(6)), (true, false));
        backlog.prepend([packet(PacketClass::Key, 5)].into_iter());
        backlog.release(7);
        backlog.trim(0);
        assert_eq!((backlog.base(), backlog.end()), (9, 10));
        backlog.append(20, [packet(PacketClass::Key, 20)]);
        backlog.trim(1);
        assert_eq!(backlog.base(), 20);
    }

    #[test]
    fn a_span_is_measured_within_a_track_and_across_the_wrap() {
        let mut backlog = Backlog::starting_at(0);
        let audio =
            |at| Arc::new(Packet::new(MediaKind::Audio, PacketClass::Audio, at, 0, Bytes::new(), 4096));
        let begin = u32::MAX - 10;
        backlog.append(
            0,
            [
                packet(PacketClass::Key, begin),
                audio(9_000),
                packet(PacketClass::Inter, begin.wrapping_add(40)),
            ],
        );
        backlog.append(3, [audio(9_030)]);
        assert_eq!((backlog.span_from(0), backlog.span_from(1)), (40, 30));
    }

    #[test]
    fn a_gap_empties_the_backlog_and_is_counted() {
        let mut backlog = Backlog::starting_at(0);
        backlog.append(0, [packet(PacketClass::Key, 0)]);
        assert_eq!(backlog.append(5, [packet(PacketClass::Key, 5)]), 4);
        assert_eq!((backlog.base(), backlog.end()), (5, 6));
    }
}
