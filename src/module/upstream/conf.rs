//! Directives of the upstream module.

use std::collections::HashMap;

use bstr::BString;

use super::balance::{KeepaliveConnections, Method, Random};
use super::server::{HashBalance, UpstreamServer};
use crate::directive::context::{Contexts, HTTP, UPSTREAM};
use crate::directive::table::directives;
use crate::directive::{Arity, BlockLevel, Evaluation, Msec, Num, Slot, Text, Words};
use crate::syntax::{Problem, Span, sentence};

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
    made {
        Upstreams;
    }
}

/// The groups: validated only, since nothing is forwarded yet.
#[derive(Debug)]
pub struct Upstreams;

impl Slot for Upstreams {
    const HOLDERS: Contexts = HTTP;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Upstreams {
        let http = level.blocks[0];
        for upstream in http.inner(UPSTREAM).filter(|u| u.uses("server").is_none()) {
            evaluation.refuse(upstream, Problem::new("no servers are inside upstream"));
        }
        let mut names: HashMap<BString, Span> = HashMap::new();
        for upstream in http.inner(UPSTREAM) {
            let Some(name) = upstream.head::<Text>() else { continue };
            let Some(first) = names.insert(name.0.to_ascii_lowercase().into(), upstream.span) else {
                continue;
            };
            let text = sentence(&[b"duplicate upstream \"", &name.0, b"\""]);
            evaluation.refuse(upstream, Problem::new(text).label(first, "first given here"));
        }
        Upstreams
    }
}
