//! Directives of the http auth module.

use crate::directive::ConfPath;
use crate::directive::context::{HTTP_ALL, LIMIT_EXCEPT};
use crate::directive::table::directives;
use crate::http::variable::Template;

directives! {
    /// Passwords.
    module "http auth";
    later {
        /// Asks for a password, unless `off`. Until passwords are checked, nothing is served where it is
        /// asked.
        "auth_basic" => Template = "off", in HTTP_ALL | LIMIT_EXCEPT, restricts requests;
        /// htpasswd file; relative to the conf directory.
        "auth_basic_user_file" => ConfPath, in HTTP_ALL | LIMIT_EXCEPT;
    }
}
