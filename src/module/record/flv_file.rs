//! An FLV file being written.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::{Bytes, BytesMut};

use super::out_file::OutFile;
use super::record_file::RecordFile;
use super::{DURATION_AT, FILE_SIZE_AT, opens_with_ours, tag_body};
use crate::hub::packet::Packet;
use crate::media::files::claims::FileClaim;
use crate::media::files::{WriteError, failed};
use crate::wire::MediaKind;
use crate::wire::flv::{TAG_HEADER, tag_header, write_header};

/// Offset of the first tag, after the file header and PreviousTagSize0.
const FIRST_TAG: u64 = 13;
/// Offset of the flags for audio and video in the file header.
const FLAGS_AT: u64 = 4;

/// Properties of a stream when a file begins.
#[derive(Default)]
pub(crate) struct StreamFacts<'a> {
    /// The publisher's metadata.
    pub(crate) published: Option<&'a Bytes>,
    /// Whether audio is expected.
    pub(crate) audio: bool,
    /// Whether video is expected.
    pub(crate) video: bool,
}

/// An FLV file; see the module's documentation. An incomplete file is valid too: only its duration is missing.
pub(crate) struct FlvFile {
    out: OutFile,
    /// The newest timestamp of media in milliseconds.
    end: u32,
    flags: u8,
    /// Whether the metadata has fields for duration and size.
    ours: bool,
}

impl FlvFile {
    /// Creates or truncates a file.
    pub(crate) fn create(path: &Path, known: &StreamFacts<'_>, place: FileClaim) -> Result<Self, WriteError> {
        let mut flv = FlvFile { out: OutFile::create(path, place)?, end: 0, flags: 0, ours: false };
        flv.begin(known)?;
        Ok(flv)
    }

    /// Continues a file after its last complete tag; an incomplete tag from a crash is cut off. A missing or empty file
    /// is created.
    pub(crate) fn append(path: &Path, known: &StreamFacts<'_>, place: FileClaim) -> Result<Self, WriteError> {
        let mut out = OutFile::open_existing(path, place)?;
        let found = survey(out.file()).map_err(failed("read", path))?;
        let Some(found) = found else {
            let mut flv = FlvFile { out, end: 0, flags: 0, ours: false };
            flv.begin(known)?;
            return Ok(flv);
        };
        out.continue_from(found.len)?;
        Ok(FlvFile { out, end: found.end, flags: found.flags, ours: found.ours })
    }

    fn begin(&mut self, known: &StreamFacts<'_>) -> Result<(), WriteError> {
        let mut head = BytesMut::new();
        // The actual tracks are known at the end.
        write_header(&mut head, known.audio, known.video);
        self.out.put(&head);
        self.ours = true;
        self.write_tag(MediaKind::Data, 0, &tag_body(known.published))?;
        self.flags = 0;
        Ok(())
    }

    /// Appends a tag.
    fn write_tag(&mut self, kind: MediaKind, timestamp: u32, payload: &[u8]) -> Result<(), WriteError> {
        self.out.put(&tag_header(kind, timestamp, payload.len()));
        self.out.put(payload);
        self.out.put(&((TAG_HEADER + payload.len()) as u32).to_be_bytes());
        self.flags |= match kind {
            MediaKind::Audio => 4,
            MediaKind::Video => 1,
            MediaKind::Data => 0,
        };
        // A data message may be ahead of the media.
        if kind != MediaKind::Data {
            self.end = self.end.max(timestamp);
        }
        self.out.end_unit(kind != MediaKind::Data)
    }

    /// Writes what is known at the end: tracks, duration, size.
    fn write_facts(&self) -> Result<(), WriteError> {
        self.out.overwrite(&[self.flags], FLAGS_AT)?;
        if self.ours {
            self.out.overwrite(&(f64::from(self.end) / 1000.0).to_be_bytes(), DURATION_AT)?;
            self.out.overwrite(&(self.out.len() as f64).to_be_bytes(), FILE_SIZE_AT)?;
        }
        Ok(())
    }
}

impl RecordFile for FlvFile {
    fn write(&mut self, packet: &Packet, at: u32) -> Result<(), WriteError> {
        self.write_tag(packet.kind(), at, packet.payload())
    }

    fn finish(mut self: Box<Self>) -> Result<bool, WriteError> {
        self.out.flush()?;
        self.write_facts().map(|()| true)
    }

    fn give_up(mut self: Box<Self>) -> bool {
        let stays = self.out.cut();
        let _ = self.write_facts();
        stays
    }

    fn out(&self) -> &OutFile {
        &self.out
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.out.flush()
    }

    fn start(&self) -> u32 {
        self.end
    }
}

/// Contents of an existing file.
struct FileContents {
    /// Length up to the end of the last complete tag, in bytes.
    len: u64,
    end: u32,
    flags: u8,
    ours: bool,
}

/// Examines the tags of a file. `None` if it is empty. An error if it is not an FLV file, which must not be changed.
fn survey(file: &mut File) -> io::Result<Option<FileContents>> {
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(None);
    }
    let mut head = Vec::new();
    file.take(FILE_SIZE_AT).read_to_end(&mut head)?;
    if !head.starts_with(b"FLV\x01") || size < FIRST_TAG {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not an FLV file"));
    }
    let mut found = FileContents { len: FIRST_TAG, end: 0, flags: 0, ours: opens_with_ours(&head) };
    let mut header = [0; TAG_HEADER];
    while found.len + TAG_HEADER as u64 + 4 <= size {
        file.read_exact_at(&mut header, found.len)?;
        let [kind, l2, l1, l0, t2, t1, t0, t3, ..] = header;
        let length = u32::from_be_bytes([0, l2, l1, l0]);
        let next = found.len + TAG_HEADER as u64 + u64::from(length) + 4;
        let mut trailer = [0; 4];
        if next > size || file.read_exact_at(&mut trailer, next - 4).is_err() {
            break;
        }
        if u32::from_be_bytes(trailer) != length + TAG_HEADER as u32 {
            break;
        }
        let flag = match kind {
            8 => 4,
            9 => 1,
            _ => 0,
        };
        found.flags |= flag;
        if flag != 0 {
            found.end = found.end.max(u32::from_be_bytes([t3, t2, t1, t0]));
        }
        found.len = next;
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::limits;
    use crate::media::files::claims::FileClaims;
    use crate::wire::amf0::{self, AmfValue};

    fn place(path: &Path) -> FileClaim {
        Arc::new(FileClaims::default()).take_within(path, Duration::ZERO).unwrap()
    }

    #[test]
    fn a_file_that_another_process_completes_is_replaced_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flv");
        fs::write(&path, "old").unwrap();
        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        std::thread::scope(|scope| {
            let replacing = scope.spawn(|| {
                let file = FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap();
                Box::new(file).finish().unwrap()
            });
            std::thread::sleep(4 * limits::COUNTERPART_RETRY);
            assert_eq!(fs::read(&path).unwrap(), b"old");
            drop(other);
            assert!(replacing.join().unwrap());
        });
        assert!(fs::read(&path).unwrap().starts_with(b"FLV"));
    }

    #[test]
    fn a_complete_file_tells_its_length_and_tracks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flv");
        let mut file = Box::new(FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap());
        file.write_tag(MediaKind::Video, 0, b"abc").unwrap();
        file.write_tag(MediaKind::Video, 1500, b"abc").unwrap();
        file.write_tag(MediaKind::Data, 4000, b"abc").unwrap();
        file.finish().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes[4], 1);
        let body = Bytes::copy_from_slice(&bytes[24..]);
        let mut values = amf0::Decoder::new(&body);
        let told = values.nth(1).unwrap().unwrap();
        assert_eq!(told.get(b"duration").and_then(AmfValue::as_number), Some(1.5));
        assert_eq!(told.get(b"filesize").and_then(AmfValue::as_number), Some(bytes.len() as f64));
    }

    #[test]
    fn appending_cuts_off_what_a_crash_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flv");
        let mut file = Box::new(FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap());
        file.write_tag(MediaKind::Audio, 700, b"abc").unwrap();
        let whole = file.out.len();
        file.finish().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[9, 0xFF, 0xFF, 0xFF, 0, 0, 1, 2, 3]);
        fs::write(&path, &bytes).unwrap();
        let file = Box::new(FlvFile::append(&path, &StreamFacts::default(), place(&path)).unwrap());
        assert_eq!((file.out.len(), file.start(), file.flags), (whole, 700, 4));
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap().len() as u64, whole);
    }

    #[test]
    fn after_a_failure_only_whole_tags_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flv");
        let mut file = Box::new(FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap());
        file.write_tag(MediaKind::Audio, 700, b"abc").unwrap();
        file.flush().unwrap();
        let whole = file.out.len();
        // A write that reached the file in part.
        file.write_tag(MediaKind::Audio, 800, b"abc").unwrap();
        let other = File::options().write(true).open(&path).unwrap();
        other.write_all_at(b"part", whole).unwrap();
        assert!(file.give_up());
        assert_eq!(fs::metadata(&path).unwrap().len(), whole);
        // Without media nothing stays.
        let file = Box::new(FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap());
        assert!(!file.give_up() && !path.exists());
    }

    #[test]
    fn a_file_of_another_kind_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flv");
        fs::write(&path, "precious text, not FLV").unwrap();
        assert!(FlvFile::append(&path, &StreamFacts::default(), place(&path)).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious text, not FLV");
    }
}
