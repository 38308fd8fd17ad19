//! Directives of the resolver module.

use super::server::Resolver;
use crate::directive::context::EVENTS;
use crate::directive::table::directives;
use crate::directive::{Msec, Num};

directives! {
    /// Host name resolution for relays and notifications.
    module "resolver";
    live as Current {
        /// DNS servers for push/pull/notify host names: ADDRESS[:PORT]... [valid=TIME] [ipv4=on|off] [ipv6=on|off].
        /// Without the directive, the servers in /etc/resolv.conf are used. /etc/hosts takes precedence over both.
        /// Answers are cached for their TTL (1s to 1h) or for `valid`; while no server answers, the last answer
        /// continues to be used.
        ///
        /// Differs from PingOS, which needs the line to resolve names of callback servers and relays at run
        /// time.
        ///
        /// Example: `resolver 127.0.0.53 valid=30s ipv6=off;`
        "resolver" => resolver: Option<Resolver>, in EVENTS;
        /// Time to wait for an answer of the DNS servers; then the name counts as unknown.
        ///
        /// Example: `resolver_timeout 5s;`
        "resolver_timeout" => timeout: Msec = "60s", in EVENTS;
        /// Interval at which host names used by push/pull/notify are refreshed in the background if their answers would
        /// expire before the next interval. 0 disables the cache: every connection resolves its host name.
        ///
        /// Example: `dynamic_refresh_interval 30s;`
        "dynamic_refresh_interval" => refresh: Msec = "5s", in EVENTS;
    }
    needless {
        /// Hash buckets of the resolver cache.
        "dynamic_domain_buckets" => Num = "101", in EVENTS;
        /// Size of the timer pool.
        "worker_timers" => Num = "1024", in EVENTS;
    }
}
