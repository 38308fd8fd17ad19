//! The variables that `map`, `geo` and `split_clients` define.

use bstr::BStr;

use super::conf::{Definition, Definitions};
use crate::directive::Undecided;
use crate::http::exchange::{Exchange, Lookup, RequestVariables, VariableLookup};
use crate::http::log;

/// Values of the variables.
pub struct MapVariables;

impl RequestVariables for MapVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let Some(definition) = exchange.server.get::<Definitions>().0.get(name) else { return Ok(None) };
        match definition {
            Definition::Map(map) => {
                let found = map.find(&exchange.expand(&map.source)).unwrap_or_else(|Undecided| {
                    // As in nginx, the default then holds.
                    log::undecided(exchange, "the source of a map");
                    map.otherwise()
                });
                if let Some(template) = found.value {
                    out.extend_from_slice(&exchange.expand_matched(template, found.matched.as_ref()));
                }
                if let Some(found) = found.matched {
                    exchange.assigned.looked_up(found);
                }
                if map.is_volatile {
                    return Ok(Some(Lookup::Changing));
                }
            }
            Definition::Geo(geo) => {
                let forwarded: Vec<&[u8]> =
                    exchange.request.headers_named(b"x-forwarded-for").map(|value| &**value).collect();
                out.extend_from_slice(match &geo.source {
                    None => geo.of_peer(exchange.peer().ip, &forwarded),
                    Some(source) => geo.of_text(&exchange.value(source), &forwarded),
                });
                if geo.is_volatile {
                    return Ok(Some(Lookup::Changing));
                }
            }
            Definition::Split(split) => out.extend_from_slice(split.find(&exchange.expand(&split.source))),
        }
        Ok(Some(Lookup::Found))
    }
}
