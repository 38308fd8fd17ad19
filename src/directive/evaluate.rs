//! Evaluation: turns a syntax tree into blocks of typed values by looking up each statement's row.

use std::any::{Any, TypeId};

use bstr::ByteSlice;

use super::args::{Args, RepeatRule};
use super::block::DirectiveUse;
pub use super::block::{Block, resolve};
use super::context::{Contexts, MAIN};
use super::evaluation::{AnyValue, BaseDirectories, Evaluation, SharedFacts};
use super::registry::{Registry, RegistryEntry};
use super::row::{Apply, Row, StatementShape, UseOutcome};
use crate::syntax::diagnostic::{Problem, Severity};
use crate::syntax::reading::Reading;
use crate::syntax::report::Reports;
use crate::syntax::sentence;
use crate::syntax::source::{Sources, Span};
use crate::syntax::tree::{Body, Node, StatementEnd, Tree, Word};

/// Result of an evaluation.
pub struct Evaluated {
    /// The main block.
    pub main: Block,
    /// The source texts.
    pub sources: Sources,
    /// Their statements.
    pub tree: Tree,
    /// Facts that modules recorded for one another.
    pub notes: SharedFacts,
    /// Errors and warnings so far.
    pub reports: Reports,
}

struct Evaluator<'a> {
    registry: &'a Registry,
    sources: &'a Sources,
    bases: &'a BaseDirectories,
    notes: SharedFacts,
    reports: Reports,
    /// Uses of directives that may appear only once in the whole configuration.
    once: Vec<DirectiveUse>,
}

/// Label under the last word of a statement whose `;` is probably missing.
fn missing_semicolon(last: &Word) -> &'static str {
    match &last.bytes[..] {
        [_, .., b'}'] => "the \"}\" is a part of this word; is a \";\" missing before it?",
        _ => "is a \";\" missing after this word?",
    }
}

/// Evaluates every statement of a parsed configuration.
pub fn evaluate(reading: Reading, registry: &Registry, bases: &BaseDirectories) -> Evaluated {
    let Reading { sources, tree, reports, .. } = reading;
    let mut evaluator = Evaluator {
        registry,
        sources: &sources,
        bases,
        notes: SharedFacts::default(),
        reports,
        once: Vec::new(),
    };
    let mut main = Block::new(MAIN, Span::default(), Span::default());
    evaluator.body(&mut main, tree.body());
    main.order = tree.len();
    let Evaluator { notes, reports, .. } = evaluator;
    Evaluated { main, sources, tree, notes, reports }
}

impl Evaluator<'_> {
    fn body(&mut self, block: &mut Block, body: Body<'_>) {
        let mut facts = SharedFacts::default();
        for node in body {
            if node.is_damaged() {
                continue;
            }
            if self.reports.is_full() {
                return;
            }
            block.order = node.order();
            let swallowed = self.swallowed(node, block.context);
            match (self.statement(block, node, &mut facts), swallowed) {
                (Ok(()), None) => {}
                (Ok(()), Some((last, lost))) => {
                    let name = &node.words()[0].bytes;
                    let text =
                        sentence(&[b"\"", &lost.bytes, b"\" is read as an argument of \"", name, b"\""]);
                    let problem =
                        Problem::warning(text).at(lost.span).label(last.span, missing_semicolon(last));
                    self.reports.add(node.order(), problem.place(node.terminator()));
                }
                (Err(problem), None) => self.reports.add(node.order(), located(problem, node)),
                (Err(problem), Some((last, _))) => {
                    let problem = problem.label(last.span, missing_semicolon(last));
                    self.reports.add(node.order(), located(problem, node));
                }
            }
        }
    }

    fn statement(
        &mut self,
        block: &mut Block,
        node: Node<'_>,
        facts: &mut SharedFacts,
    ) -> Result<(), Problem> {
        let Some((name, words)) = node.words().split_first() else { return Ok(()) };
        let RegistryEntry { module, row } = self.row(name, block)?;
        Self::check_shape(name, row, node)?;
        if !row.arity.fits(words.len()) {
            return Err(Self::wrong_arity(name, row, node));
        }
        let counted = self.count(block, (name, node.order()), row);
        let args = Args {
            name,
            words,
            body: (row.shape == StatementShape::Free).then(|| node.body()),
            terminator: node.terminator(),
        };
        if row.inert
            && let Some(seen) = block.seen.iter_mut().find(|s| std::ptr::eq(s.row, row))
        {
            seen.refuses |= row.outcome(args.joined().as_bstr()) == UseOutcome::Refused;
        }
        let mut evaluation = Evaluation {
            sources: self.sources,
            bases: self.bases,
            context: block.context,
            head: block.head.as_ref(),
            block: facts,
            notes: &mut self.notes,
            place: Some(node.terminator()),
            order: node.order(),
            reports: &mut self.reports,
        };
        let applied = match row.apply {
            Apply::Keep(keep) => {
                let scope = scope_mut(&mut block.scopes, (module.scope_type)(), module.scope);
                keep(scope, &args, node.span(), &mut evaluation)
            }
            Apply::Check(check) => check(&args, &mut evaluation),
            Apply::Head(head) => {
                counted?;
                let head = head(&args, &mut evaluation)?;
                self.remark(row, node, &args);
                let StatementShape::Opens(context) = row.shape else { return Ok(()) };
                let mut inner = Block::new(context, node.span(), node.terminator());
                (inner.head, inner.opens) = (Some(head), node.order());
                self.body(&mut inner, node.body());
                block.order = inner.order;
                block.children.push(inner);
                return Ok(());
            }
        };
        // nginx reports a duplicate before it looks at the value.
        match (counted, applied) {
            (Err(problem), Ok(false) | Err(_)) => return Err(problem),
            (_, applied) => applied?,
        };
        self.remark(row, node, &args);
        Ok(())
    }

    /// Finds a word that begins a line and names a directive of this context, and the word before it: most likely a `;`
    /// is missing between the two.
    fn swallowed<'t>(&self, node: Node<'t>, context: Contexts) -> Option<(&'t Word, &'t Word)> {
        let words = node.words();
        let (first, last) = (words.first()?, words.last()?);
        if first.span.line == last.span.line {
            return None;
        }
        let lost = words.windows(2).find(|pair| {
            let fits = |e: &RegistryEntry| e.row.contexts & context != 0;
            let include = &pair[1].bytes[..] == b"include";
            let directive = || self.registry.find(&pair[1].bytes).iter().any(fits);
            pair[0].span.line < pair[1].span.line && (include || directive())
        })?;
        Some((&lost[0], &lost[1]))
    }

    /// Row of a directive name in a block, or nginx's error for an unknown or misplaced directive.
    fn row(&self, name: &Word, block: &Block) -> Result<RegistryEntry, Problem> {
        let context = block.context;
        let entries = self.registry.find(&name.bytes);
        if let Some(entry) = entries.iter().find(|e| e.row.contexts & context != 0) {
            return Ok(*entry);
        }
        if entries.is_empty() {
            // nginx prints names as C strings, so the name ends at the first NUL.
            let shown = name.bytes.split(|b| *b == 0).next().unwrap_or_default();
            let problem = Problem::new(sentence(&[b"unknown directive \"", shown, b"\""])).at(name.span);
            return Err(match self.registry.advice(&name.bytes, context) {
                Some(advice) => problem.help(advice),
                None => problem,
            });
        }
        let text = sentence(&[b"\"", &name.bytes, b"\" directive is not allowed here"]);
        let place = self.registry.contexts_of(&name.text().to_string());
        let mut problem = Problem::new(text).at(name.span);
        if context != MAIN {
            problem = problem.label(block.span, "inside this block");
        }
        if entries.iter().all(|e| e.row.contexts == MAIN && matches!(e.row.shape, StatementShape::Opens(_))) {
            return Err(problem.help("it is outside every block; is a \"}\" missing before it?"));
        }
        Err(problem.help(format!("`{}` is allowed in: {place}", name.text())))
    }

    fn check_shape(name: &Word, row: &Row, node: Node<'_>) -> Result<(), Problem> {
        let simple = row.shape == StatementShape::Simple;
        match node.end() {
            StatementEnd::Block { .. } if simple => {
                let text = sentence(&[b"directive \"", &name.bytes, b"\" is not terminated by \";\""]);
                let problem = Problem::new(text).at(node.terminator());
                let last = node.words().last().unwrap_or(name);
                if last.span.line < node.terminator().line {
                    return Err(problem.label(last.span, missing_semicolon(last)));
                }
                let problem = problem.label(name.span, "this directive opens no block");
                Err(problem.help("a value with braces in it must be quoted"))
            }
            StatementEnd::Semicolon if !simple => {
                let text = sentence(&[b"directive \"", &name.bytes, b"\" has no opening \"{\""]);
                Err(Problem::new(text).at(node.terminator()).help(usage(name, row)))
            }
            _ => Ok(()),
        }
    }

    fn wrong_arity(name: &Word, row: &Row, node: Node<'_>) -> Problem {
        let text = sentence(&[b"invalid number of arguments in \"", &name.bytes, b"\" directive"]);
        let problem = Problem::new(text).at(node.span()).caption(format!("takes {}", row.arity));
        problem.help(usage(name, row))
    }

    /// Counts a use of a directive and refuses a duplicate.
    fn count(
        &mut self,
        block: &mut Block,
        (name, order): (&Word, u32),
        row: &'static Row,
    ) -> Result<(), Problem> {
        let (seen, limit) = match (row.once, row.repeat) {
            (true, _) => (&mut self.once, 1),
            (false, RepeatRule::Never) => (&mut block.seen, 1),
            (false, RepeatRule::AtMost(limit)) => (&mut block.seen, limit),
            (false, RepeatRule::Free) => (&mut block.seen, usize::MAX),
        };
        let Some(seen) = seen.iter_mut().find(|s| std::ptr::eq(s.row, row)) else {
            seen.push(DirectiveUse { row, first: name.span, latest: order, count: 1, refuses: false });
            return Ok(());
        };
        (seen.latest, seen.count) = (order, seen.count + 1);
        if seen.count <= limit {
            return Ok(());
        }
        let problem = Problem::new((row.duplicate)(name, limit)).at(name.span);
        let text =
            if limit == 1 { "first given here".into() } else { format!("the first of {limit} at most") };
        Err(problem.label(seen.first, text))
    }

    /// Warns of a directive without effect.
    fn remark(&mut self, row: &'static Row, node: Node<'_>, args: &Args<'_>) {
        if row.is_honoured() {
            return;
        }
        let (level, text) = match row.outcome(args.joined().as_bstr()) {
            UseOutcome::Honoured => return,
            UseOutcome::Needless => (Severity::Notice, "is not needed here"),
            UseOutcome::NoEffect => (Severity::Warn, "has no effect yet"),
            UseOutcome::Refused => (Severity::Warn, row.refusal()),
        };
        let text = sentence(&[b"\"", &args.name.bytes, b"\" directive ", text.as_bytes()]);
        self.reports.add(node.order(), Problem::new(text).level(level).place(node.terminator()));
    }
}

/// A module's scope, created on first use.
fn scope_mut(scopes: &mut Vec<(TypeId, AnyValue)>, id: TypeId, make: fn() -> AnyValue) -> &mut dyn Any {
    let at = match scopes.iter().position(|(known, _)| *known == id) {
        Some(at) => at,
        None => {
            scopes.push((id, make()));
            scopes.len() - 1
        }
    };
    &mut *scopes[at].1
}

/// Adds the statement's position to an error.
fn located(problem: Problem, node: Node<'_>) -> Problem {
    problem.at(node.span()).place(node.terminator())
}

/// Usage line of a directive, for diagnostics.
fn usage(name: &Word, row: &Row) -> String {
    let syntax = (row.syntax)();
    let blank = if syntax.is_empty() { "" } else { " " };
    match row.shape {
        StatementShape::Simple => format!("syntax: {}{blank}{syntax};", name.text()),
        StatementShape::Free => format!("syntax: {} {syntax}", name.text()),
        StatementShape::Opens(_) => format!("syntax: {}{blank}{syntax} {{ ... }}", name.text()),
    }
}
