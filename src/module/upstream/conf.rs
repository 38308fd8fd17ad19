//! Directives of the upstream module.

use super::balance::{KeepaliveConnections, Method, Random};
use super::server::{HashBalance, UpstreamServer};
use crate::directive::context::{HTTP, UPSTREAM};
use crate::directive::table::directives;
use crate::directive::{Arity, Msec, Num, Text, Words};

directives! {
    /// Server groups for forwarding.
    module "upstream";
    blocks {
        /// A server group that `proxy_pass` can name.
        "upstream" => Text, opens UPSTREAM, in HTTP, no effect yet;
    }
    later {
        /// ADDRESS [weight=N max_conns=N max_fails=N fail_timeout=TIME backup down]; unix:PATH is allowed.
        "server" => Vec<UpstreamServer>, in UPSTREAM;
        /// KEY [consistent]: selects a server by the hash of KEY.
        "hash" => HashBalance, in UPSTREAM;
        /// Selects a server by the client's address.
        "ip_hash" => Method, in UPSTREAM;
        /// Selects the server with the fewest connections.
        "least_conn" => Method, in UPSTREAM;
        /// Selects a server at random [two [least_conn]].
        "random" => Random, in UPSTREAM;
        /// Maximum number of idle upstream connections per worker.
        "keepalive" => KeepaliveConnections, in UPSTREAM;
        /// Maximum number of requests per upstream connection.
        "keepalive_requests" => Num = "100", in UPSTREAM;
        /// Idle time of upstream connections.
        "keepalive_timeout" => Msec = "60s", in UPSTREAM;
        /// Shared state of the group.
        "zone" => Words, in UPSTREAM, args Arity::between(1, 2);
    }
}
