//! Directives of the charset module.

use crate::conf::Words;
use crate::conf::context::{HTTP_ALL, LOCATION_IF};
use crate::conf::directive::directives;
use crate::module::http::variable::Template;

directives! {
    /// Charsets of responses.
    module "charset";
    later {
        /// charset in Content-Type.
        "charset" => Template = "off", in HTTP_ALL | LOCATION_IF;
        /// Types that get the charset.
        "charset_types" => Words, in HTTP_ALL;
    }
}
