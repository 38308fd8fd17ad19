//! `memory:SIZE`: the latest lines in a ring buffer.

use std::collections::VecDeque;

/// The latest bytes of a log.
#[derive(Debug)]
pub(super) struct Ring {
    size: usize,
    bytes: VecDeque<u8>,
}

impl Ring {
    /// A ring for `size` bytes; memory is taken as it fills.
    pub(super) fn new(size: u64) -> Ring {
        Ring { size: usize::try_from(size).unwrap_or(usize::MAX), bytes: VecDeque::new() }
    }

    /// Adds a line; the oldest bytes are dropped.
    pub(super) fn write(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(self.size)..];
        let surplus = (self.bytes.len() + line.len()).saturating_sub(self.size);
        self.bytes.drain(..surplus);
        self.bytes.extend(line);
    }

    /// Its contents from the oldest to the latest byte. The first line may lack its beginning.
    #[cfg(test)]
    fn contents(&self) -> Vec<u8> {
        self.bytes.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_bytes_stay() {
        let mut ring = Ring::new(8);
        ring.write(b"one\n");
        ring.write(b"two\n");
        assert_eq!(ring.contents(), b"one\ntwo\n");
        ring.write(b"3\n");
        assert_eq!(ring.contents(), b"e\ntwo\n3\n");
        ring.write(b"0123456789");
        assert_eq!(ring.contents(), b"23456789");
    }
}
