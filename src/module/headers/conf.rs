//! Directives of the headers module.

use super::expires::Expires;
use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::http::header::AddHeader;

directives! {
    /// Headers of responses.
    module "headers";
    live as Current {
        /// How long responses may be kept: sets `Expires` and `Cache-Control`.
        "expires" => expires: Expires = "off", in HTTP_ALL | LOCATION_IF;
    }
    later {
        /// Trailer field.
        "add_trailer" => Vec<AddHeader>, in HTTP_ALL | LOCATION_IF;
    }
}
