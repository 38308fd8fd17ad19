//! Directives of the upstream module.

use super::server::{Hash, Server};
use crate::conf::context::{HTTP, UPSTREAM};
use crate::conf::directive::directives;
use crate::conf::{Arity, Msec, Num, Present, Text, Words};

directives! {
    /// Groups of servers to forward to.
    module "upstream";
    blocks {
        /// A group of servers that `proxy_pass` can name.
        "upstream" => Text, opens UPSTREAM, in HTTP;
    }
    later {
        /// ADDRESS [weight=N max_conns=N max_fails=N fail_timeout=TIME backup down]; unix:PATH allowed.
        "server" => Vec<Server>, in UPSTREAM;
        /// KEY [consistent]: pick by hash of KEY.
        "hash" => Hash, in UPSTREAM;
        /// Pick by client address.
        "ip_hash" => Present, in UPSTREAM;
        /// Pick the least busy server.
        "least_conn" => Present, in UPSTREAM;
        /// Pick at random [two [least_conn]].
        "random" => Words, in UPSTREAM, args Arity::between(0, 2);
        /// Idle upstream connections kept per worker.
        "keepalive" => Num, in UPSTREAM;
        /// Requests per upstream connection.
        "keepalive_requests" => Num = "100", in UPSTREAM;
        /// Idle time of upstream connections.
        "keepalive_timeout" => Msec = "60s", in UPSTREAM;
        /// Shared state for the group.
        "zone" => Words, in UPSTREAM, args Arity::between(1, 2);
    }
}
