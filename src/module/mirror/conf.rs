//! Directives of the mirror module.

use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::{Arity, Flag, Words};

directives! {
    /// Mirroring of requests.
    module "mirror";
    later {
        /// Sends copies of requests to another URI.
        "mirror" => Vec<Words> = "off", in HTTP_ALL, args Arity::ONE;
        /// Includes the body in the copies.
        "mirror_request_body" => Flag = "on", in HTTP_ALL;
    }
}
