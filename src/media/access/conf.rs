//! Directives of access by address.

use std::net::IpAddr;

use super::rule::{AccessAction, RtmpAccessRule};
use crate::directive::Joined;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;

directives! {
    /// Access control by address.
    module "access";
    live as Current {
        /// Permits or refuses publishing, playing or both. Rules are checked in order, those of inner blocks first; the
        /// first matching rule decides. If no rule matches, access is permitted.
        ///
        /// Differs from PingOS: the rules also hold for players over HTTP, which PingOS never refuses, and a
        /// refused RTMP client gets a status message before its connection is closed.
        ///
        /// Example: `allow publish 10.0.0.0/8;`
        "allow" | "deny" => rules: Joined<RtmpAccessRule>, in RTMP_ALL, restricts sessions;
    }
}

impl Current {
    /// Whether a peer may perform the action; `None` is a peer on a Unix socket.
    pub fn permits(&self, action: AccessAction, peer: Option<IpAddr>) -> bool {
        let rule =
            self.rules.0.iter().find(|r| r.action.is_none_or(|a| a == action) && r.network.contains(peer));
        rule.is_none_or(|r| r.allow)
    }
}
