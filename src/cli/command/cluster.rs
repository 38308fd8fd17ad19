//! `pingosd cluster`: the configuration of a group of servers in etcd, and what the running server knows of the cluster.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::ctl;
use super::task::{CommandError, CommandText, Streams, Task};
use crate::config::group_copy::{GroupText, is_name, is_own};
use crate::config::load::load_texts;
use crate::config::{Config, LoadOptions, ReadableTexts, WithFile, load};
use crate::directive::evaluation::HostNames;
use crate::directive::number;
use crate::limits;
use crate::log::shown::Shown;
use crate::module::cluster::shared_conf::command::{self, GroupError, Rollout};
use crate::module::cluster::shared_conf::conf::Current;
use crate::syntax::include::MAX_DEPTH;
use crate::syntax::reading::Reading;
use crate::syntax::texts::{expand, system_error};
use crate::syntax::tree::Body;

/// What stands on the command line.
#[derive(Debug, Default)]
struct ClusterArguments<'a> {
    words: Vec<&'a OsStr>,
    group: Option<String>,
    canary: Option<usize>,
    timeout: Option<Duration>,
    json: bool,
    new: bool,
}

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let words = ClusterArguments::parse(&task.words)?;
    let [method, rest @ ..] = &words.words[..] else { return Err(CommandError::Usage) };
    let is_plain = words.canary.is_none() && words.timeout.is_none() && !words.new;
    match (method.to_str(), rest) {
        (Some("apply"), [file]) if !words.json => {
            let mut rollout = words.rollout()?;
            let config = own(task, streams)?;
            let subject = given(task, file, streams)?;
            let text = complete(&subject, streams)?;
            judge(task, &config, &rollout.group, &text, streams)?;
            // A name that this machine's configuration has is no typing error.
            rollout.is_new |= is_member(&config, &rollout.group);
            let mut say = lines(streams);
            finish(command::apply(&config, &rollout, &text, &mut say))
        }
        (Some("rollback"), []) if !words.json && !words.new => {
            let rollout = words.rollout()?;
            let config = own(task, streams)?;
            let mut say = lines(streams);
            finish(command::roll_back(&config, &rollout, &mut say))
        }
        (Some("status"), []) if is_plain && words.group.is_some() && !words.json => {
            let group = words.rollout()?.group;
            let config = own(task, streams)?;
            let mut say = lines(streams);
            finish(command::status(&config, &group, &mut say))
        }
        (Some("status" | "streams" | "nodes"), []) if is_plain && words.group.is_none() => {
            ctl::tell(task, streams, "cluster", method, "", words.json)
        }
        _ => Err(CommandError::Usage),
    }
}

impl<'a> ClusterArguments<'a> {
    fn parse(given: &'a [OsString]) -> Result<ClusterArguments<'a>, CommandError> {
        let mut parsed = ClusterArguments::default();
        let mut given = given.iter();
        while let Some(word) = given.next() {
            let mut value = || given.next().ok_or(CommandError::Usage);
            match word.to_str() {
                Some("--json") => parsed.json = true,
                Some("--new") => parsed.new = true,
                Some("--group") => {
                    let group = value()?;
                    let name = group.to_str().filter(|_| is_name(group.as_bytes()));
                    let bad = || format!("\"{}\" is not the name of a group", group.display());
                    parsed.group = Some(name.ok_or_else(|| CommandError::Text(bad().into()))?.to_owned());
                }
                Some("--canary") => {
                    let count = value()?;
                    let number =
                        count.to_str().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
                    let bad = || format!("\"{}\" is not a number of servers", count.display());
                    parsed.canary = Some(number.ok_or_else(|| CommandError::Text(bad().into()))?);
                }
                Some("--timeout") => {
                    let time = value()?;
                    let msec = number::msec(time.as_bytes()).filter(|msec| *msec > 0);
                    let bad = || format!("\"{}\" is not a time such as 60s", time.display());
                    let msec = msec.ok_or_else(|| CommandError::Text(bad().into()))?;
                    parsed.timeout = Some(Duration::from_millis(msec));
                }
                Some(word) if word.starts_with('-') && word.len() > 1 => return Err(CommandError::Usage),
                _ => parsed.words.push(word),
            }
        }
        Ok(parsed)
    }

    fn rollout(&self) -> Result<Rollout, CommandError> {
        let group = self.group.clone().ok_or(CommandError::Usage)?;
        let timeout = self.timeout.unwrap_or(limits::CLUSTER_CONF_WAIT);
        Ok(Rollout { group, canary: self.canary, timeout, is_new: self.new })
    }
}

/// The configuration of this machine, whose `cluster` block names etcd.
fn own(task: &Task, streams: &mut Streams<'_>) -> Result<Config, CommandError> {
    let options = LoadOptions { host_names: HostNames::Ignored, ..task.load.clone() };
    match load(&options) {
        Ok(config) => Ok(config),
        Err(report) => {
            streams.err.write_all(&report.render(streams.style))?;
            Err(CommandError::Told)
        }
    }
}

/// Prints each line at once.
fn lines(streams: &mut Streams<'_>) -> impl FnMut(&str) -> std::io::Result<()> {
    |line| {
        writeln!(streams.out, "{line}")?;
        streams.out.flush()
    }
}

fn finish(done: Result<bool, GroupError>) -> Result<ExitCode, CommandError> {
    match done {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(GroupError::Output(error)) => Err(CommandError::Output(error)),
        Err(error) => Err(CommandError::Text(error.to_string().into())),
    }
}

/// The configuration on the command line: a file, `-` for standard input, or a pipe such as `<(command)`. A pipe without a
/// writer is empty, so nothing is waited for that may never come.
fn given(task: &Task, word: &OsStr, streams: &mut Streams<'_>) -> Result<CommandText, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::Text(format!("\"{}\" cannot be read {}", word.display(), system_error(&error)).into())
    };
    if word != "-" {
        let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(word);
        let mut file = opened.map_err(failed)?;
        let kind = file.metadata().map_err(failed)?.file_type();
        if kind.is_fifo() {
            fcntl(&file, FcntlArg::F_SETFL(OFlag::empty())).map_err(|error| failed(error.into()))?;
            let CommandText { bytes, .. } = task.subject(Some(OsStr::new("-")), &mut file)?;
            return Ok(CommandText { name: word.into(), bytes });
        }
        if !kind.is_file() {
            let text = format!("\"{}\" is neither a file nor a pipe", word.display());
            return Err(CommandError::Text(text.into()));
        }
    }
    task.subject(Some(word), streams.input)
}

/// A configuration with its included files in place. Relative names of these refer to the directory of the file.
fn complete(subject: &CommandText, streams: &mut Streams<'_>) -> Result<Vec<u8>, CommandError> {
    let base = subject.name.parent().unwrap_or(Path::new("")).to_owned();
    let mut stack = vec![subject.name.clone()];
    let mut out = Vec::new();
    put(subject, &base, &mut stack, &mut out, streams)?;
    check_length(&out)?;
    Ok(out)
}

/// Appends a file, with those that it includes in place.
fn put(
    subject: &CommandText,
    base: &Path,
    stack: &mut Vec<PathBuf>,
    out: &mut Vec<u8>,
    streams: &mut Streams<'_>,
) -> Result<(), CommandError> {
    let reading = subject.read(streams)?;
    let mut at = 0;
    for Include { place, pattern } in includes(&reading)? {
        out.extend_from_slice(&subject.bytes[at..place.start]);
        at = place.end;
        let paths = expand(&pattern, base)?;
        if paths.is_empty() {
            let (pattern, file) = (Shown::new(&pattern), subject.name.display());
            let text = format!("\"include {pattern}\" in {file} names no file, nothing was written");
            return Err(CommandError::Text(text.into()));
        }
        for path in paths {
            if stack.contains(&path) || stack.len() > MAX_DEPTH {
                let text = format!("\"{}\" includes itself, or is included too deep", path.display());
                return Err(CommandError::Text(text.into()));
            }
            stack.push(path.clone());
            out.push(b'\n');
            put(&CommandText::open(&path)?, base, stack, out, streams)?;
            out.push(b'\n');
            stack.pop();
            check_length(out)?;
        }
    }
    out.extend_from_slice(&subject.bytes[at..]);
    Ok(())
}

/// Refuses a text that is longer than a group's may be.
fn check_length(text: &[u8]) -> Result<(), CommandError> {
    match text.len() {
        length if length > limits::CLUSTER_CONF_BYTES => {
            Err(CommandError::Text(GroupError::TooLarge(length).to_string().into()))
        }
        _ => Ok(()),
    }
}

/// An `include` statement: its place, and what it names.
struct Include {
    place: Range<usize>,
    pattern: Vec<u8>,
}

/// The `include` statements of a file.
fn includes(reading: &Reading) -> Result<Vec<Include>, CommandError> {
    fn within(body: Body<'_>, found: &mut Vec<Include>) -> Result<(), CommandError> {
        for node in body {
            match node.words() {
                [name, rest @ ..] if &name.bytes[..] == b"include" => {
                    let [pattern] = rest else {
                        let text = "invalid number of arguments in \"include\" directive";
                        return Err(CommandError::Text(text.into()));
                    };
                    let place = name.span.start as usize..node.terminator().end as usize;
                    found.push(Include { place, pattern: pattern.bytes.to_vec() });
                }
                _ => within(node.body(), found)?,
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    within(reading.tree.body(), &mut found)?;
    Ok(found)
}

/// Whether this machine's configuration takes that of the group.
fn is_member(config: &Config, group: &str) -> bool {
    config.get::<Current>().cluster_conf.as_ref().is_some_and(|own| own.0 == group)
}

/// Refuses a configuration that no server of the group would take. If this machine is in the group, it is evaluated as its
/// server would, without opening other files.
fn judge(
    task: &Task,
    config: &Config,
    group: &str,
    text: &[u8],
    streams: &mut Streams<'_>,
) -> Result<(), CommandError> {
    let whole =
        CommandText { name: format!("configuration of group {group}").into(), bytes: text.to_vec().into() };
    let reading = whole.read(streams)?;
    if reading.tree.body().next().is_none() {
        let text = "the configuration has no directive, nothing was written";
        return Err(CommandError::Text(text.into()));
    }
    for node in reading.tree.body() {
        let name = node.words().first().filter(|name| is_own(&name.bytes, task.load.language.registry()));
        if let Some(name) = name {
            let text = format!(
                "\"{}\" is not allowed in the configuration of a group; it stands in each server's own file",
                name.text()
            );
            return Err(CommandError::Text(text.into()));
        }
    }
    let copy = task.load.group_copy(group.as_bytes()).filter(|_| is_member(config, group));
    let Some(copy) = copy else { return Ok(()) };
    let options = LoadOptions { host_names: HostNames::Ignored, ..task.load.clone() };
    let bytes = GroupText::file(group, 0, text);
    let texts = WithFile { texts: &ReadableTexts::default(), path: &copy.path, bytes: &bytes };
    if let Err(report) = load_texts(&options, &texts) {
        streams.err.write_all(&report.render(streams.style))?;
        return Err(CommandError::Text(
            b"no server would take this configuration, nothing was written".to_vec(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::render::Style;

    /// Completes `main.conf` among these files.
    fn completed(files: &[(&str, &str)]) -> Result<String, CommandError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let subject = CommandText::open(&dir.path().join("main.conf"))?;
        let (input, out, err) = (&mut std::io::empty(), &mut Vec::new(), &mut Vec::new());
        let style = Style { colour: false, brief: true };
        let done = complete(&subject, &mut Streams { input, out, err, style });
        done.map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn included_files_are_put_in_place() {
        let files = [
            ("main.conf", "a 1; include \"[bc].conf\"; # end\nd { include e.conf; }\n"),
            ("b.conf", "b 2;"),
            ("c.conf", "# c\ninclude e.conf;\n"),
            ("e.conf", "e 3;\n"),
        ];
        let text = completed(&files).unwrap_or_else(|error| panic!("{}", error.text()));
        let refused = |files: &[_]| completed(files).unwrap_err().text();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["a 1;", "b 2;", "# c", "e 3;", "# end", "d {", "e 3;", "}"]);
        assert!(refused(&[("main.conf", "include main.conf;")]).contains("includes itself"));
        assert!(refused(&[("main.conf", "include x.conf;")]).contains("No such file"));
        let none = refused(&[("main.conf", "a 1;\ninclude x/*.conf;")]);
        assert!(none.contains("\"include x/*.conf\" in") && none.contains("names no file"), "{none}");
        assert!(refused(&[("main.conf", "include a b;")]).contains("number of arguments"));
        let large = "#".repeat(1000) + "\n";
        let large = large.repeat(limits::CLUSTER_CONF_BYTES / 1000);
        let twice = [("main.conf", "include l.conf; include l.conf;"), ("l.conf", &large)];
        assert!(refused(&twice).contains("at most"));
    }

    #[test]
    fn words_are_taken_apart() {
        let of = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            ClusterArguments::parse(&words).map(|parsed| parsed.rollout().ok()).map_err(|error| error.text())
        };
        let rollout =
            of(&["apply", "f", "--group", "web", "--canary", "2", "--timeout", "5s"]).unwrap().unwrap();
        let timeout = Duration::from_secs(5);
        assert_eq!(rollout, Rollout { group: "web".into(), canary: Some(2), timeout, is_new: false });
        assert!(of(&["apply", "f", "--group", "web", "--new"]).unwrap().unwrap().is_new);
        assert_eq!(of(&["apply", "f"]), Ok(None));
        for bad in [&["--group"][..], &["--group", "a/b"], &["--canary", "0"], &["--timeout", "x"], &["--x"]]
        {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
