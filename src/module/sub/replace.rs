//! Replacement of several texts in a body that comes in pieces, as nginx replaces them.
//!
//! The occurrence that begins first is replaced; of those that begin at the same byte, the one of the first pair. The
//! end of the body is left as it is from where a text could still begin.

use std::io;

use crate::http::body_reader::{Transform, is_full};

/// Replaces texts.
pub(super) struct Replace {
    pairs: Vec<Pair>,
    /// Whether each text is replaced once.
    once: bool,
    /// Pairs that are still looked for.
    left: usize,
    /// Length of the shortest text.
    shortest: usize,
    /// Bytes to skip, by the byte where the shortest text would end; 0 if one of the texts has the byte there.
    skip: Box<[usize; 256]>,
    /// Input that is neither sent nor replaced yet: less than the longest text, unless the output was full.
    window: Vec<u8>,
    /// Where in `window` the next text may begin.
    at: usize,
}

/// A text and what replaces it.
struct Pair {
    /// In lower case; not empty.
    pattern: Vec<u8>,
    replacement: Vec<u8>,
    is_done: bool,
}

/// What stands at a place of the window.
enum Found {
    Nothing,
    /// The beginning of a text, which the window's end cuts.
    Part,
    /// The text of a pair.
    Pair(usize),
}

impl Replace {
    /// Replaces texts by others; with `once`, each one time. `None` without texts; empty ones do not count.
    pub(super) fn new(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>, once: bool) -> Option<Self> {
        let pairs = pairs.into_iter().filter(|(pattern, _)| !pattern.is_empty());
        let pairs: Vec<Pair> = pairs
            .map(|(pattern, replacement)| Pair {
                pattern: pattern.to_ascii_lowercase(),
                replacement,
                is_done: false,
            })
            .collect();
        let shortest = pairs.iter().map(|pair| pair.pattern.len()).min()?;
        let mut skip = Box::new([shortest; 256]);
        for pair in &pairs {
            for (at, byte) in pair.pattern[..shortest].iter().enumerate() {
                let known = &mut skip[usize::from(*byte)];
                *known = (*known).min(shortest - 1 - at);
            }
        }
        Some(Replace { left: pairs.len(), pairs, once, shortest, skip, window: Vec::new(), at: 0 })
    }

    /// What stands at `at`.
    fn find(&self) -> Found {
        for (number, pair) in self.pairs.iter().enumerate().filter(|(_, pair)| !pair.is_done) {
            let here = &self.window[self.at..];
            let length = here.len().min(pair.pattern.len());
            if here[..length].eq_ignore_ascii_case(&pair.pattern[..length]) {
                return if length == pair.pattern.len() { Found::Pair(number) } else { Found::Part };
            }
        }
        Found::Nothing
    }

    /// Whether a text could begin at this place of the window, which ends before the text does.
    fn may_begin(&self, at: usize) -> bool {
        let here = &self.window[at..];
        let mut open = self.pairs.iter().filter(|pair| !pair.is_done && here.len() < pair.pattern.len());
        open.any(|pair| here.eq_ignore_ascii_case(&pair.pattern[..here.len()]))
    }

    /// Replaces what is in the window, except for what may be the beginning of a text; returns whether it was done
    /// before the output was full.
    fn scan(&mut self, output: &mut Vec<u8>) -> bool {
        let mut sent = 0;
        let is_done = loop {
            if is_full(output) {
                break false;
            }
            if self.left == 0 {
                self.at = self.window.len();
                break true;
            }
            let Some(last) = self.window.get(self.at + self.shortest - 1) else { break true };
            match self.skip[usize::from(last.to_ascii_lowercase())] {
                0 => {}
                skip => {
                    self.at += skip;
                    continue;
                }
            }
            match self.find() {
                Found::Nothing => self.at += 1,
                Found::Part => break true,
                Found::Pair(number) => {
                    output.extend_from_slice(&self.window[sent..self.at]);
                    let pair = &mut self.pairs[number];
                    output.extend_from_slice(&pair.replacement);
                    self.at += pair.pattern.len();
                    sent = self.at;
                    if self.once {
                        pair.is_done = true;
                        self.left -= 1;
                    }
                }
            }
        };
        let end = self.at.min(self.window.len());
        output.extend_from_slice(&self.window[sent..end]);
        self.window.drain(..end);
        self.at -= end;
        is_done
    }
}

impl Transform for Replace {
    fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        if self.left == 0 && self.window.is_empty() {
            output.extend_from_slice(input);
            *input = b"";
            return Ok(());
        }
        // What was left when the output was full comes first.
        if self.scan(output) {
            self.window.extend_from_slice(input);
            *input = b"";
            self.scan(output);
        }
        Ok(())
    }

    fn end(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        if !self.scan(output) {
            return Ok(false);
        }
        output.append(&mut self.window);
        self.at = 0;
        Ok(true)
    }

    /// As in nginx, only the beginning of a text stays.
    fn flush(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if self.scan(output) {
            let length = self.window.len();
            let held = (0..length).find(|at| self.may_begin(*at)).unwrap_or(length);
            output.extend(self.window.drain(..held));
            self.at = self.at.saturating_sub(held);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    fn replaced(pairs: &[(&str, &str)], once: bool, text: &[u8], size: usize) -> Vec<u8> {
        let pairs = pairs.iter().map(|(pattern, new)| (pattern.as_bytes().into(), new.as_bytes().into()));
        let mut replace = Replace::new(pairs, once).unwrap();
        let longest =
            replace.pairs.iter().map(|pair| pair.pattern.len().max(pair.replacement.len())).max().unwrap();
        let mut all = Vec::new();
        for mut piece in text.chunks(size) {
            while !piece.is_empty() {
                let mut output = Vec::new();
                replace.take(&mut piece, &mut output).unwrap();
                assert!(replace.window.len() < size + longest);
                assert!(output.len() <= limits::HTTP_FILTER_BYTES + 2 * longest + size);
                all.extend(output);
            }
        }
        let mut is_done = false;
        while !is_done {
            let mut output = Vec::new();
            is_done = replace.end(&mut output).unwrap();
            all.extend(output);
        }
        all
    }

    #[test]
    fn what_is_flushed_is_all_that_begins_no_text() {
        let flushed = |pairs: &[(&str, &str)], text: &str| {
            let pairs = pairs.iter().map(|(pattern, new)| (pattern.as_bytes().into(), new.as_bytes().into()));
            let (mut replace, mut output) = (Replace::new(pairs, false).unwrap(), Vec::new());
            replace.take(&mut text.as_bytes(), &mut output).unwrap();
            replace.flush(&mut output).unwrap();
            let held = String::from_utf8(replace.window.clone()).unwrap();
            replace.take(&mut &b"ne one"[..], &mut output).unwrap();
            replace.end(&mut output).unwrap();
            (held, String::from_utf8(output).unwrap())
        };
        assert_eq!(flushed(&[("one", "1")], "event one o"), ("o".into(), "event 1 1 1".into()));
        assert_eq!(flushed(&[("one", "1")], "event one OoN"), ("oN".into(), "event 1 OoNne 1".into()));
        assert_eq!(flushed(&[("one", "1")], "event\r\n"), (String::new(), "event\r\nne 1".into()));
        assert_eq!(flushed(&[("one", "1")], ""), (String::new(), "ne 1".into()));
        assert_eq!(flushed(&[("zzzz", "1"), ("tone", "2")], "a to"), ("to".into(), "a 2 one".into()));
    }

    /// Texts with what replaces them, whether once, the body, and what becomes of it.
    type Case = (&'static [(&'static str, &'static str)], bool, &'static str, &'static str);

    #[test]
    fn the_pieces_of_the_body_make_no_difference() {
        let cases: [Case; 12] = [
            (&[("one", "1")], true, "one two one ONE One\n", "1 two one ONE One\n"),
            (&[("one", "1")], false, "one two one ONE One\n", "1 two 1 1 1\n"),
            (&[("ONE", "1")], false, "xone", "x1"),
            (&[("one", "1"), ("two", "2")], true, "twotwo one one", "2two 1 one"),
            (&[("one", "")], false, "oneone", ""),
            (&[("one", "one one")], false, "one one", "one one one one"),
            (&[("aab", "X")], false, "aaaaab aaab aab ab aaaa", "aaaX aX X ab aaaa"),
            (
                &[("onet", "X"), ("etwo", "Y"), ("on", "Z")],
                false,
                "onetwo onetone twoone\none",
                "Xwo XZe twoZe\none",
            ),
            // The beginning of the first text at the end hides the others.
            (&[("onet", "X"), ("on", "Z")], false, "the last is on", "the last is on"),
            (&[("abc", "X"), ("b", "Y")], false, "bab", "Yab"),
            (&[("a", "1"), ("ab", "2")], false, "abab", "1b1b"),
            (&[("e\nt", "|")], false, "one\ntwo\nthree", "on|wo\nthree"),
        ];
        for (pairs, once, text, expected) in cases {
            for size in [1, 2, 3, 4, 5, 1000] {
                let got = replaced(pairs, once, text.as_bytes(), size);
                assert_eq!(String::from_utf8_lossy(&got), expected, "{pairs:?} by {size}");
            }
        }
    }

    #[test]
    fn output_is_bounded_by_the_replacement() {
        let long = "y".repeat(10_000);
        let got = replaced(&[("x", &long)], false, &[b'x'; 2000], 2000);
        assert_eq!(got.len(), 20_000_000);
        assert!(got.iter().all(|b| *b == b'y'));
    }

    #[test]
    fn without_texts_nothing_is_replaced() {
        assert!(Replace::new([(Vec::new(), b"x".to_vec())], true).is_none());
    }
}
