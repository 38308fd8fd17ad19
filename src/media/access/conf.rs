//! Directives of access by address.

use super::rule::Rule;
use crate::directive::Joined;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;

directives! {
    /// Access control by address.
    module "access";
    live as Current {
        /// Permits or refuses publishing, playing or both. Rules are checked in order, those of inner blocks first; the
        /// first matching rule decides. If no rule matches, access is permitted.
        "allow" | "deny" => rules: Joined<Rule>, in RTMP_ALL, restricts sessions;
    }
}
