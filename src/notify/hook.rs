//! A notification line: address, parameters, and effect of answers.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::url::{Url, UrlError};
use super::variable::{Template, TemplateError};
use crate::directive::{Args, Arity, Evaluation, Msec, RepeatRule, Value, number};
use crate::syntax::{Pos, Problem, Word, sentence, suggest};

/// Hint about the form of the address.
const URL: &str = "the url is written as http://host[:port][/path][?query]";
/// Names of the parameters.
const PARAMETERS: [&str; 6] = ["args", "groupid", "stage", "timeout", "update", "enforce"];
/// Maximum number of lines of one notification in an application.
pub const MAX_LINES: usize = 8;
/// Default of `timeout=`.
pub const DEFAULT_TIMEOUT: Msec = Msec(3_000);
/// Default of `update=`.
pub const DEFAULT_UPDATE: Msec = Msec(60_000);

/// Stages in addition to `start`, which is always on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// `update` is sent periodically.
    pub update: bool,
    /// `done` is sent at the end.
    pub done: bool,
}

/// Stages whose answer may refuse or end a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enforce {
    /// The answer to `start` counts.
    pub start: bool,
    /// The answer to `update` counts.
    pub update: bool,
}

/// One notification line.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Address of the callback server.
    pub url: Url,
    /// Text appended to the query (`args=`).
    pub args: Template,
    /// Word that distinguishes several lines; empty if not given.
    pub groupid: BString,
    /// Stages in addition to `start`.
    pub stages: Stages,
    /// Timeout of a request.
    pub timeout: Msec,
    /// Interval between updates.
    pub update: Msec,
    /// Whether the line sets the interval between updates.
    pub update_written: bool,
    /// Stages whose answers count.
    pub enforce: Enforce,
    /// Whether the old name (`oclp_*`) was used.
    pub legacy: bool,
    /// Position of the line in the configuration.
    pub pos: Pos,
}

/// For each of the `old` lines of an event, the index of the `new` line that continues it: the line with the same
/// address and group, else with the same group, else at the same index.
pub fn carried_on(old: &[Arc<Hook>], new: &[Arc<Hook>]) -> Vec<Option<usize>> {
    let mut heirs = vec![None; old.len()];
    let mut taken = vec![false; new.len()];
    let mut pair = |fits: &dyn Fn(usize, usize) -> bool| {
        for (place, heir) in heirs.iter_mut().enumerate().filter(|(_, heir)| heir.is_none()) {
            let found = (0..new.len()).find(|candidate| !taken[*candidate] && fits(place, *candidate));
            if let Some(found) = found {
                taken[found] = true;
                *heir = Some(found);
            }
        }
    };
    pair(&|a, b| old[a].url == new[b].url && old[a].groupid == new[b].groupid);
    pair(&|a, b| !old[a].groupid.is_empty() && old[a].groupid == new[b].groupid);
    pair(&|a, b| a == b);
    heirs
}

impl Value for Hook {
    const ARITY: Arity = Arity::SOME;
    const LIMIT: RepeatRule = RepeatRule::AtMost(MAX_LINES);

    fn syntax() -> String {
        "url [args=text] [groupid=text] [stage=[start][,update][,done]] [timeout=time] [update=time] \
         [enforce=start[,update]]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Hook, Problem> {
        let legacy = args.name.bytes.starts_with(b"oclp_");
        let mut url = None;
        let mut hook = HookParameters {
            args: Template::default(),
            groupid: BString::default(),
            stages: Stages::default(),
            timeout: DEFAULT_TIMEOUT,
            update: DEFAULT_UPDATE,
            update_written: false,
            enforce: Enforce { start: true, update: legacy },
        };
        for word in args.words {
            if !hook.read(word, evaluation)? {
                let parsed = read_url(word, evaluation)?;
                if url.replace(parsed).is_some() {
                    return Err(Problem::new("duplicate url").at(word.span).help("a line names one server"));
                }
            }
        }
        let url = url.ok_or_else(|| args.refuse("has no url").help(URL))?;
        let HookParameters { args: template, groupid, stages, timeout, update, update_written, enforce } =
            hook;
        let pos = evaluation.pos(args.terminator);
        let args = template;
        Ok(Hook { url, args, groupid, stages, timeout, update, update_written, enforce, legacy, pos })
    }

    fn duplicate(name: &Word, limit: usize) -> BString {
        // PingOS calls the first one "oclp_push" and reports a "duplicate url" for `on_proc`, whatever is written.
        match limit {
            1 => sentence(&[b"duplicate ", &name.bytes]),
            _ => sentence(&[b"too much ", &name.bytes, b" events"]),
        }
    }
}

/// Parameters of a line.
struct HookParameters {
    args: Template,
    groupid: BString,
    stages: Stages,
    timeout: Msec,
    update: Msec,
    update_written: bool,
    enforce: Enforce,
}

impl HookParameters {
    /// Parses `name=value`; false if there is no such parameter.
    fn read(&mut self, word: &Word, evaluation: &mut Evaluation<'_>) -> Result<bool, Problem> {
        let Some((name, value)) = word.bytes.split_once_str("=") else { return Ok(false) };
        match name {
            b"args" => self.args = template(value, word, evaluation)?,
            b"groupid" => self.groupid = value.into(),
            b"stage" => self.stages = stages(value, word)?,
            b"timeout" => self.timeout = time(value, word, "timeout", DEFAULT_TIMEOUT)?,
            b"update" => {
                self.update = time(value, word, "update", DEFAULT_UPDATE)?;
                self.update_written = true;
            }
            b"enforce" => self.enforce = enforce(value, word)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn template(text: &[u8], word: &Word, evaluation: &mut Evaluation<'_>) -> Result<Template, Problem> {
    match Template::compile(text) {
        Ok(template) => Ok(template),
        Err(TemplateError::NoName) => {
            let help = "the whole args= is left out; a variable is written `$name`, without braces";
            evaluation.report(Problem::warning("invalid variable name \"$\"").at(word.span).help(help));
            Ok(Template::default())
        }
        Err(TemplateError::Unknown { name, at, nearest }) => {
            let span = word.span_of(&text[at..=at + name.len()]);
            let problem = Problem::new(sentence(&[b"unknown \"", &name, b"\" variable"])).at(span);
            Err(match nearest {
                Some(nearest) => problem.help(format!("did you mean `${nearest}`?")),
                None => problem.help("conf/variables.md lists the variables of `args=`"),
            })
        }
    }
}

fn stages(value: &[u8], word: &Word) -> Result<Stages, Problem> {
    let mut stages = Stages::default();
    for stage in value.split(|b| *b == b',') {
        match stage {
            b"start" => {}
            b"update" => stages.update = true,
            b"done" => stages.done = true,
            _ => return Err(unknown("stage", stage, word).help("accepted: start, update, done")),
        }
    }
    Ok(stages)
}

fn enforce(value: &[u8], word: &Word) -> Result<Enforce, Problem> {
    let mut enforce = Enforce::default();
    for stage in value.split(|b| *b == b',') {
        match stage {
            b"start" => enforce.start = true,
            b"update" => enforce.update = true,
            _ => return Err(unknown("enforce", stage, word).help("accepted: start, update")),
        }
    }
    Ok(enforce)
}

/// Zero means the default, as in PingOS.
fn time(value: &[u8], word: &Word, name: &str, default: Msec) -> Result<Msec, Problem> {
    let time = number::msec(value).ok_or_else(|| {
        let problem = unknown(&format!("{name} timer format"), value, word);
        problem.caption("a time such as 500ms, 5s, 1m30s; a bare number is seconds")
    })?;
    Ok(if time == 0 { default } else { Msec(time) })
}

fn unknown(what: &str, value: &[u8], word: &Word) -> Problem {
    let text = sentence(&[b"unknown ", what.as_bytes(), b" \"", value, b"\""]);
    Problem::new(text).at(word.span_of(value))
}

fn read_url(word: &Word, evaluation: &mut Evaluation<'_>) -> Result<Url, Problem> {
    match Url::parse(&word.bytes) {
        Ok((url, false)) => Ok(url),
        Ok((url, true)) => {
            let text = format!("port out of range, {} is used", url.port);
            evaluation.report(Problem::warning(text).at(word.span));
            Ok(url)
        }
        Err(UrlError::Scheme) => {
            let text = sentence(&[b"\"", &word.bytes, b"\" must be http url"]);
            let problem = Problem::new(text).at(word.span);
            let name = word.bytes.split_once_str("=").map(|(name, _)| name);
            Err(match name.and_then(|name| suggest::nearest(name, PARAMETERS.into_iter())) {
                Some(near) => problem.help(format!("did you mean `{near}=`?")),
                None => problem.help(format!("{URL}; parameters: {}=", PARAMETERS.join("=, "))),
            })
        }
        Err(UrlError::Format) => {
            let text = sentence(&[b"request url format error \"", &word.bytes, b"\""]);
            Err(Problem::new(text).at(word.span).help(URL))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Arc<Hook> {
        let (address, group) = text.split_once(' ').unwrap_or((text, ""));
        Arc::new(Hook {
            url: Url::parse(format!("http://{address}/").as_bytes()).unwrap().0,
            args: Template::default(),
            groupid: group.into(),
            stages: Stages::default(),
            timeout: DEFAULT_TIMEOUT,
            update: DEFAULT_UPDATE,
            update_written: false,
            enforce: Enforce::default(),
            legacy: false,
            pos: Pos { file: std::path::Path::new("test").into(), line: 1 },
        })
    }

    #[test]
    fn a_line_is_known_by_address_then_group_then_place() {
        let heirs = |old: &[&str], new: &[&str]| {
            let lines = |texts: &[&str]| texts.iter().map(|text| line(text)).collect::<Vec<_>>();
            carried_on(&lines(old), &lines(new))
        };
        assert_eq!(heirs(&["a"], &["b"]), [Some(0)]);
        assert_eq!(heirs(&["a", "b"], &["b"]), [None, Some(0)], "the other one was removed");
        assert_eq!(heirs(&["a", "b"], &["b", "a"]), [Some(1), Some(0)]);
        assert_eq!(heirs(&["a", "b"], &["new", "a", "b"]), [Some(1), Some(2)], "one was added in front");
        assert_eq!(heirs(&["a g", "b h"], &["c h", "d g"]), [Some(1), Some(0)]);
        assert_eq!(heirs(&["a g"], &["a h"]), [Some(0)], "neither, so the place counts");
        assert_eq!(heirs(&["a", "a"], &["a", "a"]), [Some(0), Some(1)]);
        assert_eq!(heirs(&["a", "a"], &["a"]), [Some(0), None]);
        assert_eq!(heirs(&["a"], &[]), [None]);
    }
}
