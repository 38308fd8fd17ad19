//! Selection of packets for a file, and of the places where files may begin.

use super::conf::RecordParts;
use crate::hub::packet::Class;

/// Duration of audio without video, in milliseconds, after which a stream counts as audio-only. PingOS waits for a key
/// frame forever, so that such a stream is never recorded.
const VIDEO_WAIT_MS: u32 = 2_000;

/// Decision about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
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
pub struct Selection {
    /// Whether there is video, so that files begin at key frames.
    has_video: bool,
    first_audio: Option<u32>,
    /// Whether video frames have arrived.
    video_flows: bool,
    /// Whether inter frames can be decoded.
    decodable: bool,
}

impl Selection {
    /// Records that packets were lost: writing resumes at the next key frame.
    pub fn lost(&mut self) {
        (self.decodable, self.video_flows) = (false, true);
    }

    /// Decides about the next packet. `timestamp` is in milliseconds.
    pub fn step(&mut self, parts: RecordParts, class: Class, timestamp: u32) -> Step {
        let wants_video = parts.contains(RecordParts::VIDEO);
        let wants_keys = wants_video || parts.contains(RecordParts::KEYFRAMES);
        match class {
            Class::Key => {
                (self.has_video, self.video_flows, self.decodable) = (true, true, true);
                if wants_keys { Step::Begin } else { Step::Skip }
            }
            Class::Inter => {
                (self.has_video, self.video_flows) = (true, true);
                if wants_video && self.decodable { Step::Write } else { Step::Skip }
            }
            Class::VideoHeader | Class::VideoExtra => {
                self.has_video = true;
                if wants_keys { Step::Write } else { Step::Skip }
            }
            Class::Audio if parts.contains(RecordParts::AUDIO) => {
                let first = *self.first_audio.get_or_insert(timestamp);
                let alone = !self.has_video && timestamp.wrapping_sub(first) >= VIDEO_WAIT_MS;
                match (!wants_keys || alone, self.has_video && !self.video_flows) {
                    (true, _) => Step::Begin,
                    // PingOS begins with the codec header, which it treats as a key frame.
                    (false, true) => Step::BeginFirst,
                    (false, false) => Step::Write,
                }
            }
            Class::AudioHeader | Class::AudioExtra if parts.contains(RecordParts::AUDIO) => Step::Write,
            Class::Audio | Class::AudioHeader | Class::AudioExtra | Class::Metadata | Class::Other => {
                Step::Skip
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_video_begins_at_a_key_frame() {
        let mut s = Selection::default();
        let all = RecordParts::ALL;
        assert_eq!(s.step(all, Class::Audio, 0), Step::Write);
        assert_eq!(s.step(all, Class::Inter, 0), Step::Skip);
        assert_eq!(s.step(all, Class::Key, 40), Step::Begin);
        assert_eq!(s.step(all, Class::Inter, 80), Step::Write);
        s.lost();
        assert_eq!(s.step(all, Class::Inter, 120), Step::Skip);
        assert_eq!(s.step(all, Class::Audio, 5_000), Step::Write);
    }

    #[test]
    fn audio_begins_a_file_where_no_video_is_wanted_or_none_comes() {
        let mut s = Selection::default();
        assert_eq!(s.step(RecordParts::AUDIO, Class::Audio, 0), Step::Begin);
        assert_eq!(s.step(RecordParts::AUDIO, Class::Key, 0), Step::Skip);
        let mut s = Selection::default();
        assert_eq!(s.step(RecordParts::ALL, Class::Audio, u32::MAX - 5), Step::Write);
        assert_eq!(s.step(RecordParts::ALL, Class::Audio, VIDEO_WAIT_MS), Step::Begin);
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::Audio, VIDEO_WAIT_MS), Step::Skip);
    }

    #[test]
    fn audio_between_the_header_and_the_first_frame_of_video_begins_the_first_file() {
        let mut s = Selection::default();
        let all = RecordParts::ALL;
        assert_eq!(s.step(all, Class::Audio, 0), Step::Write);
        assert_eq!(s.step(all, Class::VideoHeader, 20), Step::Write);
        assert_eq!(s.step(all, Class::Audio, 20), Step::BeginFirst);
        assert_eq!(s.step(all, Class::Inter, 40), Step::Skip);
        assert_eq!(s.step(all, Class::Audio, 40), Step::Write);
        let mut s = Selection::default();
        s.step(all, Class::VideoHeader, 0);
        s.lost();
        assert_eq!(s.step(all, Class::Audio, 0), Step::Write, "what was lost may have been a frame");
    }

    #[test]
    fn key_frames_alone_are_a_choice() {
        let mut s = Selection::default();
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::Key, 0), Step::Begin);
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::Inter, 40), Step::Skip);
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::VideoHeader, 40), Step::Write);
    }
}
