//! File format of a generation.
//!
//! ```text
//! pingosd generation 1 HASH        SHA-256 of all that follows
//! number 7
//! since 2026-11-25T04:03:00Z
//! file 27 1024                     lengths of name and text in bytes
//! /etc/pingosd/pingosd.conf
//! ...
//! ```
//!
//! Texts are stored as they were read, so that the file is readable.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::config::history::Generation;
use crate::config::watch::Fingerprint;
use crate::syntax::include::COMMAND_LINE;
use crate::syntax::source::TextOrigin;
use crate::syntax::{SourceFile, Sources};

/// Beginning of a file.
const MAGIC: &str = "pingosd generation 1 ";

/// Maximum length of a header line: that of `since`.
const LINE: usize = 128;

/// Encodes a generation, without the words of the command line.
pub(super) fn encode(generation: &Generation) -> Vec<u8> {
    let mut body = format!("number {}\nsince {}\n", generation.number, generation.since).into_bytes();
    let files = generation.sources.files().iter().filter(|file| file.origin == TextOrigin::File);
    for SourceFile { name, bytes, .. } in files {
        let name = name.as_os_str().as_bytes();
        body.extend_from_slice(format!("file {} {}\n", name.len(), bytes.len()).as_bytes());
        for part in [name, b"\n", bytes, b"\n"] {
            body.extend_from_slice(part);
        }
    }
    with_head(&body)
}

/// Prepends the first line to a body.
pub(super) fn with_head(body: &[u8]) -> Vec<u8> {
    [head(body).as_bytes(), body].concat()
}

/// Reason why the file of a generation is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not a file of a generation.
    #[error("its first line is not that of a generation")]
    Magic,
    /// It was modified or truncated.
    #[error("its content does not match its hash")]
    Hash,
    /// The line with the generation's number is missing.
    #[error("it has no number")]
    Number,
    /// The line with the time is missing.
    #[error("it has no time")]
    Time,
    /// The line before a text is missing.
    #[error("a file has no lengths")]
    Lengths,
    /// The name of a text is truncated.
    #[error("a name is incomplete")]
    Name,
    /// A text is truncated.
    #[error("a text is incomplete")]
    Text,
}

/// Decodes the generation in a file; `globals` are the words of the command line, which precede its texts.
///
/// # Errors
///
/// The reason why the file is invalid.
pub(super) fn decode(text: Bytes, globals: &[u8]) -> Result<Generation, DecodeError> {
    let mut body = text.clone();
    let first =
        line(&mut body).filter(|line| line.starts_with(MAGIC.as_bytes())).ok_or(DecodeError::Magic)?;
    if first.len() + 1 != head(&body).len() || head(&body).as_bytes() != &text[..=first.len()] {
        return Err(DecodeError::Hash);
    }
    let number = word(&mut body, "number ").and_then(|text| text.parse().ok()).ok_or(DecodeError::Number)?;
    let since = word(&mut body, "since ").and_then(|text| text.parse().ok()).ok_or(DecodeError::Time)?;
    let mut sources = Sources::default();
    if !globals.is_empty() {
        let name = Arc::from(Path::new(COMMAND_LINE));
        let bytes = Bytes::copy_from_slice(globals);
        sources.add(SourceFile { name, bytes, origin: TextOrigin::CommandLine });
    }
    while body.has_remaining() {
        let lengths = word(&mut body, "file ").ok_or(DecodeError::Lengths)?;
        let (name, length) = lengths.split_once(' ').ok_or(DecodeError::Lengths)?;
        let name = take(&mut body, name).ok_or(DecodeError::Name)?;
        let bytes = take(&mut body, length).ok_or(DecodeError::Text)?;
        let name = Arc::from(Path::new(OsStr::from_bytes(&name)));
        sources.add(SourceFile { name, bytes, origin: TextOrigin::File });
    }
    Ok(Generation { number, since, fingerprint: Fingerprint::of(&sources), sources })
}

/// The first line for a body.
fn head(body: &[u8]) -> String {
    let mut head = MAGIC.to_owned();
    HEXLOWER.encode_append(&Sha256::digest(body), &mut head);
    head.push('\n');
    head
}

/// Takes a short line, without its end.
fn line(from: &mut Bytes) -> Option<Bytes> {
    let length = from.iter().take(LINE).position(|byte| *byte == b'\n')?;
    let line = from.split_to(length);
    from.advance(1);
    Some(line)
}

/// Takes the rest of the next line, which must begin with `name`.
fn word(from: &mut Bytes, name: &str) -> Option<String> {
    let line = line(from)?;
    let rest = line.strip_prefix(name.as_bytes())?;
    String::from_utf8(rest.to_vec()).ok()
}

/// Takes this number of bytes and the following line feed.
fn take(from: &mut Bytes, length: &str) -> Option<Bytes> {
    let length = length.parse::<usize>().ok().filter(|length| *length < from.len())?;
    let taken = from.split_to(length);
    (from.get_u8() == b'\n').then_some(taken)
}
