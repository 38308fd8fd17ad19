//! Files that are served: read without waiting for the disk, if what is needed is in memory.

use std::fs::File;
use std::io::{self, IoSliceMut};

use rustix::io::{Errno, ReadWriteFlags, preadv2};

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
        let file = File::open(&path).unwrap();
        let mut bytes = [0; 10];
        if let Some(read) = read_present(&file, &mut bytes, 1) {
            assert_eq!(&bytes[..read.unwrap()], b"ext");
        }
    }
}
