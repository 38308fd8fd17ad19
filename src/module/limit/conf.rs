//! Directives of the limit module.

use super::status::LimitStatus;
use crate::conf::context::{HTTP, HTTP_ALL};
use crate::conf::directive::directives;
use crate::conf::word::word_lists;
use crate::conf::{Arity, OneOf, Words};
use crate::module::http::variable::Templates;

word_lists! {
    /// Words of `limit_conn_log_level`.
    pub LimitConnLogLevel: "info" | "notice" | "warn" | "error";
    /// Words of `limit_req_log_level`.
    pub LimitReqLogLevel: "info" | "notice" | "warn" | "error";
}

directives! {
    /// Limits of connections and requests.
    module "limit";
    later {
        /// KEY zone=NAME:SIZE.
        "limit_conn_zone" => Vec<Templates>, in HTTP, args Arity::TWO;
        /// ZONE N: concurrent connections per key.
        "limit_conn" => Vec<Words>, in HTTP_ALL, args Arity::TWO;
        /// Refusal status.
        "limit_conn_status" => LimitStatus = "503", in HTTP_ALL;
        /// Log level of refusals.
        "limit_conn_log_level" => OneOf<LimitConnLogLevel> = "error", in HTTP_ALL;
        /// KEY zone=NAME:SIZE rate=N r/s|r/m.
        "limit_req_zone" => Vec<Templates>, in HTTP, args Arity::between(3, 3);
        /// zone=NAME [burst=N] [nodelay|delay=N].
        "limit_req" => Vec<Words>, in HTTP_ALL, args Arity::between(1, 3);
        /// Refusal status.
        "limit_req_status" => LimitStatus = "503", in HTTP_ALL;
        /// Log level.
        "limit_req_log_level" => OneOf<LimitReqLogLevel> = "error", in HTTP_ALL;
    }
}
