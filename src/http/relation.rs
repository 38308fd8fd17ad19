//! Common parts of the live handlers of locations.

use bstr::{BString, ByteSlice};

use crate::directive::address::literal_addr;
use crate::directive::conclusion::WholeConfig;
use crate::directive::{Args, Arity, Evaluation, ListenAddr, Value};
use crate::media::listen::DEFAULT_PORT;
use crate::syntax::{Problem, Spanned, Word, sentence};

/// RTMP address whose streams a location serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpAddress {
    /// The address.
    pub addr: ListenAddr,
    /// The word from which it was parsed.
    pub spelled: BString,
}

/// Addresses that must be RTMP listeners, checked at the end of the configuration.
#[derive(Default)]
pub struct RtmpAddresses(pub Vec<Spanned<RtmpAddress>>);

impl RtmpAddress {
    /// Parses the address after `flv_live` and similar directives.
    ///
    /// # Errors
    ///
    /// The word is no address.
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

/// The applications whose streams a location serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpApp {
    /// Address of their rtmp server.
    pub addr: ListenAddr,
    /// Application, unless the request names one.
    pub app: Option<BString>,
}

impl Value for RtmpApp {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "address [app=name]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<RtmpApp, Problem> {
        let RtmpAddress { addr, .. } = RtmpAddress::read(args, evaluation)?;
        let mut live = RtmpApp { addr, app: None };
        for word in args.words.get(1..).unwrap_or_default() {
            match parameter(word) {
                (b"app", Some(value)) => live.app = Some(value.into()),
                _ => return Err(unsupported(word, "app=")),
            }
        }
        Ok(live)
    }
}

/// Splits `name=value`.
pub fn parameter(word: &Word) -> (&[u8], Option<&[u8]>) {
    match word.bytes.split_once_str("=") {
        Some((name, value)) => (name, Some(value)),
        None => (&word.bytes, None),
    }
}

/// Error about an unknown parameter of a handler.
pub fn unsupported(word: &Word, accepted: &str) -> Problem {
    let text = sentence(&[b"\"", &word.bytes, b"\" para not support"]);
    Problem::new(text).at(word.span).help(format!("accepted: {accepted}"))
}

/// Reports live locations whose address is no RTMP listen address.
pub fn are_rtmp_addresses(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    let known: Vec<String> = whole.rtmp_addresses.iter().map(ToString::to_string).collect();
    let RtmpAddresses(relations) = whole.notes.of();
    let unknown = relations.iter().filter(|relation| !whole.rtmp_addresses.contains(&&relation.value.addr));
    unknown
        .map(|relation| {
            let text = [b"Can not find relation port: ", &relation.value.spelled[..]].concat();
            let problem = Problem::new(text).at(relation.span).place(relation.place);
            let help = match known.as_slice() {
                [] => "there is no rtmp server".into(),
                known => format!("rtmp servers listen on: {}", known.join(", ")),
            };
            problem.help(help)
        })
        .collect()
}
