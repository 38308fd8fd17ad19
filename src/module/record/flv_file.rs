//! An FLV file being written.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::{DURATION_AT, FILE_SIZE_AT, opens_with_ours, tag_body};
use crate::limits;
use crate::media::files::claims::FileClaim;
use crate::media::files::{WriteError, failed};
use crate::task::disk;
use crate::wire::MediaKind;
use crate::wire::flv::{TAG_HEADER, tag_header, write_header};

/// Offset of the first tag, after the file header and PreviousTagSize0.
const FIRST_TAG: u64 = 13;
/// Offset of the flags for audio and video in the file header.
const FLAGS_AT: u64 = 4;
const BUFFER: usize = 64 * 1024;

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
    path: PathBuf,
    out: BufWriter<File>,
    len: u64,
    /// The newest timestamp in milliseconds.
    end: u32,
    flags: u8,
    /// Whether the metadata has fields for duration and size.
    ours: bool,
    _place: FileClaim,
}

impl FlvFile {
    /// Creates or truncates a file.
    pub(crate) fn create(path: &Path, known: &StreamFacts<'_>, place: FileClaim) -> Result<Self, WriteError> {
        let file = disk::open(OpenOptions::new().write(true).create(true), path, true);
        let file = file.map_err(failed("open", path))?;
        wait_for_writer(&file);
        file.set_len(0).map_err(failed("truncate", path))?;
        let mut flv = FlvFile::new(path, file, place);
        flv.begin(known)?;
        Ok(flv)
    }

    /// Continues a file after its last complete tag; an incomplete tag from a crash is cut off. A missing or empty file
    /// is created.
    pub(crate) fn append(path: &Path, known: &StreamFacts<'_>, place: FileClaim) -> Result<Self, WriteError> {
        let file = disk::open(OpenOptions::new().read(true).write(true).create(true), path, true);
        let mut file = file.map_err(failed("open", path))?;
        wait_for_writer(&file);
        let found = survey(&mut file).map_err(failed("read", path))?;
        let mut flv = FlvFile::new(path, file, place);
        let Some(found) = found else {
            flv.begin(known)?;
            return Ok(flv);
        };
        let done = flv.out.get_ref().set_len(found.len).and_then(|()| flv.out.seek(SeekFrom::End(0)));
        done.map_err(failed("truncate", path))?;
        (flv.len, flv.end, flv.flags, flv.ours) = (found.len, found.end, found.flags, found.ours);
        Ok(flv)
    }

    fn new(path: &Path, file: File, place: FileClaim) -> Self {
        let out = BufWriter::with_capacity(BUFFER, file);
        FlvFile { path: path.to_owned(), out, len: 0, end: 0, flags: 0, ours: false, _place: place }
    }

    fn begin(&mut self, known: &StreamFacts<'_>) -> Result<(), WriteError> {
        let mut head = BytesMut::new();
        // The actual tracks are known at the end.
        write_header(&mut head, known.audio, known.video);
        self.put(&head)?;
        self.ours = true;
        self.write_tag(MediaKind::Data, 0, &tag_body(known.published))?;
        self.flags = 0;
        Ok(())
    }

    /// Locks the file to show that it is being written (`record_lock`), until it is closed.
    pub(crate) fn lock(&self) -> Result<(), WriteError> {
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        let done = fcntl(self.out.get_ref(), FcntlArg::F_SETLK(&lock));
        done.map(drop).map_err(|error| failed("fcntl", &self.path)(error.into()))
    }

    /// Appends a tag.
    pub(crate) fn write_tag(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        payload: &[u8],
    ) -> Result<(), WriteError> {
        self.put(&tag_header(kind, timestamp, payload.len()))?;
        self.put(payload)?;
        self.put(&((TAG_HEADER + payload.len()) as u32).to_be_bytes())?;
        self.end = self.end.max(timestamp);
        self.flags |= match kind {
            MediaKind::Audio => 4,
            MediaKind::Video => 1,
            MediaKind::Data => 0,
        };
        Ok(())
    }

    /// Flushes written data to the system. Fails if the file was removed, since the data would be lost.
    pub(crate) fn flush(&mut self) -> Result<(), WriteError> {
        self.out.flush().map_err(failed("write", &self.path))?;
        match self.out.get_ref().metadata() {
            Ok(metadata) if metadata.nlink() == 0 => Err(failed("write", &self.path)(io::Error::new(
                io::ErrorKind::NotFound,
                "the file was removed",
            ))),
            _ => Ok(()),
        }
    }

    /// Completes the file: tracks, duration, size.
    pub(crate) fn finish(mut self) -> Result<(), WriteError> {
        self.flush()?;
        let file = self.out.get_ref();
        let number = |at, value: f64| file.write_all_at(&value.to_be_bytes(), at);
        let mut done = file.write_all_at(&[self.flags], FLAGS_AT);
        if self.ours {
            done = done.and_then(|()| number(DURATION_AT, f64::from(self.end) / 1000.0));
            done = done.and_then(|()| number(FILE_SIZE_AT, self.len as f64));
        }
        done.map_err(failed("write", &self.path))
    }

    /// Completes as much as possible after a failure: the partial file may be useful. A file to which nothing could be
    /// written, as on a full disk, is removed.
    pub(crate) fn give_up(self) {
        let (path, file) = (self.path.clone(), self.out.get_ref().try_clone());
        let _ = self.finish();
        disk::remove_if_empty(&path, file);
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The newest timestamp in milliseconds.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// Path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes).map_err(failed("write", &self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
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
        found.end = found.end.max(u32::from_be_bytes([t3, t2, t1, t0]));
        found.flags |= match kind {
            8 => 4,
            9 => 1,
            _ => 0,
        };
        found.len = next;
    }
    Ok(Some(found))
}

/// Locks the file until it is closed, and waits for the other process of an upgrade, which may still complete its own
/// recording in it. A file system without such locks is no obstacle, nor is a program that holds one for longer than
/// [`limits::RECORD_PLACE_WAIT`].
fn wait_for_writer(file: &File) {
    let due = Instant::now() + limits::RECORD_PLACE_WAIT;
    while matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && Instant::now() < due {
        std::thread::sleep(limits::COUNTERPART_RETRY);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
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
            let replacing =
                scope.spawn(|| drop(FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap()));
            std::thread::sleep(4 * limits::COUNTERPART_RETRY);
            assert_eq!(fs::read(&path).unwrap(), b"old");
            drop(other);
            replacing.join().unwrap();
        });
        assert!(fs::read(&path).unwrap().starts_with(b"FLV"));
    }

    #[test]
    fn a_complete_file_tells_its_length_and_tracks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flv");
        let mut file = FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap();
        file.write_tag(MediaKind::Video, 0, b"abc").unwrap();
        file.write_tag(MediaKind::Video, 1500, b"abc").unwrap();
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
        let mut file = FlvFile::create(&path, &StreamFacts::default(), place(&path)).unwrap();
        file.write_tag(MediaKind::Audio, 700, b"abc").unwrap();
        let whole = file.len();
        file.finish().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[9, 0xFF, 0xFF, 0xFF, 0, 0, 1, 2, 3]);
        fs::write(&path, &bytes).unwrap();
        let file = FlvFile::append(&path, &StreamFacts::default(), place(&path)).unwrap();
        assert_eq!((file.len(), file.end(), file.flags), (whole, 700, 4));
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap().len() as u64, whole);
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
