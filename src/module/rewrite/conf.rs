//! Directives of the rewrite module, and the statements of a server or location that they make up.

use super::answer::Return;
use super::condition::Condition;
use super::rewrite_rule::{Break, Rewrite, Set};
use crate::directive::context::{Contexts, HTTP_ALL, HTTP_SERVER, LOCATION, LOCATION_IF, SERVER_IF};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Flag, NotInheritedList, Slot};

directives! {
    /// Conditions, variables and rewriting of paths.
    module "rewrite";
    blocks {
        /// Statements for requests that meet a condition.
        "if" => Condition, opens SERVER_IF, in HTTP_SERVER, restricts requests;
        /// Statements for requests that meet a condition.
        "if" => Condition, opens LOCATION_IF, in LOCATION, restricts requests;
    }
    live as Current {
        /// Replaces paths that match a regular expression. A replacement that is a URL, `redirect` and `permanent` send a
        /// redirect. After `last`, the location is selected again; after `break`, the statements end. The request's query
        /// string is added unless the replacement ends with a question mark.
        ///
        /// Example: `rewrite ^/old/(.*)$ /new/$1 last;`
        "rewrite" => rewrites: NotInheritedList<Rewrite>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Ends the statements of the rewrite module in this server or location.
        ///
        /// Example: `break;`
        "break" => breaks: NotInheritedList<Break>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Responds with a fixed status and text, or with a redirect.
        ///
        /// Example: `return 204;`
        "return" => answers: NotInheritedList<Return>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF,
            restricts requests;
        /// Assigns a value, which may contain variables, to a variable of the request.
        ///
        /// Example: `set $stream $arg_name;`
        "set" => sets: NotInheritedList<Set>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Logs each step of `rewrite` directives in the error log, at level `notice`.
        ///
        /// Example: `rewrite_log on;`
        "rewrite_log" => log: Flag = "off", in HTTP_ALL | SERVER_IF | LOCATION_IF;
        /// Logs a warning when a variable without a value is used.
        ///
        /// Example: `uninitialized_variable_warn off;`
        "uninitialized_variable_warn" => warns: Flag = "on", in HTTP_ALL | SERVER_IF | LOCATION_IF;
    }
    made {
        Statements;
    }
}

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
    /// Replaces the path.
    Rewrite(Rewrite),
    /// Assigns a variable.
    Set(Set),
}

impl Slot for Statements {
    crate::directive::slot::keeps_last_places!();

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
        statements.extend(scope.answers.iter().map(|s| (s.value.order, Statement::Return(s.value.clone()))));
    }
    for (number, child) in block.inner(SERVER_IF).chain(block.inner(LOCATION_IF)).enumerate() {
        let Some(condition) = child.head::<Condition>() else { continue };
        statements.push((child.opens, Statement::If(condition.clone(), of_block(child), number)));
    }
    statements.sort_by_key(|(order, _)| *order);
    statements.into_iter().map(|(_, statement)| statement).collect()
}
