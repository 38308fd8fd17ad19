//! The `return` directive.

use bytes::Bytes;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, sentence};

/// Highest status that can be returned.
const MAX_STATUS: u64 = 999;

/// A fixed response.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// Status; 444 closes the connection without a response.
    pub status: u16,
    /// Body, or the `Location` of a redirect.
    pub text: Option<Template>,
    /// The text, if it has no variables.
    pub constant: Option<Bytes>,
    /// Reading-order number of its statement.
    pub order: u32,
}

impl Return {
    fn new(status: u16, text: Option<Template>, order: u32) -> Return {
        let constant = text.as_ref().and_then(Template::literal).map(|text| Vec::from(text).into());
        Return { status, text, constant, order }
    }

    /// Whether it is a redirect, to the text.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

impl Value for Return {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "code [text | url] | url".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Return, Problem> {
        let first = args.first();
        let code = number::digits(&first.bytes);
        let url = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|p| first.bytes.starts_with(p));
        match (code, args.words.get(1)) {
            (None, None) if url => {
                let text = Template::compile(first, &first.bytes, evaluation)?;
                Ok(Return::new(302, Some(text), evaluation.order))
            }
            (Some(code @ 0..=MAX_STATUS), text) => {
                let text = text.map(|t| Template::compile(t, &t.bytes, evaluation)).transpose()?;
                Ok(Return::new(u16::try_from(code).unwrap_or(0), text, evaluation.order))
            }
            _ => {
                let text = sentence(&[b"invalid return code \"", &first.bytes, b"\""]);
                Err(Problem::new(text).at(first.span).help("a status such as 404, or a URL for a redirect"))
            }
        }
    }
}
