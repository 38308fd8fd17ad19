//! Directives of the map module.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;

use super::geo::Geo;
use super::ingredients;
use super::split::SplitClients;
use super::table::Map;
use crate::directive::context::{Contexts, HTTP, HTTP_SERVER};
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Num, Slot};

directives! {
    /// Variables derived from others.
    module "map";
    live as Current {
        /// Defines a variable by a table from the value of others.
        ///
        /// Example: `map $http_host $app { default live; sport.example.com sport; }`
        "map" => maps: Vec<Map>, in HTTP;
        /// Defines a variable by a table from the client's address. With `volatile` the value is computed at each use
        /// instead of once per request.
        ///
        /// Differs from PingOS: it has no `volatile`, which is as in nginx since 1.29.3.
        ///
        /// Example: `geo $near { default 0; 10.0.0.0/8 1; }`
        "geo" => geos: Vec<Geo>, in HTTP;
        /// Defines a variable by splitting requests by a hash.
        ///
        /// Example: `split_clients $remote_addr $group { 10% new; * old; }`
        "split_clients" => splits: Vec<SplitClients>, in HTTP;
    }
    needless {
        /// Size of a hash table.
        "map_hash_max_size" => Num = "2048", in HTTP;
        /// Bucket size of a hash table.
        "map_hash_bucket_size" => Num, in HTTP;
    }
    made {
        Definitions;
    }
    concludes {
        ingredients::are_known;
    }
}

/// Variables by name. As in nginx, the last of several definitions counts.
#[derive(Debug)]
pub struct Definitions(pub Arc<HashMap<BString, Definition>>);

/// A definition of a variable.
#[derive(Debug)]
pub enum Definition {
    /// `map`
    Map(Map),
    /// `geo`
    Geo(Geo),
    /// `split_clients`
    Split(SplitClients),
}

/// Servers share the definitions of `http`.
impl Slot for Definitions {
    const HOLDERS: Contexts = HTTP | HTTP_SERVER;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Definitions {
        if let Some(outer) = level.outer::<Definitions>() {
            return Definitions(outer.0.clone());
        }
        let defined: Current = level.resolve(evaluation);
        let maps = defined.maps.into_iter().map(|map| (map.name.clone(), Definition::Map(map)));
        let geos = defined.geos.into_iter().map(|geo| (geo.name.clone(), Definition::Geo(geo)));
        let splits = defined.splits.into_iter().map(|split| (split.name.clone(), Definition::Split(split)));
        Definitions(Arc::new(maps.chain(geos).chain(splits).collect()))
    }
}
