//! Selection of packets for a file, and of the places where files may begin.

use super::conf::RecordParts;
use crate::hub::packet::PacketClass;

/// Duration of audio without video, in milliseconds, after which a stream counts as audio-only. PingOS waits for a key
/// frame forever, so that such a stream is never recorded.
const VIDEO_WAIT_MS: u32 = 2_000;

/// Decision about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionStep {
    /// Dropped.
    Skip,
    /// Written to the open file, if any.
    Write,
    /// As `Write`, and a file may begin here.
    Begin,
    /// As `Write`, and the first file may begin here.
    BeginFirst,
}

/// Examines every packet of a stream in order.
#[derive(Debug, Default)]
pub struct PacketSelection {
    /// Whether there is video, so that files begin at key frames.
    has_video: bool,
    first_audio: Option<u32>,
    /// Whether video frames have arrived.
    video_flows: bool,
    /// Whether inter frames can be decoded.
    decodable: bool,
}

impl PacketSelection {
    /// Records that packets were lost: writing resumes at the next key frame.
    pub fn lost(&mut self) {
        (self.decodable, self.video_flows) = (false, true);
    }

    /// Decides about the next packet. `timestamp` is in milliseconds.
    pub fn step(&mut self, parts: RecordParts, class: PacketClass, timestamp: u32) -> SelectionStep {
        let wants_video = parts.contains(RecordParts::VIDEO);
        let wants_keys = wants_video || parts.contains(RecordParts::KEYFRAMES);
        match class {
            PacketClass::Key => {
                (self.has_video, self.video_flows, self.decodable) = (true, true, true);
                if wants_keys { SelectionStep::Begin } else { SelectionStep::Skip }
            }
            PacketClass::Inter => {
                (self.has_video, self.video_flows) = (true, true);
                if wants_video && self.decodable { SelectionStep::Write } else { SelectionStep::Skip }
            }
            PacketClass::VideoHeader | PacketClass::VideoExtra => {
                self.has_video = true;
                if wants_keys { SelectionStep::Write } else { SelectionStep::Skip }
            }
            PacketClass::Audio if parts.contains(RecordParts::AUDIO) => {
                let first = *self.first_audio.get_or_insert(timestamp);
                let alone = !self.has_video && timestamp.wrapping_sub(first) >= VIDEO_WAIT_MS;
                match (!wants_keys || alone, self.has_video && !self.video_flows) {
                    (true, _) => SelectionStep::Begin,
                    // PingOS begins with the codec header, which it treats as a key frame.
                    (false, true) => SelectionStep::BeginFirst,
                    (false, false) => SelectionStep::Write,
                }
            }
            PacketClass::AudioHeader | PacketClass::AudioExtra if parts.contains(RecordParts::AUDIO) => {
                SelectionStep::Write
            }
            // In the open file, whatever it records. PingOS leaves them out.
            PacketClass::Other => SelectionStep::Write,
            PacketClass::Audio
            | PacketClass::AudioHeader
            | PacketClass::AudioExtra
            | PacketClass::Metadata => SelectionStep::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_video_begins_at_a_key_frame() {
        let mut s = PacketSelection::default();
        let all = RecordParts::ALL;
        assert_eq!(s.step(all, PacketClass::Audio, 0), SelectionStep::Write);
        assert_eq!(s.step(all, PacketClass::Inter, 0), SelectionStep::Skip);
        assert_eq!(s.step(all, PacketClass::Key, 40), SelectionStep::Begin);
        assert_eq!(s.step(all, PacketClass::Inter, 80), SelectionStep::Write);
        s.lost();
        assert_eq!(s.step(all, PacketClass::Inter, 120), SelectionStep::Skip);
        assert_eq!(s.step(all, PacketClass::Audio, 5_000), SelectionStep::Write);
    }

    #[test]
    fn audio_begins_a_file_where_no_video_is_wanted_or_none_comes() {
        let mut s = PacketSelection::default();
        assert_eq!(s.step(RecordParts::AUDIO, PacketClass::Audio, 0), SelectionStep::Begin);
        assert_eq!(s.step(RecordParts::AUDIO, PacketClass::Key, 0), SelectionStep::Skip);
        let mut s = PacketSelection::default();
        assert_eq!(s.step(RecordParts::ALL, PacketClass::Audio, u32::MAX - 5), SelectionStep::Write);
        assert_eq!(s.step(RecordParts::ALL, PacketClass::Audio, VIDEO_WAIT_MS), SelectionStep::Begin);
        assert_eq!(s.step(RecordParts::KEYFRAMES, PacketClass::Audio, VIDEO_WAIT_MS), SelectionStep::Skip);
    }

    #[test]
    fn audio_between_the_header_and_the_first_frame_of_video_begins_the_first_file() {
        let mut s = PacketSelection::default();
        let all = RecordParts::ALL;
        assert_eq!(s.step(all, PacketClass::Audio, 0), SelectionStep::Write);
        assert_eq!(s.step(all, PacketClass::VideoHeader, 20), SelectionStep::Write);
        assert_eq!(s.step(all, PacketClass::Audio, 20), SelectionStep::BeginFirst);
        assert_eq!(s.step(all, PacketClass::Inter, 40), SelectionStep::Skip);
        assert_eq!(s.step(all, PacketClass::Audio, 40), SelectionStep::Write);
        let mut s = PacketSelection::default();
        s.step(all, PacketClass::VideoHeader, 0);
        s.lost();
        assert_eq!(
            s.step(all, PacketClass::Audio, 0),
            SelectionStep::Write,
            "what was lost may have been a frame"
        );
    }

    #[test]
    fn data_messages_are_written_and_begin_no_file() {
        let mut s = PacketSelection::default();
        for parts in [RecordParts::ALL, RecordParts::AUDIO, RecordParts::KEYFRAMES] {
            assert_eq!(s.step(parts, PacketClass::Other, 0), SelectionStep::Write);
            assert_eq!(s.step(parts, PacketClass::Metadata, 0), SelectionStep::Skip);
        }
    }

    #[test]
    fn key_frames_alone_are_a_choice() {
        let mut s = PacketSelection::default();
        assert_eq!(s.step(RecordParts::KEYFRAMES, PacketClass::Key, 0), SelectionStep::Begin);
        assert_eq!(s.step(RecordParts::KEYFRAMES, PacketClass::Inter, 40), SelectionStep::Skip);
        assert_eq!(s.step(RecordParts::KEYFRAMES, PacketClass::VideoHeader, 40), SelectionStep::Write);
    }
}
