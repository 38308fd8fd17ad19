//! What a value may look at and leave behind while it is read.

use std::any::{Any, TypeId};
use std::path::{Path, PathBuf};

use super::context::Contexts;
use super::table::Held;
use crate::syntax::diagnostic::Problem;
use crate::syntax::report::Reports;
use crate::syntax::source::{Pos, Sources, Span};
use crate::syntax::to_path;
use crate::syntax::tree::{End, Node, Word};

/// Where relative paths start.
#[derive(Clone, Debug, Default)]
pub struct Bases {
    /// The installation prefix.
    pub prefix: PathBuf,
    /// The directory of the main configuration file.
    pub conf: PathBuf,
}

/// Facts that values of one module tell one another, found by their type.
///
/// One set lives for a block (words that must agree with their neighbours), another for the whole
/// reading (names defined in one place and used in another).
#[derive(Default)]
pub struct Notes {
    facts: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

/// The surroundings of the value being read.
pub struct Scene<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// Where relative paths start.
    pub bases: &'a Bases,
    /// The block around the statement.
    pub context: Contexts,
    /// The value of the surrounding block's own words.
    pub head: Option<&'a Held>,
    /// Facts of this block.
    pub block: &'a mut Notes,
    /// Facts of the whole reading.
    pub notes: &'a mut Notes,
    pub(super) place: Option<Span>,
    /// The number of the statement in reading order.
    pub order: u32,
    pub(super) reports: &'a mut Reports,
}

/// A scene without a statement, for defaults.
pub struct Backstage {
    block: Notes,
    notes: Notes,
    reports: Reports,
}

impl Backstage {
    /// A scene of its own facts.
    pub fn new() -> Backstage {
        Backstage { block: Notes::default(), notes: Notes::default(), reports: Reports::default() }
    }

    /// The scene.
    pub fn scene<'a>(&'a mut self, sources: &'a Sources, bases: &'a Bases) -> Scene<'a> {
        Scene {
            sources,
            bases,
            context: 0,
            head: None,
            block: &mut self.block,
            notes: &mut self.notes,
            place: None,
            order: 0,
            reports: &mut self.reports,
        }
    }
}

impl Default for Backstage {
    fn default() -> Backstage {
        Backstage::new()
    }
}

impl Notes {
    /// The fact of that type, made on first use.
    pub fn of<T: Any + Default + Send + Sync>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let at = match self.facts.iter().position(|(known, _)| *known == id) {
            Some(at) => at,
            None => {
                self.facts.push((id, Box::<T>::default()));
                self.facts.len() - 1
            }
        };
        self.facts[at].1.downcast_mut().expect("facts are stored under their own type")
    }

    /// Takes the fact of that type out.
    pub fn take<T: Any + Default + Send + Sync>(&mut self) -> T {
        std::mem::take(self.of::<T>())
    }
}

impl Scene<'_> {
    /// Reports something that does not refuse the value.
    pub fn report(&mut self, problem: Problem) {
        let problem = match self.place {
            Some(place) => problem.place(place),
            None => problem,
        };
        self.reports.add(self.order, problem);
    }

    /// The words of a statement in a free-form block, or nothing when it cannot be one (which is reported).
    pub fn free_entry<'t>(&mut self, entry: Node<'t>) -> Option<&'t [Word]> {
        if entry.is_damaged() {
            return None;
        }
        if entry.end() != End::Semicolon {
            let problem = Problem::new("unexpected \"{\"").at(entry.terminator()).place(entry.terminator());
            self.report(problem);
            return None;
        }
        Some(entry.words())
    }

    /// The value of the surrounding block's own words, if it is of that type.
    pub fn head<T: 'static>(&self) -> Option<&T> {
        self.head.and_then(|head| head.downcast_ref())
    }

    /// The file and line of a span.
    pub fn pos(&self, span: Span) -> Pos {
        self.sources.pos(span)
    }

    /// A path relative to the prefix.
    pub fn under_prefix(&self, path: &[u8]) -> PathBuf {
        under(&self.bases.prefix, path)
    }

    /// A path relative to the directory of the main configuration file.
    pub fn under_conf(&self, path: &[u8]) -> PathBuf {
        under(&self.bases.conf, path)
    }
}

fn under(base: &Path, path: &[u8]) -> PathBuf {
    base.join(to_path(path))
}
