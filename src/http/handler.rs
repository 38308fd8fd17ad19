//! What the live handlers of locations have in common.

use bstr::{BString, ByteSlice};

use crate::directive::address::literal_addr;
use crate::directive::{Args, Evaluation, ListenAddr};
use crate::media::listen::DEFAULT_PORT;
use crate::syntax::{Problem, Spanned, Word, sentence};

/// An RTMP address that a location serves the streams of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpAddress {
    /// The address.
    pub addr: ListenAddr,
    /// The word it was read from.
    pub spelled: BString,
}

/// Addresses that must turn out to be RTMP addresses once everything is read.
#[derive(Default)]
pub struct RtmpAddresses(pub Vec<Spanned<RtmpAddress>>);

impl RtmpAddress {
    /// Reads the address after `flv_live` and its relatives.
    ///
    /// # Errors
    ///
    /// The words name no address.
    pub fn read(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<RtmpAddress, Problem> {
        let word = args.first();
        let addr = literal_addr(&word.bytes, DEFAULT_PORT).map_err(|_| {
            let text = sentence(&[b"Relation port err: ", &word.bytes]);
            Problem::new(text).at(word.span).help("the `listen` address of an rtmp server, such as 1935")
        })?;
        let relation = RtmpAddress { addr, spelled: word.text().to_owned() };
        let noted = Spanned { value: relation.clone(), span: word.span, place: args.terminator };
        evaluation.notes.of::<RtmpAddresses>().0.push(noted);
        Ok(relation)
    }
}

/// Splits `name=value`.
pub fn parameter(word: &Word) -> (&[u8], Option<&[u8]>) {
    match word.bytes.split_once_str("=") {
        Some((name, value)) => (name, Some(value)),
        None => (&word.bytes, None),
    }
}

/// The complaint about a parameter that a handler does not know.
pub fn unsupported(word: &Word, accepted: &str) -> Problem {
    let text = sentence(&[b"\"", &word.bytes, b"\" para not support"]);
    Problem::new(text).at(word.span).help(format!("accepted: {accepted}"))
}
