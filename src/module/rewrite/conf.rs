//! Directives of the rewrite module.

use super::condition::Condition;
use super::rewrite_rule::{Rewrite, Set};
use crate::conf::context::{HTTP_ALL, HTTP_SERVER, LOCATION, LOCATION_IF, SERVER_IF};
use crate::conf::directive::directives;
use crate::conf::{Flag, Present};

directives! {
    /// Conditions and rewriting of paths.
    module "rewrite";
    blocks {
        /// Statements for requests that meet a condition.
        "if" => Condition, opens SERVER_IF, in HTTP_SERVER;
        /// Statements for requests that meet a condition.
        "if" => Condition, opens LOCATION_IF, in LOCATION;
    }
    later {
        /// REGEX REPLACEMENT [last|break|redirect|permanent].
        "rewrite" => Vec<Rewrite>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Stop rewrite-phase directives.
        "break" => Vec<Present>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Assigns a variable.
        "set" => Vec<Set>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Log rewrites at notice.
        "rewrite_log" => Flag = "off", in HTTP_ALL | SERVER_IF | LOCATION_IF;
        /// Warn about unset variables.
        "uninitialized_variable_warn" => Flag = "on", in HTTP_ALL | SERVER_IF | LOCATION_IF;
    }
}
