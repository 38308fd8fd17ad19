//! Directives of the map module.

use super::entry::{Geo, Map, SplitClients};
use crate::conf::Num;
use crate::conf::context::HTTP;
use crate::conf::directive::directives;

directives! {
    /// Variables that depend on others.
    module "map";
    later {
        /// Defines a variable from others.
        "map" => Vec<Map>, in HTTP;
        /// Defines a variable from the peer's address.
        "geo" => Vec<Geo>, in HTTP;
        /// Defines a variable that splits requests by a hash.
        "split_clients" => Vec<SplitClients>, in HTTP;
    }
    needless {
        /// Tuning.
        "map_hash_max_size" => Num = "2048", in HTTP;
        /// Tuning.
        "map_hash_bucket_size" => Num, in HTTP;
    }
}
