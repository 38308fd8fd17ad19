//! Environment of a value while it is parsed: what it may read and what it may record.

use std::any::{Any, TypeId};
use std::path::{Path, PathBuf};

use super::context::Contexts;
use crate::syntax::diagnostic::Problem;
use crate::syntax::report::Reports;
use crate::syntax::source::{Pos, Sources, Span};
use crate::syntax::to_path;
use crate::syntax::tree::{Node, StatementEnd, Word};

/// Directories to which relative paths refer, and the treatment of host names.
#[derive(Clone, Debug, Default)]
pub struct BaseDirectories {
    /// Installation prefix.
    pub prefix: PathBuf,
    /// Directory of the main configuration file.
    pub conf: PathBuf,
    /// What is done with host names.
    pub host_names: HostNames,
}

/// What evaluation does with the host names of addresses to listen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostNames {
    /// They are resolved.
    #[default]
    Resolved,
    /// They stand for no address: the evaluating process must not read what a name server sends.
    Ignored,
}

/// Facts that values record for one another, found by type.
///
/// One set exists per block (for arguments that must agree with their neighbours), another for the whole configuration
/// (for names defined in one place and used in another).
#[derive(Default)]
pub struct SharedFacts {
    facts: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

/// Type-erased values.
pub type AnyValue = Box<dyn Any + Send + Sync>;

/// Environment of the value being parsed.
pub struct Evaluation<'a> {
    /// The source texts.
    pub sources: &'a Sources,
    /// Directories to which relative paths refer.
    pub bases: &'a BaseDirectories,
    /// Context of the enclosing block.
    pub context: Contexts,
    /// Value of the enclosing block's own arguments.
    pub head: Option<&'a AnyValue>,
    /// Facts of the block.
    pub block: &'a mut SharedFacts,
    /// Facts of the whole configuration.
    pub notes: &'a mut SharedFacts,
    pub(super) place: Option<Span>,
    /// Reading-order number of the statement.
    pub order: u32,
    pub(super) reports: &'a mut Reports,
}

/// Owner of an [`Evaluation`] without a statement, for parsing defaults and for building values from whole blocks.
#[derive(Default)]
pub struct DetachedEvaluation {
    block: SharedFacts,
    /// Facts of the whole configuration.
    pub notes: SharedFacts,
    /// Errors and warnings found so far.
    pub reports: Reports,
}

impl DetachedEvaluation {
    /// Continues with the facts and reports of a parsed configuration.
    pub fn new(notes: SharedFacts, reports: Reports) -> DetachedEvaluation {
        DetachedEvaluation { block: SharedFacts::default(), notes, reports }
    }

    /// The environment to parse with.
    pub fn evaluation<'a>(&'a mut self, sources: &'a Sources, bases: &'a BaseDirectories) -> Evaluation<'a> {
        Evaluation {
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

impl SharedFacts {
    /// The fact of that type, created on first use.
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

    /// Removes and returns the fact of that type.
    pub fn take<T: Any + Default + Send + Sync>(&mut self) -> T {
        std::mem::take(self.of::<T>())
    }
}

impl Evaluation<'_> {
    /// Whether the value is a default, which stands in no block.
    pub fn is_of_default(&self) -> bool {
        self.context == 0
    }

    /// Reports a problem that does not reject the value.
    pub fn report(&mut self, problem: Problem) {
        let problem = match self.place {
            Some(place) => problem.place(place),
            None => problem,
        };
        self.reports.add(self.order, problem);
    }

    /// Words of a statement in a free-form block; `None`, with a report, where the entry has the wrong form.
    pub fn free_entry<'t>(&mut self, entry: Node<'t>) -> Option<&'t [Word]> {
        if entry.is_damaged() {
            return None;
        }
        if entry.end() != StatementEnd::Semicolon {
            let problem = Problem::new("unexpected \"{\"").at(entry.terminator()).place(entry.terminator());
            self.report(problem);
            return None;
        }
        Some(entry.words())
    }

    /// Value of the enclosing block's own arguments, if it has that type.
    pub fn head<T: 'static>(&self) -> Option<&T> {
        self.head.and_then(|head| head.downcast_ref())
    }

    /// File and line of a span.
    pub fn pos(&self, span: Span) -> Pos {
        self.sources.pos(span)
    }

    /// Resolves a path relative to the prefix.
    pub fn under_prefix(&self, path: &[u8]) -> PathBuf {
        under(&self.bases.prefix, path)
    }

    /// Resolves a path relative to the directory of the main configuration file.
    pub fn under_conf(&self, path: &[u8]) -> PathBuf {
        under(&self.bases.conf, path)
    }
}

fn under(base: &Path, path: &[u8]) -> PathBuf {
    base.join(to_path(path))
}
