//! A syntax tree with the row of every statement, for lints and `pingosd explain`.
//!
//! Nothing is validated here: an unknown statement has no row, and a block of unknown kind has no context.

use bstr::BString;

use super::context::{Contexts, MAIN};
use super::registry::{Registry, RegistryEntry};
use super::table::{Row, StatementShape};
use crate::syntax::text;
use crate::syntax::tree::{Body, Node, Tree, Word};

/// All blocks and statements of a tree, in reading order.
pub struct Outline<'t> {
    /// The blocks; the first is the main block.
    pub sections: Vec<Section<'t>>,
    /// The statements.
    pub statements: Vec<OutlineStatement<'t>>,
}

/// A block.
pub struct Section<'t> {
    /// Context of its statements; zero for a block of unknown kind.
    pub context: Contexts,
    /// The statement that opens it; `None` for the main block.
    pub head: Option<Node<'t>>,
    /// The enclosing block.
    pub parent: Option<usize>,
    /// Its statements, without those that open a block of statements.
    pub statements: Vec<usize>,
    /// Nested blocks.
    pub inner: Vec<usize>,
}

/// A statement.
#[derive(Clone, Copy)]
pub struct OutlineStatement<'t> {
    /// The statement.
    pub node: Node<'t>,
    /// The block that contains it.
    pub section: usize,
    /// Its row.
    pub entry: Option<RegistryEntry>,
    /// The block that it opens, if that block holds statements of a known context.
    pub opens: Option<usize>,
}

impl<'t> Outline<'t> {
    /// Looks up the row of every statement of a tree.
    pub fn new(tree: &'t Tree, registry: &Registry) -> Outline<'t> {
        let main =
            Section { context: MAIN, head: None, parent: None, statements: Vec::new(), inner: Vec::new() };
        let mut outline =
            Outline { sections: vec![main], statements: Vec::with_capacity(tree.len() as usize) };
        outline.body(0, tree.body(), registry);
        outline
    }

    fn body(&mut self, section: usize, body: Body<'t>, registry: &Registry) {
        let context = self.sections[section].context;
        for node in body {
            let Some(name) = node.words().first() else { continue };
            let found = registry.find(&name.bytes);
            let entry = found.iter().find(|e| e.row.contexts & context != 0).copied();
            let at = self.statements.len();
            let opens = match entry.map(|e| e.row.shape) {
                Some(StatementShape::Free) => None,
                Some(StatementShape::Opens(context)) => Some(context),
                _ => node.opens_block().then_some(0),
            };
            let opens = opens.map(|context| {
                let inner = Section {
                    context,
                    head: Some(node),
                    parent: Some(section),
                    statements: Vec::new(),
                    inner: Vec::new(),
                };
                self.sections.push(inner);
                let opened = self.sections.len() - 1;
                self.sections[section].inner.push(opened);
                opened
            });
            if opens.is_none() {
                self.sections[section].statements.push(at);
            }
            self.statements.push(OutlineStatement { node, section, entry, opens });
            if let Some(opened) = opens {
                self.body(opened, node.body(), registry);
            }
        }
    }

    /// The blocks of a context.
    pub fn of(&self, context: Contexts) -> impl Iterator<Item = usize> {
        (0..self.sections.len()).filter(move |at| self.sections[*at].context & context != 0)
    }

    /// A block and its enclosing blocks, innermost first.
    pub fn around(&self, section: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(section), |at| self.sections[*at].parent)
    }

    /// The nearest block of a context that contains a block; a block contains itself.
    pub fn up_to(&self, section: usize, context: Contexts) -> Option<usize> {
        self.around(section).find(|at| self.sections[*at].context == context)
    }

    /// Uses of a directive in the block itself, by canonical name.
    pub fn own(&self, section: usize, name: &'static str) -> impl Iterator<Item = &OutlineStatement<'t>> {
        self.statements_of(section).filter(move |statement| statement.is(name))
    }

    /// The use of a directive that is in force in a block: the last one of the innermost block that has any.
    pub fn nearest(&self, section: usize, name: &'static str) -> Option<&OutlineStatement<'t>> {
        self.around(section).find_map(|at| self.own(at, name).last())
    }

    /// Statements of a block that open no block themselves.
    pub fn statements_of(&self, section: usize) -> impl Iterator<Item = &OutlineStatement<'t>> {
        self.sections[section].statements.iter().map(|at| &self.statements[*at])
    }
}

impl<'t> Section<'t> {
    /// Arguments of the block.
    pub fn words(&self) -> &'t [Word] {
        self.head.and_then(|head| head.words().get(1..)).unwrap_or_default()
    }
}

impl<'t> OutlineStatement<'t> {
    /// The name as written.
    pub fn name(&self) -> &'t Word {
        self.node.words().first().expect("a statement without words has no place in an outline")
    }

    /// The arguments.
    pub fn words(&self) -> &'t [Word] {
        self.node.words().get(1..).unwrap_or_default()
    }

    /// The arguments joined by spaces.
    pub fn joined(&self) -> BString {
        bstr::join(" ", self.words().iter().map(|w| &w.bytes)).into()
    }

    /// The row.
    pub fn row(&self) -> Option<&'static Row> {
        self.entry.map(|e| e.row)
    }

    /// Whether its first argument is `on`.
    pub fn is_on(&self) -> bool {
        self.words().first().is_some_and(|word| word.is("on"))
    }

    /// Whether it uses the directive with this canonical name.
    pub fn is(&self, name: &str) -> bool {
        self.row().is_some_and(|row| row.name() == name)
    }
}

/// Words as a user would write them in a file.
pub fn spelled(words: &[Word]) -> String {
    let words: Vec<String> =
        words.iter().map(|w| String::from_utf8_lossy(&text::spell(&w.bytes)).into_owned()).collect();
    words.join(" ")
}
