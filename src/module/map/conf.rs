//! Directives of the map module.

use super::entry::{Geo, Map, SplitClients};
use crate::directive::Num;
use crate::directive::context::HTTP;
use crate::directive::table::directives;

directives! {
    /// Variables that depend on others.
    module "map";
    live as Current {
        /// Defines a variable from others.
        "map" => maps: Vec<Map>, in HTTP, no effect yet;
        /// Defines a variable from the peer's address.
        "geo" => geos: Vec<Geo>, in HTTP, no effect yet;
        /// Defines a variable that splits requests by a hash.
        "split_clients" => splits: Vec<SplitClients>, in HTTP, no effect yet;
    }
    needless {
        /// Tuning.
        "map_hash_max_size" => Num = "2048", in HTTP;
        /// Tuning.
        "map_hash_bucket_size" => Num, in HTTP;
    }
}
