//! The statements of the rewrite module in the order of the file.

use std::collections::HashSet;
use std::sync::Arc;

use bstr::BString;

use super::build::Builder;
use super::model::Location;
use crate::directive::context::{LOCATION_IF, SERVER_IF};
use crate::directive::evaluate::Block;
use crate::http::conf as http_conf;
use crate::http::response::Return;
use crate::module::map::conf as map_conf;
use crate::module::rewrite::condition::Condition;
use crate::module::rewrite::conf as rewrite_conf;
use crate::module::rewrite::rewrite_rule::{Rewrite, Set};

/// One statement of a server or a location.
#[derive(Debug)]
pub enum RequestStep {
    /// Ends the statements.
    Break,
    /// `if`: its own statements, and in a location what then counts in place of the location.
    If(Condition, Vec<RequestStep>, Option<Arc<Location>>),
    /// Answers.
    Return(Return),
    /// Refuses the paths that it matches, as long as paths are not rewritten.
    Rewrite(Rewrite),
    /// Assigns a variable.
    Set(Set),
}

/// The statements of a block. `inner` makes what counts while a condition of a location is met.
pub(super) fn steps(
    builder: &mut Builder<'_>,
    block: &Block,
    inner: &mut dyn FnMut(&mut Builder<'_>, &Block) -> Option<Arc<Location>>,
) -> Vec<RequestStep> {
    let mut steps: Vec<(u32, RequestStep)> = Vec::new();
    if let Some(scope) = block.scope::<rewrite_conf::Scope>() {
        steps.extend(scope.sets.iter().map(|s| (s.value.order, RequestStep::Set(s.value.clone()))));
        steps.extend(scope.breaks.iter().map(|s| (s.value.order, RequestStep::Break)));
        steps.extend(scope.rewrites.iter().map(|s| (s.value.order, RequestStep::Rewrite(s.value.clone()))));
    }
    if let Some(answer) = block.scope::<http_conf::Scope>().and_then(|scope| scope.answer.as_ref()) {
        steps.push((answer.value.order, RequestStep::Return(answer.value.clone())));
    }
    for child in block.inner(SERVER_IF).chain(block.inner(LOCATION_IF)) {
        let Some(condition) = child.head::<Condition>() else { continue };
        let location = inner(builder, child);
        let within = self::steps(builder, child, &mut |_, _| None);
        steps.push((child.order, RequestStep::If(condition.clone(), within, location)));
    }
    steps.sort_by_key(|(order, _)| *order);
    steps.into_iter().map(|(_, step)| step).collect()
}

/// Variables of `map`, `geo` and `split_clients`, which have no values yet.
pub(super) fn without_value(http: &Block) -> HashSet<BString> {
    let Some(scope) = http.scope::<map_conf::Scope>() else { return HashSet::new() };
    let maps = scope.maps.iter().map(|map| &map.value.name);
    let geos = scope.geos.iter().map(|geo| &geo.value.name);
    let splits = scope.splits.iter().map(|split| &split.value.name);
    maps.chain(geos).chain(splits).cloned().collect()
}
