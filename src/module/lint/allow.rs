//! Comments that silence lints: `# pingosd: allow NAME[, NAME]`.
//!
//! A comment applies to the statement on the same line or on the next one; directly after a `{`, to the whole block;
//! before the first statement of a file, to the whole file.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;

use super::finding::{Finding, LintContext};
use crate::syntax::source::FileId;
use crate::syntax::suggest::nearest;
use crate::syntax::text::{Comment, TokenBefore, comments};
use crate::syntax::{Problem, Sources, Span, sentence};

/// Beginning of such a comment, after `#` and spaces.
const MARK: &[u8] = b"pingosd: allow ";

/// Comments by file.
pub struct AllowComments<'s> {
    sources: &'s Sources,
    known: HashMap<FileId, Vec<Allow<'s>>>,
}

/// One such comment.
struct Allow<'s> {
    comment: Comment,
    /// Last line of a run of consecutive comments.
    last_line: u32,
    names: Vec<&'s [u8]>,
}

impl<'s> AllowComments<'s> {
    /// Reads the comments of these texts on demand.
    pub fn new(sources: &'s Sources) -> AllowComments<'s> {
        AllowComments { sources, known: HashMap::new() }
    }

    /// Whether a comment silences a finding.
    pub fn allows(&mut self, name: &str, finding: &Finding, scope: &LintContext<'_>) -> bool {
        let lines = finding.start.line..=finding.place.line;
        let on_line = self.of(finding.start.file).iter().any(|allow| {
            let here = lines.contains(&allow.comment.line);
            let before = allow.comment.alone && allow.last_line + 1 == *lines.start();
            (here || before || allow.comment.after.is_none()) && allow.has(name)
        });
        if on_line {
            return true;
        }
        let heads = scope.outline.around(finding.section).filter_map(|at| scope.outline.sections[at].head);
        let braces: Vec<Span> = heads.map(|head| head.terminator()).collect();
        braces.into_iter().any(|brace| {
            let open = Some(TokenBefore::Open(brace.start as usize));
            let file = self.of(brace.file).iter();
            file.filter(|a| a.comment.after == open || a.comment.after.is_none()).any(|allow| allow.has(name))
        })
    }

    fn of(&mut self, file: FileId) -> &[Allow<'s>] {
        let sources = self.sources;
        self.known.entry(file).or_insert_with(|| sources.file(file).map_or(Vec::new(), |f| find(&f.bytes)))
    }
}

impl Allow<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(&name.as_bytes())
    }
}

/// Warnings about unknown lint names, each with the number of a statement of its file.
pub(super) fn unknown<'n>(
    scope: &LintContext<'_>,
    lints: impl Iterator<Item = &'n str> + Clone,
) -> Vec<(u32, Problem)> {
    let mut files: Vec<(FileId, u32)> = Vec::new();
    let mut seen = HashSet::new();
    let mut last = None;
    for statement in &scope.outline.statements {
        let file = statement.name().span.file;
        if last.replace(file) != Some(file) && seen.insert(file) {
            files.push((file, statement.node.order()));
        }
    }
    let mut problems = Vec::new();
    for (id, order) in files {
        let Some(file) = scope.sources.file(id) else { continue };
        for allow in find(&file.bytes) {
            let unknown =
                allow.names.iter().filter(|name| !lints.clone().any(|lint| lint.as_bytes() == **name));
            for name in unknown {
                let Comment { start, end, line, .. } = allow.comment;
                let small = |at: usize| u32::try_from(at).expect("a file is smaller than 4 GiB");
                let span = Span { file: id, start: small(start), end: small(end), line };
                let problem =
                    Problem::warning(sentence(&[b"no lint is called \"", name, b"\""])).at(span).place(span);
                problems.push((
                    order,
                    match nearest(name, lints.clone()) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem.help("`pingosd lints` prints their names"),
                    },
                ));
            }
        }
    }
    problems
}

/// Comments of a text that silence lints.
fn find(text: &[u8]) -> Vec<Allow<'_>> {
    if text.find(MARK).is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    // Lines of the run of comments below the current one.
    let mut run: Option<(u32, u32)> = None;
    for comment in comments(text).into_iter().rev() {
        let last_line = match run {
            Some((first, last)) if comment.alone && first == comment.line + 1 => last,
            _ => comment.line,
        };
        run = comment.alone.then_some((comment.line, last_line));
        let words = text[comment.start + 1..comment.end].trim();
        if let Some(names) = words.strip_prefix(MARK) {
            let names = names.split(|b| matches!(b, b',' | b' ' | b'\t')).filter(|n| !n.is_empty()).collect();
            found.push(Allow { comment, last_line, names });
        }
    }
    found
}
