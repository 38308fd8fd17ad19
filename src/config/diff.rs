//! Differences between two configurations: each directive with its position, both values, and its reload class.
//!
//! The written texts are compared, not their meaning, so that every line of the report is a line of a file: a change at
//! one level is reported once, not for each of a thousand applications below it.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::load::read_texts;
use super::{Config, LoadOptions};
use crate::directive::context::{APPLICATION, RTMP_SERVER};
use crate::directive::outline::{Outline, OutlineStatement, Section, spelled};
use crate::directive::registry::Registry;
use crate::directive::{Inherit, ReloadClass, Row, context};
use crate::log::counted;
use crate::syntax::Sources;
use crate::syntax::tree::{Body, Tree, Word};

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Name of the directive or block.
    pub directive: String,
    /// Block that contains it; empty for the main context.
    pub scope: String,
    /// File and line in the new text, or in the old one if it was removed.
    pub place: String,
    /// Old value, if any; several lines are separated by `; `.
    pub old: Option<String>,
    /// New value, if any.
    pub new: Option<String>,
    /// When it takes effect.
    pub effect: ChangeEffect,
    /// Number of running sessions that it affects.
    pub sessions: usize,
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeEffect {
    /// At the next use, also for running sessions.
    Live,
    /// For new sessions; running ones keep the old value.
    Session,
    /// After a restart; the old value stays in force until then.
    Restart,
    /// Never: the directive has no effect here.
    None,
}

/// Identity of a running session, to determine which changes affect it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunningSession {
    /// `serverid` of its virtual server.
    pub serverid: Vec<u8>,
    /// Its application.
    pub app: Vec<u8>,
    /// Port of its listener; 0 if unknown or not RTMP.
    pub port: u16,
}

impl ChangeEffect {
    fn of(row: Option<&Row>) -> ChangeEffect {
        match row {
            Some(row) if row.inert => ChangeEffect::None,
            Some(row) => match row.class {
                ReloadClass::Live => ChangeEffect::Live,
                // A block takes effect for new sessions.
                ReloadClass::Session | ReloadClass::Block => ChangeEffect::Session,
                ReloadClass::Restart => ChangeEffect::Restart,
                ReloadClass::Later | ReloadClass::Needless => ChangeEffect::None,
            },
            None => ChangeEffect::None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.directive)?;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, " {old} -> {new}")?,
            (None, Some(new)) => write!(f, " added: {new}")?,
            (Some(old), None) => write!(f, " removed: {old}")?,
            (None, None) => {}
        }
        if !self.scope.is_empty() {
            write!(f, " [{}]", self.scope)?;
        }
        let many = |count: usize| counted(count as u64, "session");
        match self.effect {
            ChangeEffect::Live => write!(f, " (live, {})", many(self.sessions)),
            ChangeEffect::Session => write!(f, " (new sessions; {} as before)", many(self.sessions)),
            ChangeEffect::Restart => write!(f, " (after a restart; the old value is kept)"),
            ChangeEffect::None => write!(f, " (no effect)"),
        }
    }
}

/// All differences, in the order of the new text, then removals in the order of the old text.
///
/// `tree` has the statements of the new configuration. Those of the old one are parsed again: a configuration in force does
/// not keep them, because they would take a fifth of its memory.
pub fn changes(
    options: &LoadOptions,
    old: &Config,
    new: &Config,
    tree: &Tree,
    sessions: &[RunningSession],
) -> Vec<Change> {
    let (reading, _) = read_texts(options, &old.sources);
    let registry = options.language.registry();
    let before = ComparedConfig::new(&reading.sources, &reading.tree, registry);
    let after = ComparedConfig::new(&new.sources, tree, registry);
    let sessions_by_block = [before.sessions_by_block(sessions), after.sessions_by_block(sessions)];
    let mut difference = Difference { old: &before, new: &after, sessions_by_block, found: Vec::new() };
    difference.sections(0, 0);
    difference.found
}

/// One of the two configurations.
struct ComparedConfig<'r> {
    sources: &'r Sources,
    outline: Outline<'r>,
}

impl<'r> ComparedConfig<'r> {
    fn new(sources: &'r Sources, tree: &'r Tree, registry: &Registry) -> ComparedConfig<'r> {
        ComparedConfig { sources, outline: Outline::new(tree, registry) }
    }

    /// Number of sessions in each application's block.
    fn sessions_by_block(&self, sessions: &[RunningSession]) -> HashMap<usize, usize> {
        let mut counts: HashMap<&RunningSession, usize> = HashMap::new();
        for session in sessions {
            *counts.entry(session).or_default() += 1;
        }
        let mut sessions_by_block = HashMap::new();
        for (session, count) in counts {
            if let Some(block) = self.application(session) {
                *sessions_by_block.entry(block).or_default() += count;
            }
        }
        sessions_by_block
    }

    fn application(&self, session: &RunningSession) -> Option<usize> {
        let sections = &self.outline.sections;
        let servers =
            || self.outline.of(RTMP_SERVER).filter(|server| self.has_id(*server, &session.serverid));
        let find = |server: usize, name: &[u8]| {
            let mut inner = sections[server].inner.iter();
            inner
                .find(|at| {
                    let section = &sections[**at];
                    section.context == APPLICATION
                        && section.words().first().is_some_and(|word| &word.bytes[..] == name)
                })
                .copied()
        };
        let app = |server: usize| find(server, &session.app).or_else(|| find(server, b"*"));
        let there = servers().filter(|server| self.listens(*server, session.port)).find_map(app);
        there.or_else(|| servers().find_map(app))
    }

    fn has_id(&self, server: usize, id: &[u8]) -> bool {
        let id_word =
            self.outline.nearest(server, "serverid").and_then(|statement| statement.words().first());
        id_word.map_or(id == b"default", |word| &word.bytes[..] == id)
    }

    fn listens(&self, server: usize, port: u16) -> bool {
        let port = port.to_string();
        let ends = |word: &Word| word.bytes.rsplit(|b| *b == b':').next() == Some(port.as_bytes());
        self.outline.own(server, "listen").any(|statement| statement.words().first().is_some_and(ends))
    }

    /// Name of a block in the report, with its enclosing blocks.
    fn scope(&self, section: usize) -> String {
        let outline = &self.outline;
        let around: Vec<usize> = outline.around(section).filter(|at| *at != 0).collect();
        let names: Vec<String> = around.iter().rev().map(|at| self.name(&outline.sections[*at])).collect();
        names.join(" > ")
    }

    fn name(&self, section: &Section<'_>) -> String {
        let Some(head) = section.head.and_then(|head| head.words().first()) else { return String::new() };
        let kind = head.text();
        let words = match section.words() {
            [] => identity(&self.outline, section).first().cloned().unwrap_or_default(),
            words => spelled(words),
        };
        if words.is_empty() { kind.to_string() } else { format!("{kind} {words}") }
    }

    fn place(&self, statement: &OutlineStatement<'_>) -> String {
        self.sources.pos(statement.name().span).to_string()
    }
}

/// Addresses and names that distinguish blocks without arguments.
fn identity(outline: &Outline<'_>, section: &Section<'_>) -> Vec<String> {
    let statements = section.statements.iter().map(|at| &outline.statements[*at]);
    statements
        .filter(|statement| statement.is("listen") || statement.is("server_name"))
        .map(|statement| spelled(statement.words()))
        .collect()
}

struct Difference<'d, 'r> {
    old: &'d ComparedConfig<'r>,
    new: &'d ComparedConfig<'r>,
    /// Numbers of sessions by application block, in the old and in the new outline.
    sessions_by_block: [HashMap<usize, usize>; 2],
    found: Vec<Change>,
}

/// Lines of one directive in one block.
struct DirectiveLines<'o, 'r> {
    /// The row's name; aliases such as `deny` belong to the same directive, because their order matters.
    name: String,
    row: Option<&'static Row>,
    first: &'o OutlineStatement<'r>,
    /// Names as written, and arguments.
    values: Vec<(String, String)>,
}

/// Lines of one directive as shown in the report: the common name, and the rest of each line.
fn shown(name: &str, lines: &[&[(String, String)]]) -> (String, Vec<String>) {
    let mut written = lines.iter().flat_map(|lines| lines.iter()).map(|(written, _)| written);
    let first = written.next().map_or(name, |first| first);
    let alike = written.all(|other| other == first);
    let values = lines.iter().map(|lines| {
        let words = lines.iter().map(|(written, words)| match alike {
            true => masked(name, words),
            false => format!("{written} {}", masked(name, words)),
        });
        words.collect::<Vec<_>>().join("; ")
    });
    (if alike { first } else { name }.to_owned(), values.collect())
}

/// Directives whose text is a secret.
const SECRETS: [&str; 2] = ["secure_link_md5", "secure_link_secret"];

/// Words without what must not stand in a log: secrets, contents after `data:`, and names and passwords in addresses.
fn masked(name: &str, words: &str) -> String {
    if SECRETS.contains(&name) {
        return "***".to_owned();
    }
    if let Some(at) = words.find("data:") {
        return format!("{}data:***", &words[..at]);
    }
    let word = |word: &str| {
        let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
        let host = rest.find('/').unwrap_or(rest.len());
        match rest[..host].rfind('@') {
            Some(at) => format!("{scheme}://***{}", &rest[at..]),
            None => word.to_owned(),
        }
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

impl Difference<'_, '_> {
    fn sections(&mut self, old: usize, new: usize) {
        self.statements(old, new);
        let pairs = self.pair(old, new);
        for (old, new) in pairs {
            match (old, new) {
                (Some(old), Some(new)) => self.sections(old, new),
                (None, Some(new)) => self.block(new, true),
                (Some(old), None) => self.block(old, false),
                (None, None) => {}
            }
        }
    }

    fn statements(&mut self, old: usize, new: usize) {
        let mut before = lines(&self.old.outline, old);
        for after in lines(&self.new.outline, new) {
            let at = before.iter().position(|lines| lines.name == after.name);
            let was = at.map(|at| before.remove(at).values);
            if was.as_ref() == Some(&after.values) {
                continue;
            }
            let (directive, mut values) = match &was {
                Some(was) => shown(&after.name, &[was, &after.values]),
                None => shown(&after.name, &[&after.values]),
            };
            let is = values.pop();
            self.found.push(Change {
                directive,
                scope: self.new.scope(new),
                place: self.new.place(after.first),
                old: values.pop(),
                new: is,
                effect: ChangeEffect::of(after.row),
                sessions: self.concerned(1, new, after.row),
            });
        }
        for gone in before {
            let (directive, mut values) = shown(&gone.name, &[&gone.values]);
            self.found.push(Change {
                directive,
                scope: self.old.scope(old),
                place: self.old.place(gone.first),
                old: values.pop(),
                new: None,
                effect: ChangeEffect::of(gone.row),
                sessions: self.concerned(1, new, gone.row),
            });
        }
    }

    /// Reports a whole block as added or removed.
    fn block(&mut self, section: usize, added: bool) {
        let (side, which) = if added { (self.new, 1) } else { (self.old, 0) };
        let block = &side.outline.sections[section];
        let Some(words) = block.head.map(|head| head.words()).filter(|words| !words.is_empty()) else {
            return;
        };
        let statements = block.statements.len();
        let name = side.name(block);
        let (directive, rest) = name.split_once(' ').unwrap_or((&name, ""));
        let value = format!("{rest} {{ {statements} directives }}").trim().to_owned();
        let parent = block.parent.unwrap_or_default();
        let (old, new) = if added { (None, Some(value)) } else { (Some(value), None) };
        let sessions = self.concerned(which, section, None);
        let http = side.outline.around(section).any(|at| side.outline.sections[at].context == context::HTTP);
        self.found.push(Change {
            directive: directive.to_owned(),
            scope: side.scope(parent),
            place: side.sources.pos(words[0].span).to_string(),
            old,
            new,
            effect: if http { ChangeEffect::Live } else { ChangeEffect::Session },
            sessions,
        });
    }

    /// Number of sessions below a block for which no inner block sets the same directive.
    fn concerned(&self, which: usize, section: usize, row: Option<&'static Row>) -> usize {
        let outline = if which == 0 { &self.old.outline } else { &self.new.outline };
        let hidden = |at: usize| {
            at != section
                && row.is_some_and(|row| {
                    row.inherit == Inherit::Nearest && outline.own(at, row.name()).next().is_some()
                })
        };
        let below = |application: usize| {
            let mut way = outline.around(application).take_while(|at| !hidden(*at));
            way.any(|at| at == section)
        };
        self.sessions_by_block[which].iter().filter(|(block, _)| below(**block)).map(|(_, count)| count).sum()
    }

    /// Pairs of corresponding nested blocks of two blocks, and blocks without a counterpart.
    fn pair(&self, old: usize, new: usize) -> Vec<(Option<usize>, Option<usize>)> {
        let mut waiting: HashMap<(u32, Vec<String>), Vec<usize>> = HashMap::new();
        let olds = &self.old.outline.sections[old].inner;
        for at in olds.iter().rev() {
            waiting.entry(key(&self.old.outline, *at)).or_default().push(*at);
        }
        let news = &self.new.outline.sections[new].inner;
        let mut pairs: Vec<(Option<usize>, Option<usize>)> = news
            .iter()
            .map(|at| (waiting.get_mut(&key(&self.new.outline, *at)).and_then(Vec::pop), Some(*at)))
            .collect();
        let mut left: Vec<usize> = waiting.into_values().flatten().collect();
        left.sort_unstable();
        // A single server block counts as the same server even if its addresses changed.
        for (was, is) in &mut pairs {
            let (None, Some(is)) = (&was, &is) else { continue };
            let alike = |at: &usize| {
                let (old, new) = (&self.old.outline.sections[*at], &self.new.outline.sections[*is]);
                old.context == new.context && old.words().is_empty() && new.words().is_empty()
            };
            if let Some(position) = left.iter().position(alike) {
                *was = Some(left.remove(position));
            }
        }
        pairs.extend(left.into_iter().map(|gone| (Some(gone), None)));
        pairs
    }
}

fn key(outline: &Outline<'_>, section: usize) -> (u32, Vec<String>) {
    let section = &outline.sections[section];
    let words = match section.words() {
        [] => identity(outline, section),
        words => vec![spelled(words)],
    };
    (section.context, words)
}

/// Lines of a block, grouped by directive.
fn lines<'o, 'r>(outline: &'o Outline<'r>, section: usize) -> Vec<DirectiveLines<'o, 'r>> {
    let mut found: Vec<DirectiveLines<'o, 'r>> = Vec::new();
    for statement in outline.statements_of(section) {
        let name =
            statement.row().map_or_else(|| statement.name().text().to_string(), |row| row.name().to_owned());
        let value = (statement.name().text().to_string(), value(statement));
        match found.iter_mut().find(|lines| lines.name == name) {
            Some(lines) => lines.values.push(value),
            None => found.push(DirectiveLines {
                name,
                row: statement.row(),
                first: statement,
                values: vec![value],
            }),
        }
    }
    found
}

fn value(statement: &OutlineStatement<'_>) -> String {
    let words = spelled(statement.words());
    if !statement.node.opens_block() {
        return words;
    }
    format!("{words} {{ {}}}", body(statement.node.body())).trim_start().to_owned()
}

fn body(statements: Body<'_>) -> String {
    statements.map(|node| format!("{}; ", spelled(node.words()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        assert_eq!(masked("external_account_key", "name data:c2VjcmV0"), "name data:***");
        assert_eq!(masked("ssl_certificate_key", "\"data:a b\""), "\"data:***");
        assert_eq!(masked("uri", "https://me:secret@host/x?a@b"), "https://***@host/x?a@b");
        assert_eq!(masked("push", "rtmp://host/x@y"), "rtmp://host/x@y");
        assert_eq!(masked("secure_link_md5", "\"$uri secret\""), "***");
    }
}
