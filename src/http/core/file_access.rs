//! Directives about opening and reading files; only validated.

use bstr::ByteSlice;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::syntax::{Problem, Word, sentence};

/// `aio`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aio;

/// `disable_symlinks`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisableSymlinks;

/// `open_file_cache`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFileCache;

impl Value for Aio {
    fn syntax() -> String {
        "on | off | threads[=pool]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Aio, Problem> {
        match &args.first().bytes[..] {
            b"on" | b"off" | b"threads" => Ok(Aio),
            word if word.starts_with(b"threads=") => Ok(Aio),
            _ => Err(args.refuse("invalid value").caption("accepted: on, off, threads, threads=")),
        }
    }
}

impl Value for DisableSymlinks {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | on [from=part] | if_not_owner [from=part]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<DisableSymlinks, Problem> {
        let mut switched = false;
        for word in args.words {
            match &word.bytes[..] {
                b"off" | b"on" | b"if_not_owner" => switched = true,
                from if from.starts_with(b"from=") && from.len() > 5 => {
                    crate::http::variable::Template::compile(word, &from[5..], evaluation)?;
                }
                _ => {
                    return Err(
                        invalid("invalid parameter", word).help("accepted: off, on, if_not_owner, from=")
                    );
                }
            }
        }
        if switched {
            return Ok(DisableSymlinks);
        }
        let rest = b"\" must have \"off\", \"on\" or \"if_not_owner\" parameter";
        Err(Problem::new(sentence(&[b"\"", &args.name.bytes, rest])).at(args.span()))
    }
}

impl Value for OpenFileCache {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | max=number [inactive=time]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<OpenFileCache, Problem> {
        let (mut most, mut off) = (false, false);
        for word in args.words {
            let valid = match word.bytes.split_once_str("=") {
                Some((b"max", value)) => {
                    most = true;
                    number::digits(value).is_some_and(|n| n > 0)
                }
                Some((b"inactive", value)) => number::sec(value).is_some(),
                None if &word.bytes[..] == b"off" => {
                    off = true;
                    true
                }
                _ => false,
            };
            if !valid {
                return Err(invalid("invalid \"open_file_cache\" parameter", word));
            }
        }
        if most || off {
            return Ok(OpenFileCache);
        }
        let text = sentence(&[b"\"", &args.name.bytes, b"\" must have the \"max\" parameter"]);
        Err(Problem::new(text).at(args.span()))
    }
}

fn invalid(what: &str, word: &Word) -> Problem {
    Problem::new(sentence(&[what.as_bytes(), b" \"", &word.bytes, b"\""])).at(word.span)
}
