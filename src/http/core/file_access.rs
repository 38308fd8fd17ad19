//! Directives about opening and reading files.

use std::sync::Arc;
use std::time::Duration;

use bstr::ByteSlice;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::file_cache::FileCache;
use crate::http::variable::Template;
use crate::net::links::Links;
use crate::syntax::{Problem, Word, sentence};

/// `aio`; files are read without blocking in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aio;

/// `disable_symlinks`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisableSymlinks {
    /// Which links are followed.
    pub links: Links,
    /// Beginning of paths in which all links are followed.
    pub from: Option<Template>,
}

/// `open_file_cache`: a cache for all locations that inherit the line; `None` if off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFileCache(pub Option<Arc<FileCache>>);

/// Value of `inactive=` in seconds, where it is not given.
const INACTIVE: u64 = 60;

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
        let (mut links, mut from) = (None, None);
        for word in args.words {
            match &word.bytes[..] {
                b"off" => links = Some(Links::Followed),
                b"on" => links = Some(Links::Refused),
                b"if_not_owner" => links = Some(Links::OfOwner),
                value if value.starts_with(b"from=") => {
                    from = Some(Template::compile(word, &value[5..], evaluation)?);
                }
                _ => {
                    return Err(
                        invalid("invalid parameter", word).help("accepted: off, on, if_not_owner, from=")
                    );
                }
            }
        }
        if links == Some(Links::Followed) && from.is_some() {
            return Err(Problem::new(r#""from=" cannot be used with "off" parameter"#).at(args.span()));
        }
        if let Some(links) = links {
            return Ok(DisableSymlinks { links, from });
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
        let (mut most, mut off, mut inactive) = (None, false, INACTIVE);
        for word in args.words {
            let valid = match word.bytes.split_once_str("=") {
                Some((b"max", value)) => {
                    most = number::digits(value).filter(|n| *n > 0);
                    most.is_some()
                }
                Some((b"inactive", value)) => number::sec(value).is_some_and(|seconds| {
                    inactive = seconds;
                    true
                }),
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
        if off {
            return Ok(OpenFileCache(None));
        }
        if let Some(most) = most {
            return Ok(OpenFileCache(Some(Arc::new(FileCache::new(most, Duration::from_secs(inactive))))));
        }
        let text = sentence(&[b"\"", &args.name.bytes, b"\" must have the \"max\" parameter"]);
        Err(Problem::new(text).at(args.span()))
    }
}

fn invalid(what: &str, word: &Word) -> Problem {
    Problem::new(sentence(&[what.as_bytes(), b" \"", &word.bytes, b"\""])).at(word.span)
}
