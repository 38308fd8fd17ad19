//! Directives of the resolver module.

use super::server::Resolver;
use crate::directive::context::EVENTS;
use crate::directive::table::directives;
use crate::directive::{Msec, Num};

directives! {
    /// Looking up of host names for relays and notifications.
    module "resolver";
    live as Current {
        /// DNS servers used for push/pull/notify host names: ADDRESS[:PORT]... [valid=TIME] [ipv6=on|off]. Without
        /// it those of /etc/resolv.conf are asked. /etc/hosts goes before both. An answer counts for as long as it
        /// says (1s to 1h), or for `valid`; while no server answers, the last answer goes on to be used.
        "resolver" => resolver: Option<Resolver>, in EVENTS;
        /// DNS answer timeout.
        "resolver_timeout" => timeout: Msec = "60s", in EVENTS;
        /// How often host names in use by push/pull/notify are looked at in the background; those whose answer ends
        /// before the next time are asked for again. 0: answers are not kept, each connection asks.
        "dynamic_refresh_interval" => refresh: Msec = "5s", in EVENTS;
    }
    needless {
        /// Hash buckets of the resolver cache.
        "dynamic_domain_buckets" => Num = "101", in EVENTS;
        /// Size of the timer pool.
        "worker_timers" => Num = "1024", in EVENTS;
    }
}
