//! `broadcast_rewrite_prefix`: another beginning for a body that comes in pieces.

use std::io;

use crate::http::body_reader::Transform;

/// Replaces the beginning of a body, if it is the one expected.
pub(super) struct PrefixSwap {
    old: Vec<u8>,
    new: Vec<u8>,
    /// The beginning as far as it has come, until it is known whether it is replaced.
    seen: Option<Vec<u8>>,
}

impl PrefixSwap {
    /// Replaces `old` by `new`.
    pub(super) fn new(old: &[u8], new: &[u8]) -> Self {
        PrefixSwap { old: old.to_vec(), new: new.to_vec(), seen: Some(Vec::new()) }
    }
}

impl Transform for PrefixSwap {
    fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        if let Some(mut seen) = self.seen.take() {
            let (beginning, rest) = input.split_at(input.len().min(self.old.len() - seen.len()));
            seen.extend_from_slice(beginning);
            *input = rest;
            if seen == self.old {
                output.extend_from_slice(&self.new);
            } else if self.old.starts_with(&seen) {
                self.seen = Some(seen);
            } else {
                output.extend_from_slice(&seen);
            }
        }
        output.extend_from_slice(input);
        *input = &[];
        Ok(())
    }

    fn end(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        output.extend(self.seen.take().unwrap_or_default());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a body in these pieces if `ab` is replaced by `[[`.
    fn swapped(pieces: &[&str]) -> String {
        let mut swap = PrefixSwap::new(b"ab", b"[[");
        let mut output = Vec::new();
        for piece in pieces {
            let mut input = piece.as_bytes();
            while !input.is_empty() {
                swap.take(&mut input, &mut output).unwrap();
            }
        }
        assert!(swap.end(&mut output).unwrap());
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn only_the_expected_beginning_is_replaced() {
        for (pieces, whole) in [
            (&["abcab"][..], "[[cab"),
            (&["a", "b", "c"], "[[c"),
            (&["ab"], "[["),
            (&["a"], "a"),
            (&["a", "cab"], "acab"),
            (&["cab"], "cab"),
            (&[], ""),
        ] {
            assert_eq!(swapped(pieces), whole, "{pieces:?}");
        }
    }
}
