//! A recording's file: bytes reach it in whole units (a tag, a transport stream piece, a fragment), and after a failure
//! only whole units stay.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::limits;
use crate::media::files::claims::FileClaim;
use crate::media::files::{WriteError, failed};
use crate::task::disk;

/// Bytes that are collected before they are written without a flush.
const BUFFER: usize = 64 * 1024;

/// A file being written; see the module's documentation.
pub(crate) struct OutFile {
    path: PathBuf,
    file: File,
    /// Bytes that are not in the file yet.
    buffer: Vec<u8>,
    /// Bytes in the file, all in whole units.
    written: u64,
    /// Whether there is media among all bytes.
    has_media: bool,
    /// Whether there is media among those that are in the file.
    keeps_media: bool,
    _claim: FileClaim,
}

impl OutFile {
    /// Creates or truncates a file.
    pub(crate) fn create(path: &Path, claim: FileClaim) -> Result<Self, WriteError> {
        let out = OutFile::open(path, claim, OpenOptions::new().write(true).create(true))?;
        out.file.set_len(0).map_err(failed("truncate", path))?;
        Ok(out)
    }

    /// Opens a file to be read and continued, or creates it. [`continue_from`](Self::continue_from) must follow.
    pub(crate) fn open_existing(path: &Path, claim: FileClaim) -> Result<Self, WriteError> {
        OutFile::open(path, claim, OpenOptions::new().read(true).write(true).create(true))
    }

    fn open(path: &Path, claim: FileClaim, options: &mut OpenOptions) -> Result<Self, WriteError> {
        let file = disk::open(options, path, true).map_err(failed("open", path))?;
        wait_for_writer(&file);
        Ok(OutFile {
            path: path.to_owned(),
            file,
            buffer: Vec::new(),
            written: 0,
            has_media: false,
            keeps_media: false,
            _claim: claim,
        })
    }

    /// Cuts the file off at `len` bytes, and continues there.
    pub(crate) fn continue_from(&mut self, len: u64) -> Result<(), WriteError> {
        let done = self.file.set_len(len).and_then(|()| self.file.seek(SeekFrom::Start(len)));
        done.map_err(failed("truncate", &self.path))?;
        self.written = len;
        (self.has_media, self.keeps_media) = (len > 0, len > 0);
        Ok(())
    }

    /// The file, to be read.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Whether the file contains media.
    pub(crate) fn has_media(&self) -> bool {
        self.has_media
    }

    /// Appends bytes to the unit.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Ends the unit, which is media or part of the file's head.
    pub(crate) fn end_unit(&mut self, is_media: bool) -> Result<(), WriteError> {
        self.has_media |= is_media;
        if self.buffer.len() < BUFFER { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), WriteError> {
        self.file.write_all(&self.buffer).map_err(failed("write", &self.path))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER);
        self.keeps_media = self.has_media;
        Ok(())
    }

    /// Writes what is collected. Fails if the file was removed, since the data would be lost.
    pub(crate) fn flush(&mut self) -> Result<(), WriteError> {
        self.write()?;
        match self.file.metadata() {
            Ok(metadata) if metadata.nlink() == 0 => Err(failed("write", &self.path)(io::Error::new(
                io::ErrorKind::NotFound,
                "the file was removed",
            ))),
            _ => Ok(()),
        }
    }

    /// Overwrites bytes that are in the file.
    pub(crate) fn overwrite(&self, bytes: &[u8], at: u64) -> Result<(), WriteError> {
        self.file.write_all_at(bytes, at).map_err(failed("write", &self.path))
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
        let done = fcntl(&self.file, FcntlArg::F_SETLK(&lock));
        done.map(drop).map_err(|error| failed("fcntl", &self.path)(error.into()))
    }

    /// After a failure: drops what is not in the file, and cuts off a unit that is not whole. A file without media is
    /// removed. Returns whether the file stays.
    pub(crate) fn cut(&mut self) -> bool {
        self.buffer = Vec::new();
        if !self.keeps_media {
            self.remove();
            return false;
        }
        // The file is valid up to there also where it cannot be cut.
        let _ = self.file.set_len(self.written);
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }

    /// Removes the file, unless it was replaced by another one.
    pub(crate) fn remove(&mut self) {
        self.buffer = Vec::new();
        let _ = self.file.set_len(0);
        disk::remove_if_empty(&self.path, self.file.try_clone());
    }
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
