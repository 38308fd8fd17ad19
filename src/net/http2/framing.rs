//! Frames as they are on the wire (RFC 9113 §4.1): their names and lengths, and what goes along with them.

use h2::Reason;

use super::PREFACE;

/// Length of the head of a frame.
pub(super) const HEAD: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
/// `PRIORITY_UPDATE` (RFC 9218).
pub(super) const PRIORITY_UPDATE: u8 = 0x10;

/// `ACK` of SETTINGS and PING.
pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
/// `PRIORITY` of HEADERS.
pub(super) const HAS_PRIORITY: u8 = 0x20;

/// Length of a stream's number, and of the bytes by which a window is opened.
pub(super) const NUMBER: usize = 4;
/// Length of a setting: its name and its value.
pub(super) const SETTING: usize = 6;

pub(super) const HEADER_TABLE_SIZE: u16 = 1;
pub(super) const ENABLE_PUSH: u16 = 2;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(super) const MAX_FRAME_SIZE: u16 = 5;
/// `SETTINGS_NO_RFC7540_PRIORITIES` (RFC 9218 §2.1).
pub(super) const NO_RFC7540_PRIORITIES: u16 = 9;

/// A setting with the value 1: PRIORITY frames change nothing.
const NO_PRIORITY_FRAMES: [u8; SETTING] = [0, NO_RFC7540_PRIORITIES as u8, 0, 0, 0, 1];

/// Window of a connection, and of its streams until the other side says otherwise (RFC 9113 §6.9.2).
pub(super) const FIRST_WINDOW: i64 = 65_535;

/// A stream's number, without the bit before it.
pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff
}

/// A setting as it is sent.
pub(super) fn setting(name: u16, value: u32) -> [u8; SETTING] {
    let ([a, b], [c, d, e, f]) = (name.to_be_bytes(), value.to_be_bytes());
    [a, b, c, d, e, f]
}

/// Appends a frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[&[u8]], passed: &mut Vec<u8>) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    passed.extend_from_slice(&length[1..]);
    passed.extend_from_slice(&[kind, flags]);
    passed.extend_from_slice(&stream.to_be_bytes());
    payload.iter().for_each(|part| passed.extend_from_slice(part));
}

/// Appends a GOAWAY with the number of the last stream.
pub(super) fn goaway(last: u32, reason: Reason, passed: &mut Vec<u8>) {
    frame(GOAWAY, 0, 0, &[&last.to_be_bytes(), &u32::from(reason).to_be_bytes()], passed);
}

/// Goes along with frames, however they come.
#[derive(Debug, Default)]
pub(super) struct FrameWalk {
    /// Bytes of the preface that are still to come.
    preface: usize,
    head: [u8; HEAD],
    known: usize,
    /// Bytes of the payload that are still to come.
    left: usize,
    item: [u8; SETTING],
    filled: usize,
}

/// A part of a frame that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Its head.
    Frame { kind: u8, flags: u8, stream: u32, length: i64 },
    /// A setting of SETTINGS.
    Setting(u16, u32),
    /// The increment of `WINDOW_UPDATE`.
    Increment { stream: u32, by: i64 },
    /// The reason of `RST_STREAM`.
    Reset(Reason),
}

impl FrameWalk {
    /// Along the frames of a client, which begins with its preface.
    pub(super) fn behind_preface() -> FrameWalk {
        FrameWalk { preface: PREFACE.len(), ..FrameWalk::default() }
    }

    /// Whether the last frame has ended.
    pub(super) fn is_between(&self) -> bool {
        self.preface == 0 && self.known == 0 && self.left == 0
    }

    /// Whether the last frame is a part of a body, of which bytes are still to come.
    pub(super) fn is_within_body(&self) -> bool {
        self.left > 0 && self.head[3] == DATA
    }

    /// Takes bytes up to the end of the next part; `None` once there are no more.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Part> {
        let preface = self.preface.min(bytes.len());
        *bytes = &bytes[preface..];
        self.preface -= preface;
        while !bytes.is_empty() {
            if self.left == 0 {
                take(bytes, &mut self.head, &mut self.known, HEAD);
                if self.known < HEAD {
                    return None;
                }
                let [a, b, c, kind, flags, stream @ ..] = self.head;
                let length = u32::from_be_bytes([0, a, b, c]);
                (self.known, self.filled, self.left) = (0, 0, length as usize);
                return Some(Part::Frame { kind, flags, stream: number(&stream), length: i64::from(length) });
            }
            let size = self.item_size();
            if size == 0 {
                let skipped = self.left.min(bytes.len());
                *bytes = &bytes[skipped..];
                self.left -= skipped;
                continue;
            }
            let mut of_frame = &bytes[..self.left.min(bytes.len())];
            let before = of_frame.len();
            take(&mut of_frame, &mut self.item, &mut self.filled, size);
            let taken = before - of_frame.len();
            *bytes = &bytes[taken..];
            self.left -= taken;
            if self.filled == size {
                self.filled = 0;
                return Some(self.item());
            }
        }
        None
    }

    /// Length of the items that the frame's payload consists of; 0 if it is not looked at.
    fn item_size(&self) -> usize {
        match self.head[3] {
            SETTINGS => SETTING,
            WINDOW_UPDATE | RST_STREAM => NUMBER,
            _ => 0,
        }
    }

    fn item(&self) -> Part {
        let [a, b, c, d, e, f] = self.item;
        match self.head[3] {
            SETTINGS => Part::Setting(u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])),
            RST_STREAM => Part::Reset(u32::from_be_bytes([a, b, c, d]).into()),
            _ => Part::Increment { stream: number(&self.head[5..]), by: i64::from(number(&self.item)) },
        }
    }
}

/// Moves bytes into `place` until `filled` is `size`, or there are no more.
fn take(bytes: &mut &[u8], place: &mut [u8], filled: &mut usize, size: usize) {
    let length = (size - *filled).min(bytes.len());
    let (part, rest) = bytes.split_at(length);
    place[*filled..*filled + length].copy_from_slice(part);
    *filled += length;
    *bytes = rest;
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
            let (mut walk, mut found) = (FrameWalk::default(), Vec::new());
            for mut bytes in bytes.chunks(piece) {
                while let Some(part) = walk.next(&mut bytes) {
                    found.extend(
                        Some(part).filter(|part| matches!(part, Part::Frame { kind: DATA | RST_STREAM, .. })),
                    );
                }
            }
            let head = |kind, stream, length| Part::Frame { kind, flags: 0, stream, length };
            assert_eq!(found, [head(DATA, 1, 200), head(DATA, 3, 0), head(RST_STREAM, 5, 4)], "{piece}");
            assert!(walk.is_between());
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
