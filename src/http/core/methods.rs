//! Request methods.

use bstr::BString;

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Methods known to nginx.
const KNOWN: [&str; 14] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
];

/// Methods in upper case; GET includes HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodList(pub Vec<BString>);

impl Value for MethodList {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "method ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<MethodList, Problem> {
        let mut methods = Vec::with_capacity(args.words.len() + 1);
        for word in args.words {
            let Some(method) = KNOWN.iter().find(|known| word.bytes.eq_ignore_ascii_case(known.as_bytes()))
            else {
                let text = sentence(&[b"invalid method \"", &word.bytes, b"\""]);
                return Err(Problem::new(text).at(word.span).help(format!("accepted: {}", KNOWN.join(", "))));
            };
            methods.push(BString::from(*method));
            if *method == "GET" {
                methods.push("HEAD".into());
            }
        }
        Ok(MethodList(methods))
    }
}
