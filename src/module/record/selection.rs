//! What of a stream goes into a file, and where files may begin.

use super::conf::RecordParts;
use crate::hub::packet::Class;

/// Milliseconds of audio without any video after which a stream counts as one without video. The original waits
/// for a key frame for ever, so that such a stream is never recorded.
const VIDEO_WAIT_MS: u32 = 2_000;

/// What is done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is left out.
    Skip,
    /// It goes into the file that is open, if one is.
    Write,
    /// As `Write`, and a file may begin here.
    Begin,
}

/// Looks at every packet of a stream in order.
#[derive(Debug, Default)]
pub struct Selection {
    /// There is video, so files begin at key frames.
    has_video: bool,
    first_audio: Option<u32>,
    /// Inter frames can be decoded.
    decodable: bool,
}

impl Selection {
    /// Packets were lost: nothing goes on before the next key frame.
    pub fn lost(&mut self) {
        self.decodable = false;
    }

    /// The next packet. `timestamp` is in milliseconds.
    pub fn step(&mut self, parts: RecordParts, class: Class, timestamp: u32) -> Step {
        let wants_video = parts.has(RecordParts::VIDEO);
        let wants_keys = wants_video || parts.has(RecordParts::KEYFRAMES);
        match class {
            Class::Key => {
                (self.has_video, self.decodable) = (true, true);
                if wants_keys { Step::Begin } else { Step::Skip }
            }
            Class::Inter => {
                self.has_video = true;
                if wants_video && self.decodable { Step::Write } else { Step::Skip }
            }
            Class::VideoHeader | Class::VideoExtra => {
                self.has_video = true;
                if wants_keys { Step::Write } else { Step::Skip }
            }
            Class::Audio if parts.has(RecordParts::AUDIO) => {
                let first = *self.first_audio.get_or_insert(timestamp);
                let alone = !self.has_video && timestamp.wrapping_sub(first) >= VIDEO_WAIT_MS;
                if !wants_keys || alone { Step::Begin } else { Step::Write }
            }
            Class::AudioHeader | Class::AudioExtra if parts.has(RecordParts::AUDIO) => Step::Write,
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
    fn key_frames_alone_are_a_choice() {
        let mut s = Selection::default();
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::Key, 0), Step::Begin);
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::Inter, 40), Step::Skip);
        assert_eq!(s.step(RecordParts::KEYFRAMES, Class::VideoHeader, 40), Step::Write);
    }
}
