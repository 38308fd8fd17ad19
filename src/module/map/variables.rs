//! The variables that `map`, `geo` and `split_clients` define.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BStr, BString};

use super::conf::Current;
use super::geo::Geo;
use super::split::SplitClients;
use super::table::Map;
use crate::directive::context::{Contexts, HTTP, HTTP_SERVER};
use crate::directive::{BlockLevel, Evaluation, Slot, Undecided};
use crate::http::exchange::{Exchange, Lookup, RequestVariables};

/// Variables by name. As in nginx, the last of several definitions counts.
#[derive(Debug)]
pub(super) struct Definitions(Arc<HashMap<BString, Definition>>);

#[derive(Debug)]
enum Definition {
    Map(Map),
    Geo(Geo),
    Split(SplitClients),
}

/// Servers share the definitions of `http`.
impl Slot for Definitions {
    const HOLDERS: Contexts = HTTP | HTTP_SERVER;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Definitions {
        if let Some(outer) = level.outer::<Definitions>() {
            return Definitions(outer.0.clone());
        }
        let Current { maps, geos, splits } = level.resolve(evaluation);
        let maps = maps.into_iter().map(|map| (map.name.clone(), Definition::Map(map)));
        let geos = geos.into_iter().map(|geo| (geo.name.clone(), Definition::Geo(geo)));
        let splits = splits.into_iter().map(|split| (split.name.clone(), Definition::Split(split)));
        Definitions(Arc::new(maps.chain(geos).chain(splits).collect()))
    }
}

/// Values of the variables.
pub struct MapVariables;

impl RequestVariables for MapVariables {
    fn value(
        &self,
        exchange: &Exchange<'_>,
        name: &BStr,
        out: &mut Vec<u8>,
    ) -> Result<Option<Lookup>, Undecided> {
        let Some(definition) = exchange.server.get::<Definitions>().0.get(name) else { return Ok(None) };
        match definition {
            Definition::Map(map) => {
                let found = map.find(&exchange.expand(&map.source))?;
                if let Some(template) = found.value {
                    out.extend_from_slice(&exchange.expand_matched(template, found.matched.as_ref()));
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
            }
            Definition::Split(split) => out.extend_from_slice(split.find(&exchange.expand(&split.source))),
        }
        Ok(Some(Lookup::Found))
    }
}
