//! Statements of a server or location, in the order of the file.

use super::answer::Return;
use super::condition::Condition;
use super::conf::Scope;
use super::rewrite_rule::{Rewrite, Set};
use crate::directive::context::{Contexts, LOCATION, LOCATION_IF, SERVER_IF};
use crate::directive::evaluate::Block;
use crate::directive::{BlockLevel, Evaluation, Slot};

/// `if`, `set`, `return`, `break` and `rewrite` of one block, without those of its enclosing blocks.
#[derive(Debug)]
pub struct Statements(pub Vec<Statement>);

/// A statement that is executed for each request.
#[derive(Debug)]
pub enum Statement {
    /// Ends the statements.
    Break,
    /// `if` with its statements. In a location, the values of the `if` block with this index apply once the condition
    /// is true.
    If(Condition, Vec<Statement>, usize),
    /// Sends a response.
    Return(Return),
    /// Refuses matching paths, since rewriting is not implemented.
    Rewrite(Rewrite),
    /// Assigns a variable.
    Set(Set),
}

impl Slot for Statements {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Statements {
        Statements(of_block(level.blocks[0]))
    }
}

fn of_block(block: &Block) -> Vec<Statement> {
    let mut statements: Vec<(u32, Statement)> = Vec::new();
    if let Some(scope) = block.scope::<Scope>() {
        statements.extend(scope.sets.iter().map(|s| (s.value.order, Statement::Set(s.value.clone()))));
        statements.extend(scope.breaks.iter().map(|s| (s.value.order, Statement::Break)));
        statements
            .extend(scope.rewrites.iter().map(|s| (s.value.order, Statement::Rewrite(s.value.clone()))));
        let answer = scope.answer.iter();
        statements.extend(answer.map(|s| (s.value.order, Statement::Return(s.value.clone()))));
    }
    for (number, child) in block.inner(SERVER_IF).chain(block.inner(LOCATION_IF)).enumerate() {
        let Some(condition) = child.head::<Condition>() else { continue };
        statements.push((child.order, Statement::If(condition.clone(), of_block(child), number)));
    }
    statements.sort_by_key(|(order, _)| *order);
    statements.into_iter().map(|(_, statement)| statement).collect()
}
