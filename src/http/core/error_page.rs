//! The `error_page` directive.

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, Word, sentence};

/// Replacement of some error responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// Statuses that are replaced.
    pub statuses: Vec<u16>,
    /// `=STATUS`: status of the replacement; zero keeps the status of the target.
    pub overwrite: Option<u16>,
    /// Target URI.
    pub uri: Template,
}

impl Value for ErrorPage {
    const ARITY: Arity = Arity::from(2);

    fn syntax() -> String {
        "status ... [=[status]] uri".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ErrorPage, Problem> {
        let [statuses @ .., uri] = args.words else { return Err(args.refuse("has no uri")) };
        let (statuses, overwrite) = match statuses.split_last() {
            Some((last, [])) if last.bytes.first() == Some(&b'=') => return Err(invalid(last)),
            Some((last, rest)) if last.bytes.first() == Some(&b'=') => (rest, Some(overwrite(last)?)),
            _ => (statuses, None),
        };
        let statuses = statuses.iter().map(status).collect::<Result<_, _>>()?;
        Ok(ErrorPage { statuses, overwrite, uri: Template::compile(uri, &uri.bytes, evaluation)? })
    }
}

fn invalid(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid value \"", &word.bytes, b"\""])).at(word.span)
}

fn overwrite(word: &Word) -> Result<u16, Problem> {
    match word.bytes.get(1..) {
        None | Some([]) => Ok(0),
        Some(digits) => {
            number::digits(digits).and_then(|n| u16::try_from(n).ok()).ok_or_else(|| invalid(word))
        }
    }
}

fn status(word: &Word) -> Result<u16, Problem> {
    let Some(status) = number::digits(&word.bytes) else {
        return Err(invalid(word));
    };
    if status == 499 {
        return Err(invalid(word).caption("a closed connection gets no error page"));
    }
    let usable = (300..=599).contains(&status);
    u16::try_from(status).ok().filter(|_| usable).ok_or_else(|| {
        let text = sentence(&[b"value \"", &word.bytes, b"\" must be between 300 and 599"]);
        Problem::new(text).at(word.span)
    })
}
