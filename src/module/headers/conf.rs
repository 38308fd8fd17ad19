//! Directives of the headers module.

use super::expires::Expires;
use crate::conf::context::{HTTP_ALL, LOCATION_IF};
use crate::conf::directive::directives;
use crate::module::http::header::AddHeader;

directives! {
    /// Headers of responses.
    module "headers";
    later {
        /// [modified] TIME|epoch|max|off or a variable: Expires and Cache-Control.
        "expires" => Expires = "off", in HTTP_ALL | LOCATION_IF;
        /// Trailer field.
        "add_trailer" => Vec<AddHeader>, in HTTP_ALL | LOCATION_IF;
    }
}
