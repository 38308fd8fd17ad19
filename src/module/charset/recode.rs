//! Recoding of bodies between charsets.

use std::io::{self, Write};
use std::sync::Arc;

use super::utf8::{Decoded, LONGEST, decode};
use crate::http::body_reader::{Transform, is_full};

/// A table from one charset to another.
#[derive(Clone, Debug)]
pub enum Recoding {
    /// Bytes to bytes.
    Bytes(Arc<[u8; 256]>),
    /// Bytes to UTF-8.
    ToUtf8(Arc<ToUtf8>),
    /// UTF-8 to bytes.
    FromUtf8(Arc<FromUtf8>),
}

/// Lengths and bytes of characters.
#[derive(Clone, Debug)]
pub struct ToUtf8([(u8, [u8; 3]); 256]);

/// Bytes by the upper and lower byte of the character's number; 0 stands for none.
#[derive(Clone, Debug)]
pub struct FromUtf8(Vec<Option<Box<[u8; 256]>>>);

impl Default for ToUtf8 {
    fn default() -> Self {
        ToUtf8(std::array::from_fn(|code| {
            (1, [u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(b'?'), 0, 0])
        }))
    }
}

impl ToUtf8 {
    /// Sets the bytes of a code, three at most.
    pub fn set(&mut self, code: u8, bytes: &[u8]) {
        let mut text = [0; 3];
        text[..bytes.len()].copy_from_slice(bytes);
        self.0[usize::from(code)] = (u8::try_from(bytes.len()).unwrap_or(3), text);
    }

    fn get(&self, code: u8) -> &[u8] {
        let (length, bytes) = &self.0[usize::from(code)];
        &bytes[..usize::from(*length)]
    }
}

impl Default for FromUtf8 {
    fn default() -> Self {
        FromUtf8(vec![None; 256])
    }
}

impl FromUtf8 {
    /// Sets the code of a character.
    pub fn set(&mut self, number: u16, code: u8) {
        let [upper, lower] = number.to_be_bytes();
        self.0[usize::from(upper)].get_or_insert_with(|| Box::new([0; 256]))[usize::from(lower)] = code;
    }

    fn get(&self, number: u32) -> Option<u8> {
        let [upper, lower] = u16::try_from(number).ok()?.to_be_bytes();
        let code = self.0[usize::from(upper)].as_ref()?[usize::from(lower)];
        (code != 0).then_some(code)
    }
}

impl Recoding {
    /// Whether recoded bodies are as long as they were.
    pub fn keeps_length(&self) -> bool {
        matches!(self, Recoding::Bytes(_))
    }
}

/// Bytes at the beginning of a piece beyond which nginx sends those as they are that need no recoding.
const PLAIN: usize = 512;

/// Recodes a body.
pub struct Recode {
    recoding: Recoding,
    /// Bytes of the present piece that are to be recoded to UTF-8.
    left: usize,
    /// Beginning of a UTF-8 character whose rest has not come yet.
    begun: Vec<u8>,
}

impl Recode {
    /// Recodes with this table.
    pub fn new(recoding: Recoding) -> Self {
        Recode { recoding, left: 0, begun: Vec::new() }
    }
}

impl Transform for Recode {
    fn take(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        match &self.recoding {
            Recoding::Bytes(table) => {
                output.extend(input.iter().map(|byte| table[usize::from(*byte)]));
                *input = b"";
            }
            Recoding::ToUtf8(table) => to_utf8(table, &mut self.left, input, output),
            Recoding::FromUtf8(table) => from_utf8(table, &mut self.begun, input, output),
        }
        Ok(())
    }

    /// As in nginx, the beginning of a character at the end is dropped.
    fn end(&mut self, _: &mut Vec<u8>) -> io::Result<bool> {
        Ok(true)
    }
}

/// Recodes to UTF-8. As in nginx, a piece in which all characters have one byte is sent as it is, and so is the beginning
/// of a longer one.
fn to_utf8(table: &ToUtf8, left: &mut usize, input: &mut &[u8], output: &mut Vec<u8>) {
    if *left == 0 {
        let plain = input.iter().position(|code| table.get(*code).len() != 1).unwrap_or(input.len());
        if plain == input.len() || plain > PLAIN {
            output.extend_from_slice(&input[..plain]);
            *input = &input[plain..];
        }
        *left = input.len();
    }
    while let [code, rest @ ..] = *input
        && !is_full(output)
    {
        output.extend_from_slice(table.get(*code));
        *input = rest;
        *left -= 1;
    }
}

/// Recodes from UTF-8: characters without a code become `&#NUMBER;`, and what is no character `?`.
fn from_utf8(table: &FromUtf8, begun: &mut Vec<u8>, input: &mut &[u8], output: &mut Vec<u8>) {
    while !is_full(output) {
        let [first, rest @ ..] = *input else { return };
        if begun.is_empty() && first.is_ascii() {
            output.push(*first);
            *input = rest;
            continue;
        }
        let before = begun.len();
        begun.extend_from_slice(&input[..input.len().min(LONGEST - before)]);
        let used = match decode(begun) {
            Decoded::Incomplete => {
                *input = &input[begun.len() - before..];
                return;
            }
            Decoded::Invalid(length) => {
                output.push(b'?');
                length
            }
            Decoded::Char(number, length) => {
                match table.get(number) {
                    Some(code) => output.push(code),
                    None if number > 0x10_ffff => output.push(b'?'),
                    // Writing to memory cannot fail.
                    None => drop(write!(output, "&#{number};")),
                }
                length
            }
        };
        *input = &input[used.saturating_sub(before)..];
        begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    fn recoded(recoding: &Recoding, text: &[u8], size: usize) -> Vec<u8> {
        let mut recode = Recode::new(recoding.clone());
        let mut all = Vec::new();
        for mut piece in text.chunks(size) {
            while !piece.is_empty() {
                let mut output = Vec::new();
                recode.take(&mut piece, &mut output).unwrap();
                assert!(output.len() < limits::HTTP_FILTER_BYTES + 10);
                all.extend(output);
            }
        }
        let mut output = Vec::new();
        assert!(recode.end(&mut output).unwrap() && output.is_empty());
        all
    }

    #[test]
    fn utf8_is_recoded_whatever_the_pieces() {
        let (mut forth, mut back) = (ToUtf8::default(), FromUtf8::default());
        for (code, text) in [(0xc0, "\u{410}"), (0x88, "\u{20ac}")] {
            forth.set(code, text.as_bytes());
            let number = u32::from(text.chars().next().unwrap());
            back.set(u16::try_from(number).unwrap(), code);
        }
        let (forth, back) = (Recoding::ToUtf8(Arc::new(forth)), Recoding::FromUtf8(Arc::new(back)));
        for size in [1, 2, 3, 4, 5, 100] {
            assert_eq!(recoded(&forth, b"a\xc0\x88.", size), "a\u{410}\u{20ac}.".as_bytes());
            let text = "a\u{410}\u{20ac}\u{411}\u{1f600}.\u{80}x".as_bytes();
            assert_eq!(recoded(&back, text, size), b"a\xc0\x88&#1041;&#128512;.&#128;x");
            assert_eq!(recoded(&back, b"\xd0a\xff\xe2\x82\x41b\xd0\x90", size), b"???b\xc0");
            // The beginning of a character at the end.
            assert_eq!(recoded(&back, b"a\xe2\x82", size), b"a");
        }
        let long = "\u{411}".repeat(50_000);
        assert_eq!(recoded(&back, long.as_bytes(), 100_000).len(), 50_000 * "&#1041;".len());
    }

    #[test]
    fn a_piece_without_longer_characters_stays_as_it_is() {
        let mut forth = ToUtf8::default();
        forth.set(0xc0, "\u{410}".as_bytes());
        let forth = Recoding::ToUtf8(Arc::new(forth));
        assert_eq!(recoded(&forth, b"a\xff\xc0\xff", 100), "a?\u{410}?".as_bytes());
        assert_eq!(recoded(&forth, b"a\xff\xff", 100), b"a\xff\xff");
        let long = [&[0xff; 513][..], b"\xc0\xff"].concat();
        assert_eq!(recoded(&forth, &long, 1000), [&[0xff; 513][..], "\u{410}?".as_bytes()].concat());
        assert_eq!(recoded(&forth, &long[1..], 1000), [&[b'?'; 512][..], "\u{410}?".as_bytes()].concat());
        // The output is full before the piece ends.
        let long = vec![0xc0; 100_000];
        assert_eq!(recoded(&forth, &long, 100_000).len(), 200_000);
    }

    #[test]
    fn bytes_stay_as_many() {
        let table = std::array::from_fn(|code| u8::try_from(255 - code).unwrap());
        assert_eq!(recoded(&Recoding::Bytes(Arc::new(table)), b"\x00\x01\xff", 2), b"\xff\xfe\x00");
    }
}
