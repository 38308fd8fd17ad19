//! Directives of the charset module.

use crate::directive::Words;
use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::http::variable::Template;

directives! {
    /// Character sets of responses.
    module "charset";
    later {
        /// Charset in Content-Type.
        "charset" => Template = "off", in HTTP_ALL | LOCATION_IF;
        /// MIME types to which the charset is added.
        "charset_types" => Words, in HTTP_ALL;
    }
}
