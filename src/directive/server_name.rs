//! Names of virtual servers.

use bstr::{BString, ByteSlice};

use super::args::{Args, Arity};
use super::context::RTMP_SERVER;
use super::evaluation::Evaluation;
use super::pattern::Pattern;
use super::value::Value;
use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::tree::Word;

/// One name of a virtual server.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerName {
    /// `a.example`; the empty name matches requests without a host.
    Exact(BString),
    /// `*.example`, stored as `.example`: any leading labels.
    LeadingWildcard(BString),
    /// `www.*`, stored as `www.`: any trailing labels.
    TrailingWildcard(BString),
    /// `~REGEX`, case-insensitive.
    Regex(Pattern),
}

/// The names of one directive. `.example` is stored as `example` and `*.example`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerNames(pub Vec<ServerName>);

impl Value for ServerNames {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "name | *.name | name.* | .name | ~regex ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ServerNames, Problem> {
        let mut names = Vec::with_capacity(args.words.len());
        for word in args.words {
            read(word, &mut names, evaluation)?;
        }
        Ok(ServerNames(names))
    }
}

impl ServerName {
    /// The name as a user would write it.
    pub fn spelled(&self) -> BString {
        match self {
            ServerName::Exact(name) => name.clone(),
            ServerName::LeadingWildcard(tail) => sentence(&[b"*", tail]),
            ServerName::TrailingWildcard(head) => sentence(&[head, b"*"]),
            ServerName::Regex(pattern) => sentence(&[b"~", pattern.source()]),
        }
    }
}

fn read(word: &Word, names: &mut Vec<ServerName>, evaluation: &mut Evaluation<'_>) -> Result<(), Problem> {
    let text: &[u8] = &word.bytes;
    let invalid = || {
        Problem::new(sentence(&[b"server name \"", text, b"\" is invalid"]))
            .at(word.span)
            .help("a star is allowed at one end, next to a dot: `*.example.com` or `www.example.*`")
    };
    if text.contains(&b'/') {
        let text = sentence(&[b"server name \"", text, b"\" has suspicious symbols"]);
        evaluation.report(Problem::warning(text).at(word.span));
    }
    if let Some(pattern) = text.strip_prefix(b"~") {
        if pattern.is_empty() {
            let text = sentence(&[b"empty regex in server name \"", text, b"\""]);
            return Err(Problem::new(text).at(word.span));
        }
        names.push(ServerName::Regex(Pattern::compile(word, pattern, true)?));
        return Ok(());
    }
    let name = match text {
        b"$hostname" => host_name(),
        _ => text.to_ascii_lowercase(),
    };
    match name.as_slice() {
        [b'.'] => return Err(invalid()),
        [b'.', rest @ ..] if !rest.contains(&b'*') => {
            names.push(ServerName::Exact(rest.into()));
            names.push(ServerName::LeadingWildcard(name.as_bstr().to_owned()));
        }
        [b'*', b'.', rest @ ..] if !rest.is_empty() && !rest.contains(&b'*') => {
            names.push(ServerName::LeadingWildcard(name[1..].into()));
        }
        [head @ .., b'.', b'*'] if !head.is_empty() && !head.contains(&b'*') && head[0] != b'.' => {
            names.push(ServerName::TrailingWildcard(name[..name.len() - 1].into()));
        }
        // In rtmp, PingOS looks for wildcards only at the ends of a name.
        plain
            if evaluation.context & RTMP_SERVER != 0
                && plain.contains(&b'*')
                && !plain.starts_with(b"*")
                && !plain.starts_with(b".")
                && !plain.ends_with(b"*") =>
        {
            let text =
                sentence(&[b"server name \"", text, b"\" never matches, a star stands at one end only"]);
            evaluation.report(Problem::warning(text).at(word.span));
            names.push(ServerName::Exact(plain.into()));
        }
        plain if plain.contains(&b'*') => return Err(invalid()),
        plain => names.push(ServerName::Exact(plain.into())),
    }
    Ok(())
}

/// The machine's host name in lower case, as nginx stores it.
pub fn host_name() -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    nix::unistd::gethostname().map(|name| name.as_bytes().to_ascii_lowercase()).unwrap_or_default()
}
