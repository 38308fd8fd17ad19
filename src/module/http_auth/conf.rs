//! Directives of the http auth module.

use crate::directive::ConfPath;
use crate::directive::context::{HTTP_ALL, LIMIT_EXCEPT};
use crate::directive::table::directives;
use crate::http::variable::Template;

directives! {
    /// Password authentication.
    module "http auth";
    later {
        /// Requires a password, unless `off`. While passwords are not checked, requests that need one are refused.
        "auth_basic" => Template = "off", in HTTP_ALL | LIMIT_EXCEPT, restricts requests;
        /// htpasswd file, relative to the conf directory.
        "auth_basic_user_file" => ConfPath, in HTTP_ALL | LIMIT_EXCEPT;
    }
}
