//! Directives of the charset module.

use crate::directive::Words;
use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::http::variable::Template;

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
