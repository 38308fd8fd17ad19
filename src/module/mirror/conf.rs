//! Directives of the mirror module.

use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::{Arity, Flag, Words};

directives! {
    /// Copies of requests.
    module "mirror";
    later {
        /// Copies requests to another URI.
        "mirror" => Vec<Words> = "off", in HTTP_ALL, args Arity::ONE;
        /// Copy the body too.
        "mirror_request_body" => Flag = "on", in HTTP_ALL;
    }
}
