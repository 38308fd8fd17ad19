//! Directives of the resolver module.

use super::server::Resolver;
use crate::conf::context::EVENTS;
use crate::conf::directive::directives;
use crate::conf::{Msec, Num};

directives! {
    /// Looking up of host names for relays and notifications.
    module "resolver";
    later {
        /// DNS servers used for push/pull/notify host names: ADDRESS[:PORT]... [valid=TIME] [ipv6=on|off].
        "resolver" => Resolver, in EVENTS;
        /// DNS answer timeout.
        "resolver_timeout" => Msec = "60s", in EVENTS;
        /// How often host names used by push/pull/notify are re-resolved in the background.
        "dynamic_refresh_interval" => Msec = "5s", in EVENTS;
    }
    needless {
        /// Hash buckets of the resolver cache.
        "dynamic_domain_buckets" => Num = "101", in EVENTS;
        /// Size of the timer pool.
        "worker_timers" => Num = "1024", in EVENTS;
    }
}
