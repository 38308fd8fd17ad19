//! Queue of bytes not yet written to a player.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Queue of byte strings that keeps its total length, which is read for every packet of a busy player.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

/// Capacity kept by an empty queue, in byte strings.
const SPARE: usize = 8;

impl Outgoing {
    /// Appends a byte string; an empty one is ignored.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Number of byte strings.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Total length in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Length of the first `most` byte strings, in bytes.
    pub fn bytes_of(&self, most: usize) -> usize {
        if self.len() <= most { self.bytes } else { self.iter().take(most).map(Bytes::len).sum() }
    }

    /// The byte strings, in sending order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }

    /// The byte string, if it is the only one.
    pub fn single(&self) -> Option<&Bytes> {
        self.pieces.front().filter(|_| self.pieces.len() == 1)
    }

    /// Removes `written` bytes. Returns whether the queue is empty then.
    pub fn consume(&mut self, mut written: usize) -> bool {
        while let Some(front) = self.pieces.front_mut() {
            if written < front.len() {
                front.advance(written);
                self.bytes -= written;
                return false;
            }
            written -= front.len();
            self.bytes -= front.len();
            self.pieces.pop_front();
        }
        // A burst at the start must not keep its capacity for the rest of the session.
        if self.pieces.capacity() > SPARE {
            self.pieces.shrink_to(0);
        }
        true
    }

    /// Releases the capacity of an empty queue.
    pub fn shrink(&mut self) {
        if self.pieces.capacity() > 0 && self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }
}

impl From<Outgoing> for VecDeque<Bytes> {
    fn from(outgoing: Outgoing) -> Self {
        outgoing.pieces
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_its_bytes_whatever_goes_in_and_out(
            steps in prop::collection::vec((0usize..40, 0usize..60), 0..60),
            most in 0usize..8,
        ) {
            let (mut outgoing, mut expected) = (Outgoing::default(), VecDeque::new());
            for (add, written) in steps {
                outgoing.push(Bytes::from(vec![add as u8; add]));
                expected.extend(vec![add as u8; add]);
                let written = written.min(expected.len());
                expected.drain(..written);
                prop_assert_eq!(outgoing.consume(written), expected.is_empty());
                prop_assert_eq!(outgoing.bytes(), expected.len());
                prop_assert_eq!(outgoing.iter().flatten().copied().collect::<VecDeque<u8>>(), expected.clone());
                let first: usize = outgoing.iter().take(most).map(Bytes::len).sum();
                prop_assert_eq!(outgoing.bytes_of(most), first);
                prop_assert_eq!(outgoing.single().is_some(), outgoing.len() == 1);
            }
        }
    }
}
