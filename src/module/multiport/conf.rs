//! Directives of the multiport module.

use super::zone::{BroadcastTarget, PrefixPair, StreamZone};
use crate::directive::context::{HTTP_ALL, LOCATION, MAIN};
use crate::directive::table::directives;
use crate::directive::{Arity, Text, Words};

directives! {
    /// Sockets and requests of individual worker processes.
    module "multiport";
    live as Current {
        /// Sends the request to every worker and concatenates the answers: subrequests to URI/ADDRESS, one after the
        /// other, where ADDRESS is the worker's socket of `multi_listen BASE` (`unix:PATH.N`, or the port plus N).
        /// The location's own response, such as that of `return 200`, gives the headers; its status becomes 200, and
        /// its body and length are dropped. A refusal or a redirect is sent as it is. An answer whose status is not
        /// 200 is left out and logged. A HEAD request asks no worker. If BASE is no address or the port exceeds
        /// 65535, the connection is closed.
        ///
        /// Differs from PingOS: workers share their state, so each answer is about the whole server.
        ///
        /// Example: `broadcast unix:/tmp/http /stat;`
        "broadcast" => broadcast: Option<BroadcastTarget>, in LOCATION;
        /// Replaces a prefix of the first answer's body by another, of any length. Bodies that begin otherwise stay
        /// as they are.
        ///
        /// Differs from PingOS, where both must have the same length, and a nested location does not inherit
        /// the second.
        ///
        /// Example: `broadcast_rewrite_prefix "<?xml version=\"1.0\" encoding=\"utf-8\" ?>" "<all>";`
        "broadcast_rewrite_prefix" => rewrite_prefix: Option<PrefixPair>, in LOCATION;
        /// Text that is sent after the last worker's answer.
        ///
        /// Example: `broadcast_suffix "</all>";`
        "broadcast_suffix" => suffix: Text = "", in LOCATION;
    }
    needless {
        /// The multi_listen base and the internal URI for forwarding a request to the worker that owns a stream or
        /// session.
        "inner_proxy" => Words, in HTTP_ALL, args Arity::TWO;
        /// Size of the shared table from streams to their workers.
        "stream_zone" => Vec<StreamZone>, in MAIN;
    }
}
