//! Directives of the referer module.

use super::valid::{Referers, ValidReferers};
use crate::directive::context::{HTTP_SERVER, LOCATION};
use crate::directive::table::directives;

directives! {
    /// Referers.
    module "referer";
    live as Current {
        /// Where requests may come from by their `Referer`: sets `$invalid_referer` to `1` for all others, for use in `if`.
        /// `none` is a request without the header, `blocked` one whose header has no scheme, `server_names` the names of the
        /// server; a path must be what the referer's path begins with, and a regular expression is compared with what
        /// follows the scheme. Ports are not looked at. As in the original, a referer shorter than `http://i.ru` has no
        /// scheme, and `$invalid_referer` keeps the value that it had at its first use for a request.
        "valid_referers" => lines: Vec<ValidReferers>, in HTTP_SERVER | LOCATION, restricts requests;
    }
    made {
        Referers;
    }
}
