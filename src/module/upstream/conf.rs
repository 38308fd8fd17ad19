//! Directives of the upstream module.

use super::balance::{Kept, Method, Random};
use super::server::{Hash, Server};
use crate::directive::context::{HTTP, UPSTREAM};
use crate::directive::table::directives;
use crate::directive::{Arity, Msec, Num, Text, Words};

directives! {
    /// Groups of servers to forward to.
    module "upstream";
    blocks {
        /// A group of servers that `proxy_pass` can name.
        "upstream" => Text, opens UPSTREAM, in HTTP, no effect yet;
    }
    later {
        /// ADDRESS [weight=N max_conns=N max_fails=N fail_timeout=TIME backup down]; unix:PATH allowed.
        "server" => Vec<Server>, in UPSTREAM;
        /// KEY [consistent]: pick by hash of KEY.
        "hash" => Hash, in UPSTREAM;
        /// Pick by client address.
        "ip_hash" => Method, in UPSTREAM;
        /// Pick the least busy server.
        "least_conn" => Method, in UPSTREAM;
        /// Pick at random [two [least_conn]].
        "random" => Random, in UPSTREAM;
        /// Idle upstream connections kept per worker.
        "keepalive" => Kept, in UPSTREAM;
        /// Requests per upstream connection.
        "keepalive_requests" => Num = "100", in UPSTREAM;
        /// Idle time of upstream connections.
        "keepalive_timeout" => Msec = "60s", in UPSTREAM;
        /// Shared state for the group.
        "zone" => Words, in UPSTREAM, args Arity::between(1, 2);
    }
}
