//! `pingosd json`: a configuration as JSON in crossplane's shape, and back.
//!
//! Strings contain text. A byte that is not part of valid UTF-8 is represented by a private-use character, U+10FF00
//! plus the byte; if such a character really occurs in a file, each of its bytes is represented in this way. The
//! mapping is lossless, and the result is valid JSON.
//!
//! As in crossplane, the arguments of `if` are given without parentheses, a comment is a directive named `#`, and an
//! include lists the indices of its files in `includes`.

mod build;
mod payload;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bstr::ByteSlice;
use bytes::Bytes;

pub use self::payload::{ConfigFile, Directive, FileError, Payload, PayloadError, from_text, to_text};
use super::task::{CommandError, CommandText, Streams, Task};
use crate::directive::registry::Registry;
use crate::syntax::include::{MAX_BYTES, MAX_DEPTH};
use crate::syntax::parser::Parser;
use crate::syntax::reading::Reading;
use crate::syntax::render::headline;
use crate::syntax::text::{self, Comment};
use crate::syntax::texts::{self, MAX_FILES};
use crate::syntax::tree::{Body, Node, StatementEnd};

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let ([combine, to_conf], files) = task.switches(["--combine", "--to-conf"])?;
    let file = match files[..] {
        [] => None,
        [file] => Some(file),
        _ => return Err(CommandError::Usage),
    };
    if to_conf {
        let subject = task.subject(file.or(Some("-".as_ref())), streams.input)?;
        let payload = serde_json::from_slice(&subject.bytes)
            .map_err(|error| CommandError::Text(format!("{}: {error}", subject.name.display()).into()))?;
        streams.out.write_all(&build::build(&payload)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let subject = task.subject(file, streams.input)?;
    let base = subject.name.parent().unwrap_or(Path::new("")).to_owned();
    let payload = payload(&subject, &base, combine);
    let failed = payload.status != "ok";
    serde_json::to_writer(&mut *streams.out, &payload).map_err(std::io::Error::from)?;
    writeln!(streams.out)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads a file and its includes.
fn payload(subject: &CommandText, base: &Path, combine: bool) -> Payload {
    let mut gatherer = Gatherer { base: base.to_owned(), ..Gatherer::default() };
    gatherer.file(&subject.name, subject.bytes.clone());
    let mut payload = Payload { status: "ok".into(), config: gatherer.files, ..Payload::default() };
    for file in &payload.config {
        let errors = file.errors.iter().cloned();
        payload.errors.extend(errors.map(|e| PayloadError {
            file: file.file.clone(),
            error: e.error,
            line: e.line,
        }));
    }
    if !payload.errors.is_empty() {
        payload.status = "failed".into();
    }
    if combine { combined(payload) } else { payload }
}

/// Collects the files of a configuration.
#[derive(Default)]
struct Gatherer {
    base: PathBuf,
    files: Vec<ConfigFile>,
    known: HashMap<PathBuf, usize>,
    /// Files being read, outermost first.
    stack: Vec<PathBuf>,
    bytes: u64,
}

impl Gatherer {
    /// Adds a file and its includes; returns its index.
    fn file(&mut self, path: &Path, bytes: Bytes) -> usize {
        let number = self.files.len();
        self.known.insert(path.to_owned(), number);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.files
            .push(ConfigFile { file: to_text(path.as_os_str().as_encoded_bytes()), ..ConfigFile::default() });

        let none = Registry::new(&[], &[]);
        let mut parser = Parser::new(PathBuf::new(), &none).apart();
        parser.given(path, bytes.clone());
        let Reading { sources, tree, reports, .. } = parser.finish();
        let mut errors: Vec<FileError> = reports
            .into_sorted()
            .iter()
            .map(|d| FileError {
                error: to_text(plain(&headline(d, &sources))),
                line: d.place.map(|p| p.line),
            })
            .collect();
        let parsed = if errors.is_empty() {
            let comments = text::comments(&bytes);
            let mut comments = comments.iter().copied().peekable();
            self.stack.push(path.to_owned());
            let mut parsed = Vec::new();
            self.body(tree.body(), &bytes, &mut comments, &mut parsed, &mut errors);
            self.stack.pop();
            parsed.extend(comments.map(|c| comment(&bytes, c)));
            parsed
        } else {
            Vec::new()
        };
        let file = &mut self.files[number];
        file.status = if errors.is_empty() { "ok" } else { "failed" }.into();
        file.errors = errors;
        file.parsed = parsed;
        number
    }

    fn body(
        &mut self,
        body: Body<'_>,
        bytes: &[u8],
        comments: &mut std::iter::Peekable<impl Iterator<Item = Comment>>,
        out: &mut Vec<Directive>,
        errors: &mut Vec<FileError>,
    ) {
        for node in body {
            let Some((name, words)) = node.words().split_first() else { continue };
            let before = |at: u32| move |c: &Comment| c.start < at as usize;
            while let Some(found) = comments.next_if(before(name.span.start)) {
                out.push(comment(bytes, found));
            }
            let args = words.iter().map(|w| to_text(&w.bytes)).collect();
            let mut directive = Directive {
                directive: to_text(&name.bytes),
                line: name.span.line,
                args,
                ..Directive::default()
            };
            if &name.bytes[..] == b"if" {
                directive.args = without_parentheses(directive.args);
            }
            let mut inside = Vec::new();
            if let StatementEnd::Block { close } = node.end() {
                let mut block = Vec::new();
                while let Some(found) = comments.next_if(before(node.terminator().start)) {
                    block.push(comment(bytes, found));
                }
                self.body(node.body(), bytes, comments, &mut block, errors);
                let close = close.map_or(u32::MAX, |c| c.start);
                while let Some(found) = comments.next_if(before(close)) {
                    block.push(comment(bytes, found));
                }
                directive.block = Some(block);
            } else {
                while let Some(found) = comments.next_if(before(node.terminator().start)) {
                    inside.push(comment(bytes, found));
                }
                if &name.bytes[..] == b"include" {
                    directive.includes = Some(self.include(node, errors));
                }
            }
            out.push(directive);
            out.append(&mut inside);
        }
    }

    /// Indices of the files that an include names.
    fn include(&mut self, node: Node<'_>, errors: &mut Vec<FileError>) -> Vec<usize> {
        let mut numbers = Vec::new();
        let line = Some(node.terminator().line);
        let mut fail = |error: &[u8]| errors.push(FileError { error: to_text(error), line });
        let [_, pattern] = node.words() else {
            fail(b"invalid number of arguments in \"include\" directive");
            return numbers;
        };
        let paths = match texts::expand(&pattern.bytes, &self.base) {
            Ok(paths) => paths,
            Err(error) => {
                fail(&error.sentence());
                return numbers;
            }
        };
        for path in paths {
            let name = path.as_os_str().as_encoded_bytes();
            if self.stack.contains(&path) {
                fail(&[b"\"", name, b"\" includes itself"].concat());
            } else if let Some(known) = self.known.get(&path) {
                numbers.push(*known);
            } else if self.stack.len() > MAX_DEPTH || self.files.len() > MAX_FILES || self.bytes > MAX_BYTES {
                fail(b"too many or too large included files");
                return numbers;
            } else {
                match texts::read_file(&path) {
                    Ok(bytes) => numbers.push(self.file(&path, bytes)),
                    Err(error) => fail(&error.sentence()),
                }
            }
        }
        numbers
    }
}

/// Combines several files into one: each include is replaced by its contents.
fn combined(payload: Payload) -> Payload {
    let Payload { status, errors, config } = payload;
    let mut parsed = Vec::new();
    // A file that is included in several places is needed several times.
    if let Some(main) = config.first() {
        let mut left = MAX_STATEMENTS;
        splice(&main.parsed, &main.file, &config, &mut parsed, &mut left);
    }
    let first = config.into_iter().next().unwrap_or_default();
    let file = ConfigFile {
        errors: errors.iter().map(|e| FileError { error: e.error.clone(), line: e.line }).collect(),
        parsed,
        status: status.clone(),
        ..first
    };
    Payload { status, errors, config: vec![file] }
}

/// Maximum number of statements of a combined answer; nested multiple includes multiply them.
const MAX_STATEMENTS: usize = 10_000_000;

fn splice(from: &[Directive], file: &str, config: &[ConfigFile], out: &mut Vec<Directive>, left: &mut usize) {
    for directive in from {
        if *left == 0 {
            return;
        }
        *left -= 1;
        if let Some(includes) = &directive.includes {
            for included in includes.iter().filter_map(|number| config.get(*number)) {
                splice(&included.parsed, &included.file, config, out, left);
            }
            continue;
        }
        let block = directive.block.as_ref().map(|block| {
            let mut inner = Vec::new();
            splice(block, file, config, &mut inner, left);
            inner
        });
        out.push(Directive {
            directive: directive.directive.clone(),
            line: directive.line,
            args: directive.args.clone(),
            includes: None,
            file: Some(file.to_owned()),
            block,
            comment: directive.comment.clone(),
        });
    }
}

/// Arguments of `if` without parentheses, as in crossplane.
fn without_parentheses(mut args: Vec<String>) -> Vec<String> {
    let enclosed =
        args.first().is_some_and(|a| a.starts_with('(')) && args.last().is_some_and(|a| a.ends_with(')'));
    if !enclosed {
        return args;
    }
    if let Some(first) = args.first_mut() {
        first.remove(0);
    }
    if let Some(last) = args.last_mut() {
        last.pop();
    }
    if args.last().is_some_and(String::is_empty) {
        args.pop();
    }
    if args.first().is_some_and(String::is_empty) {
        args.remove(0);
    }
    args
}

/// A message without its level.
fn plain(headline: &[u8]) -> &[u8] {
    headline.find(b"] ").map_or(headline, |at| &headline[at + 2..])
}

fn comment(bytes: &[u8], comment: Comment) -> Directive {
    let text = bytes.get(comment.start + 1..comment.end).unwrap_or_default();
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Directive {
        directive: "#".into(),
        line: comment.line,
        comment: Some(to_text(text)),
        ..Directive::default()
    }
}
