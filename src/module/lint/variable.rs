//! Lint about variables of `http { }` that can have no value.

use bstr::ByteSlice;

use super::finding::{Finding, LintContext};
use crate::directive::context::{HTTP, HTTP_SERVER};
use crate::directive::outline::OutlineStatement;
use crate::http::module_variables::is_of_module;
use crate::http::variable::{self, Variable};
use crate::syntax::{Problem, Word};

pub(super) fn empty_variable(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let in_http = |statement: &&OutlineStatement<'_>| scope.outline.up_to(statement.section, HTTP).is_some();
    for statement in scope.outline.statements.iter().filter(in_http) {
        // Directives without effect are reported as a whole; names of servers and locations contain no variables.
        if statement.row().is_none_or(|row| row.inert || matches!(row.name(), "server_name" | "location")) {
            continue;
        }
        for word in statement.words() {
            for name in variable::names(&word.bytes) {
                let spelled = name.to_str_lossy();
                let caption = match Variable::find(&name.to_ascii_lowercase().into()) {
                    Variable::Other(name) if !is_of_module(&name) => "it has no value yet",
                    Variable::Capture(group) if !is_captured(scope, statement, group) => {
                        "no regular expression around it has that many groups"
                    }
                    _ => continue,
                };
                let problem = Problem::warning(format!("\"${spelled}\" is always empty"));
                findings.push(Finding::new(statement, problem.at(word.span_of(name)).caption(caption)));
            }
        }
    }
}

/// Whether a regular expression of the statement or of an enclosing block, or in an `if` or `rewrite` there, has this many groups.
fn is_captured(scope: &LintContext<'_>, statement: &OutlineStatement<'_>, group: u8) -> bool {
    let outline = &scope.outline;
    let server = outline.up_to(statement.section, HTTP_SERVER);
    let around = outline.around(statement.section).take_while(|at| Some(*at) != server).chain(server);
    around.into_iter().any(|at| {
        let section = &outline.sections[at];
        let head = section.head.map(|head| head.words()).unwrap_or_default();
        let own = outline
            .statements_of(at)
            .filter(|statement| statement.is("rewrite") || statement.is("server_name"));
        let inner = section.inner.iter().filter_map(|at| outline.sections[*at].head);
        let ifs = inner.filter(|node| node.words().first().is_some_and(|name| name.is("if")));
        let mut regular =
            own.map(|statement| statement.node.words()).chain(ifs.map(|node| node.words())).chain([head]);
        regular.any(|words| groups(words) >= usize::from(group))
    }) || groups(statement.node.words()) >= usize::from(group)
}

/// Upper bound of the number of groups in a statement's regular expression: the parentheses that may open one.
fn groups(words: &[Word]) -> usize {
    let Some((name, words)) = words.split_first() else { return 0 };
    // In conditions and locations the expression begins with or after the tilde.
    let begins = match name.is("rewrite") {
        true => Some(0),
        false => words.iter().position(|word| word.bytes.contains(&b'~')),
    };
    let expression = begins.map_or(&[][..], |begins| &words[begins..]);
    expression.iter().map(|word| word.bytes.iter().filter(|b| **b == b'(').count()).sum()
}
