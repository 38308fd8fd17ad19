//! Reads along with the frames that the crate h2 writes, and changes the first one.

/// Length of the head of a frame.
const HEAD: usize = 9;

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;

/// `SETTINGS_NO_RFC7540_PRIORITIES` with the value 1 (RFC 9218 §2.1): PRIORITY frames change nothing.
const NO_PRIORITY_FRAMES: [u8; 6] = [0, 9, 0, 0, 0, 1];

/// A frame that was written, or whose rest will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WrittenFrame {
    /// A part of a body, with the length that counts for windows.
    Data {
        /// Its stream.
        stream: u32,
        /// Bytes of its payload.
        length: u32,
    },
    /// The end of a stream that is not complete.
    Reset {
        /// Its stream.
        stream: u32,
    },
}

/// The frames of a connection from its beginning.
#[derive(Debug, Default)]
pub(super) struct WrittenFrames {
    head: [u8; HEAD],
    /// Number of bytes of the head that were written.
    known: usize,
    /// Bytes of the frame behind its head that are still to be written.
    left: usize,
}

impl WrittenFrames {
    /// Goes on behind what was read, up to the next frame of a kind that the order needs; `None` at the end of the bytes.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<WrittenFrame> {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            *bytes = &bytes[skipped..];
            let taken = (HEAD - self.known).min(bytes.len());
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            *bytes = &bytes[taken..];
            if self.known < HEAD {
                continue;
            }
            self.known = 0;
            let [a, b, c, kind, _, stream @ ..] = self.head;
            let length = u32::from_be_bytes([0, a, b, c]);
            let stream = u32::from_be_bytes(stream);
            self.left = length as usize;
            match kind {
                DATA => return Some(WrittenFrame::Data { stream, length }),
                RST_STREAM => return Some(WrittenFrame::Reset { stream }),
                _ => {}
            }
        }
        None
    }
}

/// The beginning of what a server writes, whose settings say that PRIORITY frames change nothing. The crate cannot say so.
/// `None` if it does not begin with settings.
pub(super) fn without_priority_frames(beginning: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = beginning.split_at_checked(HEAD)?;
    let [a, b, c, SETTINGS, 0, ..] = *head else { return None };
    let length =
        u32::from_be_bytes([0, a, b, c]).checked_add(u32::try_from(NO_PRIORITY_FRAMES.len()).ok()?)?;
    let [0, length @ ..] = length.to_be_bytes() else { return None };
    Some([&length, &head[3..], &NO_PRIORITY_FRAMES, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, stream];
        frame.resize(HEAD + usize::from(length), 0xff);
        frame
    }

    #[test]
    fn bodies_and_resets_are_found_however_they_are_written() {
        let bytes =
            [frame(4, 0, 12), frame(1, 1, 5), frame(0, 1, 200), frame(0, 3, 0), frame(3, 5, 4)].concat();
        for piece in 1..=bytes.len() {
            let (mut frames, mut found) = (WrittenFrames::default(), Vec::new());
            for mut part in bytes.chunks(piece) {
                while let Some(frame) = frames.next(&mut part) {
                    found.push(frame);
                }
            }
            let data = |stream, length| WrittenFrame::Data { stream, length };
            assert_eq!(found, [data(1, 200), data(3, 0), WrittenFrame::Reset { stream: 5 }], "{piece}");
        }
    }

    #[test]
    fn the_first_settings_have_one_more() {
        let bytes = [frame(4, 0, 6), frame(8, 0, 4)].concat();
        let changed = without_priority_frames(&bytes).unwrap();
        assert_eq!(changed[..HEAD], frame(4, 0, 12)[..HEAD]);
        assert_eq!(changed[HEAD..HEAD + 6], NO_PRIORITY_FRAMES);
        assert_eq!(changed[HEAD + 6..], bytes[HEAD..]);
        assert_eq!(without_priority_frames(&bytes[..8]), None);
        assert_eq!(without_priority_frames(&frame(8, 0, 4)), None);
        let longest = [0xff, 0xff, 0xfa, SETTINGS, 0, 0, 0, 0, 0];
        assert_eq!(without_priority_frames(&longest), None);
    }
}
