//! Directives of the referer module.

use crate::conf::Words;
use crate::conf::context::{HTTP_SERVER, LOCATION};
use crate::conf::directive::directives;

directives! {
    /// Referers.
    module "referer";
    later {
        /// none, blocked, server_names, names or ~regex; sets $invalid_referer.
        "valid_referers" => Vec<Words>, in HTTP_SERVER | LOCATION;
    }
}
