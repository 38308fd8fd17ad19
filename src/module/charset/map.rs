//! The `charset_map` directive.

use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use super::recode::{FromUtf8, Recoding, ToUtf8};
use super::utf8::{Decoded, decode};
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, Word, sentence};

/// A table between two charsets, for both directions.
#[derive(Clone, Debug)]
pub struct CharsetMap {
    from: BString,
    to: BString,
    forth: Recoding,
    back: Recoding,
}

impl CharsetMap {
    /// Whether it recodes from or to this charset.
    pub fn names(&self, charset: &BStr) -> bool {
        charset.eq_ignore_ascii_case(&self.from) || charset.eq_ignore_ascii_case(&self.to)
    }

    /// The table from a charset to another, if it is this one.
    pub fn recoding(&self, from: &BStr, to: &BStr) -> Option<&Recoding> {
        if from.eq_ignore_ascii_case(&self.from) && to.eq_ignore_ascii_case(&self.to) {
            Some(&self.forth)
        } else if from.eq_ignore_ascii_case(&self.to) && to.eq_ignore_ascii_case(&self.from) {
            Some(&self.back)
        } else {
            None
        }
    }
}

/// Pairs of charsets that have a table already.
#[derive(Default)]
struct Mapped(Vec<(Vec<u8>, Vec<u8>)>);

impl Value for CharsetMap {
    const ARITY: Arity = Arity::TWO;
    const BLOCK: bool = true;

    fn syntax() -> String {
        "charset charset { code code; ... }".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CharsetMap, Problem> {
        let [from, to] = args.words else { return Err(args.refuse("is incomplete")) };
        let refuse = |what: &str| {
            let text = sentence(&[what.as_bytes(), b" \"", &from.bytes, b"\" and \"", &to.bytes, b"\""]);
            Problem::new(text).at(args.span())
        };
        let pair = (from.bytes.to_ascii_lowercase(), to.bytes.to_ascii_lowercase());
        if pair.0 == pair.1 {
            return Err(refuse("\"charset_map\" between the same charsets"));
        }
        let mapped = evaluation.notes.of::<Mapped>();
        let back = (pair.1.clone(), pair.0.clone());
        if mapped.0.contains(&pair) || mapped.0.contains(&back) {
            return Err(refuse("duplicate \"charset_map\" between"));
        }
        let is_utf8 = pair.1 == b"utf-8";
        mapped.0.push(pair);
        let mut tables = if is_utf8 { Tables::utf8() } else { Tables::bytes() };
        for entry in args.body.into_iter().flatten() {
            let Some(words) = evaluation.free_entry(entry) else { continue };
            let problem = match words {
                [code, other] => match tables.add(code, other) {
                    Ok(()) => continue,
                    Err(word) => {
                        Problem::new(sentence(&[b"invalid value \"", &word.bytes, b"\""])).at(word.span)
                    }
                },
                _ => Problem::new("invalid parameters number").at(entry.span()),
            };
            evaluation.report(problem.place(entry.terminator()));
        }
        let (forth, back) = tables.into_recodings();
        Ok(CharsetMap { from: from.text().to_owned(), to: to.text().to_owned(), forth, back })
    }
}

/// Tables that are being filled.
enum Tables {
    Bytes { forth: Box<[u8; 256]>, back: Box<[u8; 256]> },
    Utf8 { forth: Box<ToUtf8>, back: FromUtf8 },
}

impl Tables {
    fn bytes() -> Self {
        let table: [u8; 256] =
            std::array::from_fn(|code| u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(b'?'));
        Tables::Bytes { forth: Box::new(table), back: Box::new(table) }
    }

    fn utf8() -> Self {
        Tables::Utf8 { forth: Box::default(), back: FromUtf8::default() }
    }

    /// Adds an entry; an error is the invalid word.
    fn add<'w>(&mut self, code: &'w Word, other: &'w Word) -> Result<(), &'w Word> {
        let from = byte(&code.bytes).ok_or(code)?;
        match self {
            Tables::Bytes { forth, back } => {
                let to = byte(&other.bytes).ok_or(other)?;
                forth[usize::from(from)] = to;
                back[usize::from(to)] = from;
            }
            Tables::Utf8 { forth, back } => {
                let bytes: Option<Vec<u8>> = other.bytes.chunks(2).map(byte_of_two).collect();
                let bytes = bytes.filter(|bytes| bytes.len() <= 3).ok_or(other)?;
                let Decoded::Char(number, _) = decode(&bytes) else { return Err(other) };
                let number = u16::try_from(number).map_err(|_| other)?;
                forth.set(from, &bytes);
                back.set(number, from);
            }
        }
        Ok(())
    }

    fn into_recodings(self) -> (Recoding, Recoding) {
        match self {
            Tables::Bytes { forth, back } => {
                (Recoding::Bytes(Arc::from(forth)), Recoding::Bytes(Arc::from(back)))
            }
            Tables::Utf8 { forth, back } => {
                (Recoding::ToUtf8(Arc::from(forth)), Recoding::FromUtf8(Arc::new(back)))
            }
        }
    }
}

/// A hexadecimal number up to FF.
fn byte(text: &[u8]) -> Option<u8> {
    let is_hex = !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit);
    u8::from_str_radix(text.to_str().ok().filter(|_| is_hex)?, 16).ok()
}

fn byte_of_two(text: &[u8]) -> Option<u8> {
    byte(text).filter(|_| text.len() == 2)
}
