//! `pingosd ctl`: control requests to the running server.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::control::{misunderstood, question};
use super::task::{CommandError, Streams, Task};
use crate::log::shown::Shown;
use crate::modules::CONTROL_VERBS;
use crate::server::control::protocol::{ControlAnswer, Request};
use crate::syntax::suggest;

/// Bytes that values are sent without; the server decodes them.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b':').remove(b'/');

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let ([json], words) = task.switches(["--json"])?;
    let [section, rest @ ..] = &words[..] else {
        for verb in CONTROL_VERBS {
            writeln!(streams.out, "{} {}\n    {}", verb.name, verb.takes, verb.text)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let verb = section.to_str().and_then(|section| CONTROL_VERBS.iter().find(|verb| verb.name == section));
    let Some(verb) = verb else {
        let names: Vec<&str> = CONTROL_VERBS.iter().map(|verb| verb.name).collect();
        let section = section.as_bytes();
        let near = suggest::nearest(section, names.iter().copied());
        let near = near.map(|near| format!(", did you mean \"{near}\"?")).unwrap_or_default();
        let section = Shown::new(section);
        let text = format!("\"{section}\" is not a control request{near}; there are: {}", names.join(", "));
        return Err(CommandError::Text(text.into()));
    };
    let (method, arguments) = match rest {
        [] => (OsStr::new(""), rest),
        [method, arguments @ ..] => (*method, arguments),
    };
    tell(task, streams, verb.name, method, &query(arguments)?, json)
}

/// Sends a control request and prints the answer.
pub(super) fn tell(
    task: &Task,
    streams: &mut Streams<'_>,
    section: &str,
    method: &OsStr,
    query: &str,
    json: bool,
) -> Result<ExitCode, CommandError> {
    let request = Request::Control {
        section: section.to_owned(),
        method: method.as_bytes().into(),
        query: query.as_bytes().into(),
    };
    match question(task, &request)? {
        ControlAnswer::Controlled { text, result } => {
            if json {
                let line = serde_json::to_string(&result).map_err(std::io::Error::from)?;
                writeln!(streams.out, "{line}")?;
            } else {
                streams.out.write_all(text.as_bytes())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        ControlAnswer::Refused { text } => Err(CommandError::Text(text.trim_end().into())),
        _ => Err(misunderstood()),
    }
}

/// The words as a query string: `name=value`, or a name and its value as two words, as in `for 10m`.
fn query(words: &[&OsStr]) -> Result<String, CommandError> {
    let mut pairs = Vec::new();
    let mut words = words.iter().map(|word| word.as_bytes());
    while let Some(word) = words.next() {
        let (name, value) = match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (&word[..at], &word[at + 1..]),
            None => (word, words.next().ok_or(CommandError::Usage)?),
        };
        pairs.push(format!("{}={}", percent_encode(name, ENCODED), percent_encode(value, ENCODED)));
    }
    Ok(pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_query() {
        let made = |words: &[&str]| {
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            query(&words).ok()
        };
        assert_eq!(made(&["app=live", "name=a&b=c"]).unwrap(), "app=live&name=a%26b%3Dc");
        assert_eq!(made(&["for", "10m"]).unwrap(), "for=10m");
        assert_eq!(made(&["addr=2001:db8::/32"]).unwrap(), "addr=2001:db8::/32");
        assert_eq!(made(&["for"]), None);
    }
}
