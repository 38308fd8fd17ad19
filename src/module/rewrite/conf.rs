//! Directives of the rewrite module.

use super::answer::Return;
use super::condition::Condition;
use super::rewrite_rule::{Break, Rewrite, Set};
use super::statements::Statements;
use crate::directive::context::{HTTP_ALL, HTTP_SERVER, LOCATION, LOCATION_IF, SERVER_IF};
use crate::directive::table::directives;
use crate::directive::{Flag, Own, OwnAll};

directives! {
    /// Conditions, variables and rewriting of paths.
    module "rewrite";
    blocks {
        /// Statements for requests that meet a condition.
        "if" => Condition, opens SERVER_IF, in HTTP_SERVER, restricts requests;
        /// Statements for requests that meet a condition.
        "if" => Condition, opens LOCATION_IF, in LOCATION, restricts requests;
    }
    live as Current {
        /// Rewrites paths: regex replacement [last|break|redirect|permanent]. While this is not implemented, matching
        /// requests are refused.
        "rewrite" => rewrites: OwnAll<Rewrite>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF, no effect yet,
            restricts paths;
        /// Ends the statements of the rewrite module in this server or location.
        "break" => breaks: OwnAll<Break>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
        /// Responds with a fixed status and text, or with a redirect.
        "return" => answer: Own<Return>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF,
            restricts requests;
        /// Assigns a value to a variable.
        "set" => sets: OwnAll<Set>, in HTTP_SERVER | LOCATION | SERVER_IF | LOCATION_IF;
    }
    later {
        /// Logs rewrites at level notice.
        "rewrite_log" => Flag = "off", in HTTP_ALL | SERVER_IF | LOCATION_IF;
        /// Warns about unset variables.
        "uninitialized_variable_warn" => Flag = "on", in HTTP_ALL | SERVER_IF | LOCATION_IF;
    }
    made {
        Statements;
    }
}
