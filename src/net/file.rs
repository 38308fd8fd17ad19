//! Files that are served: opened and read without waiting for the disk, if what is needed is in memory.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// Opens a file for reading if its path can be resolved from memory; `None` if that would wait for the disk, or cannot
/// be told on this system.
pub fn open_present(path: &Path) -> Option<io::Result<File>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(file) => Some(Ok(file.into())),
        Err(Errno::AGAIN | Errno::NOSYS | Errno::INVAL | Errno::PERM) => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// Reads from a file if the bytes are in memory; `None` if that would wait for the disk, or cannot be told for this file.
pub fn read_present(file: &File, buffer: &mut [u8], start: u64) -> Option<io::Result<usize>> {
    match preadv2(file, &mut [IoSliceMut::new(buffer)], start, ReadWriteFlags::NOWAIT) {
        Ok(length) => Some(Ok(length)),
        Err(Errno::AGAIN | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => None,
        Err(error) => Some(Err(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_memory_is_read_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "text").unwrap();
        let file = open_present(&path).map_or_else(|| File::open(&path), |opened| opened).unwrap();
        let mut bytes = [0; 10];
        if let Some(read) = read_present(&file, &mut bytes, 1) {
            assert_eq!(&bytes[..read.unwrap()], b"ext");
        }
        if let Some(missing) = open_present(&dir.path().join("none")) {
            assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}
