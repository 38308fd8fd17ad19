//! Directives of the headers module. `add_header` is one of the HTTP core, see [`crate::http::header`].

use super::expires::Expires;
use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::http::header::AddHeader;

directives! {
    /// Headers of responses.
    module "headers";
    live as Current {
        /// Sets the headers `Expires` and `Cache-Control`.
        "expires" => expires: Expires = "off", in HTTP_ALL | LOCATION_IF;
        /// Adds a field after the body of responses that are sent in chunks.
        "add_trailer" => trailers: Vec<AddHeader>, in HTTP_ALL | LOCATION_IF;
    }
}
