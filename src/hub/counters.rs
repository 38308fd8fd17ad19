//! Counters of a stream: the publisher's worker adds to them once per batch, statistics read them at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use super::packet::{Packet, PacketClass};
use crate::wire::MediaKind;

/// Newest timestamps of audio and video, in milliseconds. 0 stands for a track without frames so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaTimes {
    /// Timestamp of the newest audio frame.
    pub audio: u32,
    /// Timestamp of the newest video frame.
    pub video: u32,
}

/// Media of a stream so far. The numbers never fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounts {
    /// Payload bytes of audio messages.
    pub audio_bytes: u64,
    /// Payload bytes of video messages.
    pub video_bytes: u64,
    /// Audio frames.
    pub audio_frames: u64,
    /// Video frames, key frames included.
    pub video_frames: u64,
    /// Key frames.
    pub key_frames: u64,
}

/// Counters of one stream.
#[derive(Debug, Default)]
pub struct StreamCounters {
    audio_bytes: AtomicU64,
    video_bytes: AtomicU64,
    audio_frames: AtomicU64,
    video_frames: AtomicU64,
    key_frames: AtomicU64,
    times: AtomicU64,
}

/// Frames that a player was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentFrames {
    /// Number of video frames.
    pub video: u64,
    /// Newest timestamps.
    pub times: MediaTimes,
}

impl SentFrames {
    /// The frames among `packets`.
    pub fn of<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> Self {
        let mut frames = SentFrames::default();
        packets.into_iter().for_each(|packet| frames.note(packet));
        frames
    }

    /// Adds a packet that follows, if it is a frame.
    pub fn note(&mut self, packet: &Packet) {
        self.video += u64::from(packet.class().is_frame());
        self.times.note(packet);
    }

    /// Adds frames that follow.
    pub fn take_up(&mut self, later: SentFrames) {
        self.video += later.video;
        self.times.take_up(later.times);
    }
}

impl MediaTimes {
    /// Takes over the timestamp of a packet that follows; headers and data messages have none of their own.
    pub fn note(&mut self, packet: &Packet) {
        match packet.class() {
            PacketClass::Audio => self.audio = packet.timestamp(),
            PacketClass::Key | PacketClass::Inter => self.video = packet.timestamp(),
            _ => {}
        }
    }

    /// Takes over later timestamps; a track without frames among them keeps its own.
    pub fn take_up(&mut self, later: MediaTimes) {
        if later.audio != 0 {
            self.audio = later.audio;
        }
        if later.video != 0 {
            self.video = later.video;
        }
    }

    /// The later one of the two timestamps.
    pub fn newest(self) -> u32 {
        match self.avsync() {
            1.. => self.audio,
            ..0 => self.video,
            0 => self.audio.max(self.video),
        }
    }

    /// Milliseconds by which audio is ahead of video; 0 while a track has no frames.
    pub fn avsync(self) -> i32 {
        if self.audio == 0 || self.video == 0 {
            return 0;
        }
        // Timestamps wrap around, so that the difference is signed.
        self.audio.wrapping_sub(self.video).cast_signed()
    }

    /// Both in one number, for an atomic.
    pub fn pack(self) -> u64 {
        u64::from(self.audio) << 32 | u64::from(self.video)
    }

    /// Reverses [`MediaTimes::pack`].
    pub fn unpack(packed: u64) -> Self {
        MediaTimes { audio: (packed >> 32) as u32, video: packed as u32 }
    }
}

impl MediaCounts {
    /// Counts a message.
    pub fn count(&mut self, kind: MediaKind, class: PacketClass, bytes: usize) {
        match kind {
            MediaKind::Audio => self.audio_bytes += bytes as u64,
            MediaKind::Video => self.video_bytes += bytes as u64,
            MediaKind::Data => {}
        }
        match class {
            PacketClass::Audio => self.audio_frames += 1,
            PacketClass::Inter => self.video_frames += 1,
            PacketClass::Key => {
                self.video_frames += 1;
                self.key_frames += 1;
            }
            _ => {}
        }
    }

    /// Adds other counts.
    pub fn add(&mut self, other: MediaCounts) {
        self.audio_bytes += other.audio_bytes;
        self.video_bytes += other.video_bytes;
        self.audio_frames += other.audio_frames;
        self.video_frames += other.video_frames;
        self.key_frames += other.key_frames;
    }
}

impl StreamCounters {
    /// Adds a batch. `times` are the newest timestamps of the publisher so far.
    pub fn add(&self, batch: MediaCounts, times: MediaTimes) {
        let add = |counter: &AtomicU64, count: u64| {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        };
        add(&self.audio_bytes, batch.audio_bytes);
        add(&self.video_bytes, batch.video_bytes);
        add(&self.audio_frames, batch.audio_frames);
        add(&self.video_frames, batch.video_frames);
        add(&self.key_frames, batch.key_frames);
        self.times.store(times.pack(), Ordering::Relaxed);
    }

    /// Media so far.
    pub fn counts(&self) -> MediaCounts {
        MediaCounts {
            audio_bytes: self.audio_bytes.load(Ordering::Relaxed),
            video_bytes: self.video_bytes.load(Ordering::Relaxed),
            audio_frames: self.audio_frames.load(Ordering::Relaxed),
            video_frames: self.video_frames.load(Ordering::Relaxed),
            key_frames: self.key_frames.load(Ordering::Relaxed),
        }
    }

    /// Newest timestamps of the publisher.
    pub fn times(&self) -> MediaTimes {
        MediaTimes::unpack(self.times.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_as_they_are_and_wrap_around() {
        for (audio, video, avsync, newest) in [
            (0, 0, 0, 0),
            (40, 0, 0, 40),
            (0, 40, 0, 40),
            (100, 80, 20, 100),
            (80, 100, -20, 100),
            (5, u32::MAX, 6, 5),
            (u32::MAX, 5, -6, 5),
        ] {
            let times = MediaTimes { audio, video };
            assert_eq!(MediaTimes::unpack(times.pack()), times);
            assert_eq!((times.avsync(), times.newest()), (avsync, newest), "{times:?}");
        }
        let mut times = MediaTimes { audio: 1, video: 2 };
        times.take_up(MediaTimes { audio: 0, video: 7 });
        assert_eq!(times, MediaTimes { audio: 1, video: 7 });
    }

    #[test]
    fn messages_are_counted_by_kind_and_frames_by_class() {
        let mut counts = MediaCounts::default();
        counts.count(MediaKind::Audio, PacketClass::AudioHeader, 7);
        counts.count(MediaKind::Audio, PacketClass::Audio, 100);
        counts.count(MediaKind::Video, PacketClass::Key, 1000);
        counts.count(MediaKind::Video, PacketClass::Inter, 200);
        counts.count(MediaKind::Data, PacketClass::Metadata, 50);
        let counters = StreamCounters::default();
        counters.add(counts, MediaTimes { audio: 3, video: 4 });
        counters.add(counts, MediaTimes { audio: 5, video: 6 });
        let want = MediaCounts {
            audio_bytes: 214,
            video_bytes: 2400,
            audio_frames: 2,
            video_frames: 4,
            key_frames: 2,
        };
        assert_eq!((counters.counts(), counters.times()), (want, MediaTimes { audio: 5, video: 6 }));
    }
}
