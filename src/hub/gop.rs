//! Packets that a stream keeps: the GOP cache, and packets that delivery workers have not fetched yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::packet::{Lane, Packet, PacketClass};
use crate::limits;
use crate::wire::MediaKind;

/// Size of a stream's GOP cache (`cache_time`, `out_queue`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Media in milliseconds that complete GOPs must cover; 0 disables the cache.
    pub cache_time: u32,
    /// Maximum number of packets.
    pub out_queue: usize,
}

/// Start position of a new player (`cache_time`, `send_all`, `low_latency`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartSettings {
    /// Media to start with, in milliseconds; 0 starts with the next packet.
    pub cache_time: u32,
    /// Whether to start with the oldest GOP in the cache.
    pub send_all: bool,
    /// Whether to start with the newest key frame.
    pub low_latency: bool,
}

/// Where a player goes on that was sent the media before from elsewhere, such as a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// Number of the first video packet, a key frame.
    pub video: u64,
    /// Number of the first audio packet.
    pub audio: u64,
    /// Number of the first packet of another kind.
    pub others: u64,
}

impl Continuation {
    /// All packets from this number on.
    pub fn all(first: u64) -> Self {
        Continuation { video: first, audio: first, others: first }
    }

    /// Number of the first packet.
    pub fn first(&self) -> u64 {
        self.video.min(self.audio).min(self.others)
    }

    /// Number of the first packet of this kind.
    pub fn of(&self, kind: MediaKind) -> u64 {
        match kind {
            MediaKind::Video => self.video,
            MediaKind::Audio => self.audio,
            MediaKind::Data => self.others,
        }
    }
}

/// Packets by sequence number, pruned to complete GOPs.
#[derive(Debug)]
pub struct Ring {
    settings: CacheSettings,
    base: u64,
    packets: VecDeque<Arc<Packet>>,
    /// Key frames in the ring, oldest first.
    keys: VecDeque<KeyFrame>,
    bytes: usize,
    has_video: bool,
    /// Timestamp of the newest video frame.
    newest_frame: Option<u32>,
    /// The newest key frame with its number, while `wanted` keys are still to be kept. The cache may hold none.
    picture: Option<(u64, Arc<Packet>)>,
    /// Number of key frames that are to be kept in `picture`.
    wanted: u32,
}

/// Properties of a key frame that pruning needs for each new packet. Kept here because the packet itself has left the
/// processor's cache by then.
#[derive(Clone, Copy, Debug)]
struct KeyFrame {
    seq: u64,
    timestamp: u32,
}

impl Ring {
    /// An empty ring.
    pub fn new(settings: CacheSettings) -> Self {
        Ring {
            settings,
            base: 0,
            packets: VecDeque::new(),
            keys: VecDeque::new(),
            bytes: 0,
            has_video: false,
            newest_frame: None,
            picture: None,
            wanted: 0,
        }
    }

    /// Begins another publisher: the former one's packets can no longer start a player.
    pub fn start_publisher(&mut self, settings: CacheSettings) {
        self.settings = settings;
        self.keys.clear();
        self.picture = None;
        self.has_video = false;
    }

    /// Adds a packet.
    pub fn push(&mut self, packet: Arc<Packet>) {
        match packet.class() {
            PacketClass::Key => {
                self.keys.push_back(KeyFrame { seq: self.end(), timestamp: packet.timestamp() });
                self.wanted = self.wanted.saturating_sub(1);
                self.picture = (self.wanted > 0).then(|| (self.end(), packet.clone()));
                self.newest_frame = Some(packet.timestamp());
                self.has_video = true;
            }
            // Another track may use another clock.
            PacketClass::Inter if packet.lane().place().is_some() => self.has_video = true,
            PacketClass::Inter => {
                self.newest_frame = Some(packet.timestamp());
                self.has_video = true;
            }
            // New parameter sets: after the headers that a new player gets, older frames cannot be decoded.
            PacketClass::VideoHeader => {
                self.keys.clear();
                self.picture = None;
                self.has_video = true;
            }
            _ => {}
        }
        self.bytes += packet.payload().len();
        self.packets.push_back(packet);
    }

    /// Drops packets that neither the cache nor a worker needs, and the oldest ones while the payloads sum to more than
    /// `most` bytes. `fetched` is the lowest number that a worker still needs.
    pub fn prune(&mut self, fetched: u64, most: usize) {
        let mut floor = self.cache_start().unwrap_or(self.end()).min(fetched);
        let limit = self.settings.out_queue.max(1) as u64;
        floor = floor.max(self.end().saturating_sub(limit));
        self.drop_below(floor);
        while self.bytes > most && self.packets.len() > 1 {
            self.drop_below(self.base + 1);
        }
    }

    /// Number of the packet with which a new player starts.
    pub fn start_for(&self, start: StartSettings) -> u64 {
        if start.cache_time == 0 || self.settings.cache_time == 0 {
            return self.end();
        }
        if !self.has_video {
            return self.first_within(start.cache_time).unwrap_or(self.end());
        }
        let chosen = if start.low_latency {
            self.keys.back().map(|key| key.seq)
        } else if start.send_all {
            self.keys.front().map(|key| key.seq)
        } else {
            self.key_covering(start.cache_time)
        };
        chosen.unwrap_or(self.end())
    }

    /// Where a player goes on that has the video up to and including the frame with timestamp `video`, and the audio up to and
    /// including the frame with timestamp `audio`, which may differ by less than half a frame; `None` for a kind that it
    /// has not. `None` if the ring does not have all that follows, or if no key frame follows.
    pub fn continuation(&self, video: Option<u32>, audio: Option<u32>) -> Option<Continuation> {
        let frames = |lane: Lane| {
            let is_frame = move |packet: &Packet| packet.lane() == lane && packet.header().is_none();
            (self.base..).zip(&self.packets).filter(move |(_, packet)| is_frame(packet))
        };
        let after_audio = |sent: u32| {
            let distance =
                |packet: &Packet| packet.timestamp().wrapping_sub(sent).cast_signed().unsigned_abs();
            let near =
                frames(Lane::main(MediaKind::Audio)).map(|(number, packet)| (number, distance(packet)));
            let near = near.filter(|(_, distance)| *distance <= limits::CONTINUED_AUDIO);
            near.min_by_key(|(_, distance)| *distance).map(|(number, _)| number + 1)
        };
        let Some(sent) = video else {
            let audio = after_audio(audio?)?;
            return (!self.has_video).then_some(Continuation { video: audio, audio, others: audio });
        };
        let mut next = frames(Lane::main(MediaKind::Video))
            .skip_while(|(_, packet)| packet.timestamp() != sent)
            .skip_while(|(_, packet)| packet.timestamp() == sent);
        let key = next.next()?.0;
        // A header empties the list: frames before it cannot start a player.
        self.keys.iter().rev().find(|found| found.seq == key)?;
        let audio = match audio {
            Some(sent) => after_audio(sent)?,
            None => key,
        };
        Some(Continuation { video: key, audio, others: key })
    }

    /// As [`continuation`](Self::continuation), of a stream of pieces, for a player that has all pieces up to and including the one that
    /// `is_last` recognises: the number of the next piece, if players may start with it.
    pub fn behind_piece(&self, is_last: impl Fn(&[u8]) -> bool) -> Option<u64> {
        let next = self.piece(is_last)? + 1;
        self.keys.iter().any(|key| key.seq == next).then_some(next)
    }

    /// Where a player of pieces goes on behind a gap: with the oldest key piece behind the one that `is_last` recognises; if
    /// the ring has lost that one, with the oldest key piece. Without a key piece, the end.
    pub fn key_piece(&self, is_last: impl Fn(&[u8]) -> bool) -> u64 {
        let last = self.piece(is_last);
        let is_behind = |key: &&KeyFrame| last.is_none_or(|last| key.seq > last);
        self.keys.iter().find(is_behind).map_or(self.end(), |key| key.seq)
    }

    /// Number of the newest piece that `fits`.
    fn piece(&self, fits: impl Fn(&[u8]) -> bool) -> Option<u64> {
        let place = self.packets.iter().rposition(|packet| fits(packet.payload()))?;
        Some(self.base + place as u64)
    }

    /// The oldest key frame behind timestamp `after`; without video, or without such a key frame, the end.
    pub fn key_behind(&self, after: u32) -> u64 {
        let is_behind = |key: &&KeyFrame| key.timestamp.wrapping_sub(after).cast_signed() > 0;
        self.keys.iter().find(is_behind).map_or(self.end(), |key| key.seq)
    }

    /// The newest key frame, with its number. The next ones are kept even if the cache is off, for
    /// [`limits::KEY_FRAMES_FOR_PICTURES`] key frames after the last request.
    pub fn newest_key(&mut self) -> Option<(u64, &Arc<Packet>)> {
        // One more: it reaches zero with the key frame that is no longer kept.
        self.wanted = limits::KEY_FRAMES_FOR_PICTURES + 1;
        let cached = self.keys.back().and_then(|key| {
            let place = usize::try_from(key.seq.checked_sub(self.base)?).ok()?;
            Some((key.seq, self.packets.get(place)?))
        });
        cached.or_else(|| self.picture.as_ref().map(|(seq, packet)| (*seq, packet)))
    }

    /// Packets from `seq` on with the number of the first one, which is higher if older packets were dropped.
    pub fn from(&self, seq: u64) -> (u64, impl DoubleEndedIterator<Item = &Arc<Packet>>) {
        let first = seq.clamp(self.base, self.end());
        (first, self.packets.range((first - self.base) as usize..))
    }

    /// Number after the last packet.
    pub fn end(&self) -> u64 {
        self.base + self.packets.len() as u64
    }

    /// Number of packets.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether the ring is empty.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn cache_start(&self) -> Option<u64> {
        match self.settings.cache_time {
            0 => None,
            time if self.has_video => self.key_covering(time),
            time => self.first_within(time),
        }
    }

    /// The newest key frame that is at least `time` milliseconds old, else the oldest.
    fn key_covering(&self, time: u32) -> Option<u64> {
        // Audio may use another clock, and 32 bits wrap after 49.7 days.
        let newest = self.newest_frame?;
        let old_enough = |key: &&KeyFrame| since(newest, key.timestamp) >= time;
        self.keys.iter().rev().find(old_enough).or(self.keys.front()).map(|key| key.seq)
    }

    /// The oldest packet that is at most `time` milliseconds old.
    fn first_within(&self, time: u32) -> Option<u64> {
        // A data message may be ahead of the media.
        let newest = self.packets.iter().rev().find(|packet| packet.kind() != MediaKind::Data)?.timestamp();
        let index = self.packets.partition_point(|p| since(newest, p.timestamp()) > time);
        Some(self.base + index as u64)
    }

    fn drop_below(&mut self, floor: u64) {
        while self.base < floor {
            let Some(packet) = self.packets.pop_front() else { break };
            self.bytes -= packet.payload().len();
            self.base += 1;
        }
        while self.keys.front().is_some_and(|key| key.seq < self.base) {
            self.keys.pop_front();
        }
    }
}

/// Time from `timestamp` to `newest`, modulo 2^32; 0 if `timestamp` is later.
fn since(newest: u32, timestamp: u32) -> u32 {
    u32::try_from(newest.wrapping_sub(timestamp).cast_signed()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const CACHE: CacheSettings = CacheSettings { cache_time: 2000, out_queue: 2048 };

    fn start(cache_time: u32, send_all: bool, low_latency: bool) -> StartSettings {
        StartSettings { cache_time, send_all, low_latency }
    }

    /// One frame every 100 ms, a key frame every second.
    fn filled(settings: CacheSettings, frames: u32) -> Ring {
        let mut ring = Ring::new(settings);
        for i in 0..frames {
            let class = if i % 10 == 0 { PacketClass::Key } else { PacketClass::Inter };
            ring.push(Arc::new(Packet::new(
                MediaKind::Video,
                class,
                i * 100,
                100,
                Bytes::from_static(b"x"),
                4096,
            )));
            ring.prune(u64::MAX, usize::MAX);
        }
        ring
    }

    #[test]
    fn keeps_whole_gops_that_cover_the_time() {
        let ring = filled(CACHE, 58); // newest 5700
        assert_eq!(ring.start_for(start(2000, true, false)), 30); // 3000 is 2.7 s old, 4000 only 1.7
        assert_eq!(ring.start_for(start(1000, false, false)), 40);
        assert_eq!(ring.start_for(start(2000, false, true)), 50);
        assert_eq!(ring.len(), 28);
    }

    #[test]
    fn a_player_goes_on_behind_the_last_frames_of_a_recording() {
        let mut ring = Ring::new(CACHE);
        let packet =
            |kind, class, at| Arc::new(Packet::new(kind, class, at, 40, Bytes::from_static(b"x"), 4096));
        // A picture each 40 ms, a key frame each 400, and behind it the sound of 60 ms before.
        for at in (1_000..5_000).step_by(40) {
            let class = if at % 400 == 200 { PacketClass::Key } else { PacketClass::Inter };
            ring.push(packet(MediaKind::Video, class, at));
            ring.push(packet(MediaKind::Audio, PacketClass::Audio, at - 60));
            ring.prune(u64::MAX, usize::MAX);
        }
        let next = ring.continuation(Some(4_160), Some(4_102)).unwrap();
        // The sound at 4,100 came with the picture at 4,160.
        assert_eq!(next, Continuation { video: 160, audio: 160, others: 160 });
        let next = ring.continuation(Some(4_160), Some(4_179)).unwrap();
        assert_eq!((next.video, next.audio, next.first()), (160, 164, 160));
        let next = ring.continuation(Some(4_160), None).unwrap();
        assert_eq!((next.of(MediaKind::Video), next.of(MediaKind::Audio)), (160, 160));
        // No key frame follows, nothing follows, the picture has left the ring, or the sound is nowhere.
        for (video, audio) in [(4_200, 4_102), (4_960, 4_102), (960, 900), (4_160, 1_000), (4_160, 16_505)] {
            assert_eq!(ring.continuation(Some(video), Some(audio)), None, "{video} {audio}");
        }
        assert_eq!(
            (ring.key_behind(4_199), ring.key_behind(4_200), ring.key_behind(4_999)),
            (160, 180, ring.end())
        );
        ring.start_publisher(CACHE);
        assert_eq!(ring.continuation(Some(4_160), None), None);
    }

    #[test]
    fn a_player_of_pieces_goes_on_behind_the_last_one_of_a_recording() {
        let mut ring = Ring::new(CACHE);
        for i in 0..58u32 {
            let class = if i % 10 == 0 { PacketClass::Key } else { PacketClass::Inter };
            let bytes = Bytes::copy_from_slice(&i.to_be_bytes());
            ring.push(Arc::new(Packet::new(MediaKind::Video, class, i * 100, 100, bytes, 4096)));
            ring.prune(u64::MAX, usize::MAX);
        }
        let is = |number: u32| move |piece: &[u8]| piece == number.to_be_bytes();
        assert_eq!(ring.behind_piece(is(39)), Some(40));
        // No key piece follows, nothing follows, or the piece has left the ring.
        for number in [40, 57, 9] {
            assert_eq!(ring.behind_piece(is(number)), None, "{number}");
        }
        let behind = [39, 40, 57, 9].map(|number| ring.key_piece(is(number)));
        assert_eq!(behind, [40, 50, ring.end(), 30]);
        ring.start_publisher(CACHE);
        assert_eq!((ring.behind_piece(is(39)), ring.key_piece(is(39))), (None, ring.end()));
    }

    #[test]
    fn audio_on_another_clock_and_the_wrap_change_nothing() {
        let mut ring = Ring::new(CACHE);
        let begin = u32::MAX - 3_000;
        for i in 0..58 {
            let at = begin.wrapping_add(i * 100);
            let class = if i % 10 == 0 { PacketClass::Key } else { PacketClass::Inter };
            let bytes = Bytes::from_static(b"x");
            ring.push(Arc::new(Packet::new(MediaKind::Video, class, at, 100, bytes, 4096)));
            let late = at.wrapping_sub(16_860);
            ring.push(Arc::new(Packet::new(
                MediaKind::Audio,
                PacketClass::Audio,
                late,
                100,
                Bytes::new(),
                4096,
            )));
            ring.prune(u64::MAX, usize::MAX);
        }
        assert_eq!(ring.start_for(start(2000, true, false)), 60);
        assert_eq!(ring.start_for(start(1000, false, false)), 80);
    }

    #[test]
    fn without_cache_time_a_player_starts_at_the_end() {
        let ring = filled(CacheSettings { cache_time: 0, out_queue: 2048 }, 58);
        assert_eq!(ring.start_for(start(2000, true, false)), 58);
        assert!(ring.is_empty());
    }

    #[test]
    fn out_queue_bounds_the_cache() {
        let ring = filled(CacheSettings { cache_time: 60_000, out_queue: 25 }, 58);
        assert_eq!(ring.len(), 18); // from the oldest key frame that still fits
        assert_eq!(ring.start_for(start(60_000, true, false)), 40);
    }

    #[test]
    fn bytes_bound_the_cache_whatever_else_allows() {
        let mut ring = filled(CacheSettings { cache_time: 60_000, out_queue: 2048 }, 58);
        ring.prune(0, 25);
        assert_eq!(ring.len(), 25);
        assert_eq!(ring.start_for(start(60_000, true, false)), 40);
        ring.prune(0, 0);
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn packets_wait_for_the_slowest_worker_up_to_the_bound() {
        let mut ring = filled(CacheSettings { cache_time: 0, out_queue: 10 }, 5);
        for i in 0..30 {
            ring.push(Arc::new(Packet::new(MediaKind::Audio, PacketClass::Audio, i, 1, Bytes::new(), 4096)));
            ring.prune(5, usize::MAX);
        }
        assert_eq!(ring.len(), 10);
        let (first, packets) = ring.from(5);
        assert_eq!((first, packets.count()), (25, 10));
    }

    #[test]
    fn audio_only_starts_cache_time_ago() {
        let mut ring = Ring::new(CACHE);
        for i in 0..100 {
            ring.push(Arc::new(Packet::new(
                MediaKind::Audio,
                PacketClass::Audio,
                i * 100,
                100,
                Bytes::new(),
                4096,
            )));
            ring.prune(u64::MAX, usize::MAX);
        }
        assert_eq!(ring.start_for(start(1000, false, false)), 89);
        assert_eq!(ring.len(), 21);
    }

    #[test]
    fn a_new_video_header_forgets_older_key_frames() {
        let mut ring = filled(CACHE, 15);
        ring.push(Arc::new(Packet::new(
            MediaKind::Video,
            PacketClass::VideoHeader,
            1500,
            0,
            Bytes::new(),
            4096,
        )));
        assert_eq!(ring.start_for(start(2000, true, false)), ring.end());
    }
}
