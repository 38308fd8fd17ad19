//! Why no part of an MP4 file can be made.

use std::io;

use bstr::BString;

use crate::syntax::sentence;

/// Why a file cannot be cut; nginx answers 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mp4Error {
    /// The file cannot be read.
    Read(io::ErrorKind),
    /// The text is followed by the name of the file.
    In(&'static str),
    /// The name of the file is followed by the text and, after a colon, a size.
    Of(&'static str, Option<u64>),
    /// The description is larger than `mp4_max_buffer_size`.
    TooLarge(u64),
}

impl Mp4Error {
    /// The text for the error log.
    pub fn text(&self, path: &[u8]) -> BString {
        let number = |number: Option<u64>| number.map(|number| format!(":{number}")).unwrap_or_default();
        match self {
            Mp4Error::Read(kind) => {
                sentence(&[b"read \"", path, b"\" failed (", kind.to_string().as_bytes(), b")"])
            }
            Mp4Error::In(text) => sentence(&[text.as_bytes(), b" \"", path, b"\""]),
            Mp4Error::Of(text, size) => {
                sentence(&[b"\"", path, b"\" ", text.as_bytes(), number(*size).as_bytes()])
            }
            Mp4Error::TooLarge(size) => {
                let size = format!("{size}, you may want to increase mp4_max_buffer_size");
                sentence(&[b"\"", path, b"\" mp4 moov atom is too large:", size.as_bytes()])
            }
        }
    }
}
