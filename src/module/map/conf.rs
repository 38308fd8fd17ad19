//! Directives of the map module.

use super::geo::Geo;
use super::split::SplitClients;
use super::table::Map;
use super::variables::Definitions;
use crate::directive::Num;
use crate::directive::context::HTTP;
use crate::directive::table::directives;

directives! {
    /// Variables derived from others.
    module "map";
    live as Current {
        /// Defines a variable by a table from the value of others.
        "map" => maps: Vec<Map>, in HTTP;
        /// Defines a variable by a table from the client's address.
        "geo" => geos: Vec<Geo>, in HTTP;
        /// Defines a variable by splitting requests by a hash.
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
}
