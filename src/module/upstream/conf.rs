//! Directives of the upstream module.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;

use super::balance::{GroupZone, KeepaliveConnections, LeastTimeBalance, Method, Random};
use super::methods::{HashMethod, IpHash, LeastConn, LeastTime, RandomChoice};
use super::server::{HashBalance, UpstreamServer};
use super::sticky::{Sticky, StickyGroup};
use crate::directive::context::{Contexts, HTTP, UPSTREAM};
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Msec, Num, Slot, Text};
use crate::http::core::conf::Current as Core;
use crate::http::upstream::group::{BalancingMethod, Group, Groups, IdleSettings, TargetsWithPort};
use crate::net::resolver::server::Resolver;
use crate::syntax::{Problem, Span, sentence};

directives! {
    /// Server groups for forwarding. The state of a server (failures, weights) is shared by all workers, and stays over a
    /// reload if its line does.
    module "upstream";
    blocks {
        /// A server group that `proxy_pass` can name.
        "upstream" => Text, opens UPSTREAM, in HTTP;
    }
    live as Current {
        /// ADDRESS [weight=N max_conns=N max_fails=N fail_timeout=TIME slow_start=TIME backup down drain route=TEXT resolve
        /// service=NAME]; unix:PATH is allowed. Names are looked up when they are needed. With `resolve`, a name that no longer has
        /// addresses has no server, and `resolver` of the group or of `http` is asked; with `service` too, the SRV records of the
        /// service (`http` is `_http._tcp`) name hosts, ports and weights, and those that do not come first are backups. With `slow_start` the weight of a server that works
        /// again, or is added to a group in use, recovers from zero over this time; not with `hash`, `ip_hash` and `random`, nor
        /// in a group of one server. `drain` leaves a server to the clients that `sticky` has bound to it; `route` is what
        /// binds them.
        ///
        /// Example: `server 127.0.0.1:8081 weight=2 max_fails=3 fail_timeout=10s;`
        "server" => servers: Vec<UpstreamServer>, in UPSTREAM;
        /// KEY [consistent]: selects a server by the hash of KEY.
        ///
        /// Example: `hash $uri consistent;`
        "hash" => hash: Option<HashBalance>, in UPSTREAM;
        /// DNS servers for the names of servers with `resolve`; without it, those of `http`.
        ///
        /// Not in PingOS; as in nginx since 1.27.3.
        ///
        /// Example: `resolver 127.0.0.53 valid=30s;`
        "resolver" => resolver: Option<Resolver>, in UPSTREAM;
        /// Time to wait for an answer of the DNS servers of `resolver`.
        ///
        /// Not in PingOS; as in nginx since 1.27.3.
        ///
        /// Example: `resolver_timeout 5s;`
        "resolver_timeout" => resolver_timeout: Option<Msec>, in UPSTREAM;
        /// Selects a server by the client's address.
        ///
        /// Example: `ip_hash;`
        "ip_hash" => ip_hash: Option<Method>, in UPSTREAM;
        /// Selects the server with the fewest connections.
        ///
        /// Example: `least_conn;`
        "least_conn" => least_conn: Option<Method>, in UPSTREAM;
        /// Selects the server that is expected to be ready first, by the average time until the head (`header`) or the end
        /// (`last_byte`) of its responses, its connections and its weight. With `inflight`, requests in progress count, too.
        ///
        /// Not in PingOS; as in nginx (Plus, and since 1.31).
        ///
        /// Example: `least_time header;`
        "least_time" => least_time: Option<LeastTimeBalance>, in UPSTREAM;
        /// Selects a server at random [two [least_conn]].
        ///
        /// Example: `random two least_conn;`
        "random" => random: Option<Random>, in UPSTREAM;
        /// Requests of a client go to the same server: `cookie NAME [expires=TIME|max] [domain=TEXT] [httponly] [secure]
        /// [samesite=strict|lax|none] [path=PATH]` tells the client its server; `route $VARIABLE ...` compares values with
        /// `route` of servers; `learn create=$VARIABLE lookup=$VARIABLE zone=NAME:SIZE [timeout=TIME] [header]` remembers the
        /// servers of sessions, over reloads too. If that server cannot be used, another one is selected.
        ///
        /// Example: `sticky cookie srv_id expires=1h path=/;`
        "sticky" => sticky: Option<Sticky>, in UPSTREAM;
        /// Maximum number of idle upstream connections per worker. With `local`, each location uses its own.
        ///
        /// Differs from PingOS, which has no `local`; as in nginx since 1.29.7, except that none are kept without this line.
        ///
        /// Example: `keepalive 32;`
        "keepalive" => keepalive: Option<KeepaliveConnections>, in UPSTREAM;
        /// Maximum number of requests per upstream connection.
        ///
        /// Example: `keepalive_requests 1000;`
        "keepalive_requests" => keepalive_requests: Num = "100", in UPSTREAM;
        /// Time after which an idle connection to an upstream server is closed.
        ///
        /// Example: `keepalive_timeout 30s;`
        "keepalive_timeout" => keepalive_timeout: Msec = "60s", in UPSTREAM;
        /// Age after which an upstream connection is not kept any more.
        ///
        /// Example: `keepalive_time 30m;`
        "keepalive_time" => keepalive_time: Msec = "1h", in UPSTREAM;
    }
    needless {
        /// Shared state of the group: it is always shared.
        "zone" => GroupZone, in UPSTREAM;
    }
    made {
        Groups;
    }
}

impl Slot for Groups {
    const HOLDERS: Contexts = HTTP;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Groups {
        let http = level.blocks[0];
        for upstream in http.inner(UPSTREAM).filter(|u| u.uses("server").is_none()) {
            evaluation.report_in(upstream, Problem::new("no servers are inside upstream"));
        }
        let mut names: HashMap<BString, Span> = HashMap::new();
        let mut groups = Groups::default();
        for upstream in http.inner(UPSTREAM) {
            let Some(Text(name)) = upstream.head() else { continue };
            let key: BString = name.to_ascii_lowercase().into();
            if let Some(first) = names.insert(key.clone(), upstream.span) {
                let text = sentence(&[b"duplicate upstream \"", name, b"\""]);
                evaluation.report_in(upstream, Problem::new(text).label(first, "first given here"));
                continue;
            }
            let values = level.values::<UPSTREAM>(&[upstream, http], evaluation);
            let core = level.resolve::<Core>(evaluation);
            let group = group(name, values.get(), &core);
            if !group.servers.is_empty() && group.servers.iter().all(|server| server.backup) {
                let text = sentence(&[b"no servers in upstream \"", name, b"\""]);
                evaluation.report_in(upstream, Problem::new(text).help("one of them must be no `backup`"));
            }
            groups.0.insert(key, Arc::new(group));
        }
        for target in evaluation.notes.take::<TargetsWithPort>().0 {
            if groups.find(&target.host).is_some() {
                let text = sentence(&[b"upstream \"", &target.host, b"\" may not have port ", &target.port]);
                evaluation.report(Problem::new(text).at(target.span).place(target.place));
            }
        }
        groups
    }
}

fn group(name: &BString, conf: &Current, core: &Core) -> Group {
    let servers: Vec<_> = conf.servers.iter().map(|server| Arc::new(server.0.clone())).collect();
    // As in nginx, a later method replaces another one with a warning; here one of them is left.
    let method: Option<Arc<dyn BalancingMethod>> = if let Some(hash) = &conf.hash {
        Some(Arc::new(HashMethod::new(hash.key.clone(), hash.consistent, servers.clone())))
    } else if conf.ip_hash.is_some() {
        Some(Arc::new(IpHash))
    } else if conf.least_conn.is_some() {
        Some(Arc::new(LeastConn))
    } else if let Some(time) = conf.least_time {
        Some(Arc::new(LeastTime(time.0)))
    } else {
        conf.random.map(|random| Arc::new(RandomChoice { two: random.two }) as _)
    };
    let idle = conf.keepalive.map(|connections| IdleSettings {
        connections: usize::try_from(connections.most).unwrap_or(usize::MAX),
        requests: conf.keepalive_requests,
        timeout: conf.keepalive_timeout.duration(),
        time: conf.keepalive_time.duration(),
        local: connections.local,
    });
    let affinity = conf.sticky.as_ref().map(|sticky| Arc::new(StickyGroup::new(sticky.clone())) as _);
    let resolver = conf.resolver.clone().or_else(|| core.resolver.clone());
    let resolver = resolver.filter(|_| servers.iter().any(|server| server.resolve));
    let resolver =
        resolver.map(|resolver| (resolver, conf.resolver_timeout.unwrap_or(core.resolver_timeout)));
    Group { name: name.clone(), is_named: true, servers, method, affinity, idle, resolver }
}
