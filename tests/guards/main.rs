//! What restricts holds: every row of the table that restricts has a request that is refused, and every row that is
//! called honoured has code of the running server that reads it.

mod conditions;
mod files;
mod patterns;
mod readers;
mod referers;
mod refused;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod walk;

use pingosd::directive::{ReloadClass, Row, context};
use pingosd::modules::MODULES;

/// All rows as `module/directive`; blocks with their first place.
fn rows() -> impl Iterator<Item = (String, &'static Row)> {
    MODULES.iter().flat_map(|module| {
        module.rows.iter().map(|row| {
            let place = context::names(row.contexts).next().filter(|_| row.class == ReloadClass::Block);
            let place = place.map_or(String::new(), |place| format!(" in {place}"));
            (format!("{}/{}{place}", module.name, row.name()), row)
        })
    })
}
