//! Lint about notification lines that exclude one another.

use super::finding::{Finding, LintContext};
use crate::directive::context::APPLICATION;
use crate::syntax::Problem;

pub(super) fn on_meta_beside_on_push(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    for section in scope.outline.of(APPLICATION) {
        let Some(push) = scope.outline.own(section, "on_push").next() else { continue };
        let Some(meta) = scope.outline.own(section, "on_meta").next() else { continue };
        let problem = Problem::warning("\"on_meta\" is not used in an application that has \"on_push\"");
        findings.push(Finding::new(meta, problem.label(push.name().span, "because of this")));
    }
}
