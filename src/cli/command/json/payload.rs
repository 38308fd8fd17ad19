//! JSON payload, and the representation of bytes in its strings.

use serde::{Deserialize, Serialize};

/// First of the characters that represent single bytes.
const BYTES: u32 = 0x10_FF00;

/// The top-level object.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Payload {
    /// `ok` or `failed`.
    #[serde(default)]
    pub status: String,
    /// All errors.
    #[serde(default)]
    pub errors: Vec<PayloadError>,
    /// The files, main file first.
    pub config: Vec<ConfigFile>,
}

/// An error with its file.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct PayloadError {
    /// The file.
    pub file: String,
    /// The message.
    pub error: String,
    /// The line, if known.
    pub line: Option<u32>,
}

/// One file.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ConfigFile {
    /// Its name.
    #[serde(default)]
    pub file: String,
    /// `ok` or `failed`.
    #[serde(default)]
    pub status: String,
    /// Its errors.
    #[serde(default)]
    pub errors: Vec<FileError>,
    /// Its statements.
    pub parsed: Vec<Directive>,
}

/// An error in a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FileError {
    /// The message.
    pub error: String,
    /// The line, if known.
    pub line: Option<u32>,
}

/// A statement or a comment.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Directive {
    /// Its name; `#` for a comment.
    pub directive: String,
    /// Line on which it begins.
    #[serde(default)]
    pub line: u32,
    /// Arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// For an include: indices of the files in `config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub includes: Option<Vec<usize>>,
    /// The file, if several files are combined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Statements of a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Vec<Directive>>,
    /// Text of a comment, without `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Converts bytes to text; see the module's documentation.
pub fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let escape = |text: &mut String, bytes: &[u8]| {
        text.extend(bytes.iter().filter_map(|byte| char::from_u32(BYTES + u32::from(*byte))));
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if u32::from(character) >= BYTES {
                escape(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(character);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// Converts such text back to bytes.
pub fn from_text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u32::from(character).checked_sub(BYTES).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}
