//! Log lines about the console.

use tracing::info;

use super::action::{ActionResult, ConsoleAction};

/// A request of the console was carried out or refused. What ends sessions is logged as a control request.
pub(super) fn asked(action: ConsoleAction<'_>, result: &ActionResult, addr: &str) {
    let asked = match action {
        ConsoleAction::Reload => "reload",
        ConsoleAction::RollBack => "rollback",
        ConsoleAction::Plan | ConsoleAction::Drop { .. } => return,
    };
    let outcome = if result.is_ok() { "carried out" } else { "refused" };
    info!(target: "notice", "console: {asked} {outcome}, client: {addr}");
}
