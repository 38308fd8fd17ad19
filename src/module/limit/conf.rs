//! Directives of the limit module.

use std::sync::Arc;

use super::status::LimitStatus;
use super::zone::{LimitConn, LimitReq, Zone, are_defined};
use crate::directive::context::{Contexts, HTTP, HTTP_ALL, HTTP_SERVER};
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{BlockLevel, Evaluation, Flag, OneOf, Slot};

word_lists! {
    /// Values of `limit_conn_log_level`.
    pub LimitConnLogLevel: "info" | "notice" | "warn" | "error";
    /// Values of `limit_req_log_level`.
    pub LimitReqLogLevel: "info" | "notice" | "warn" | "error";
}

directives! {
    /// Limits of connections and requests.
    module "limit";
    live as Current {
        /// Defines a zone for `limit_conn`: KEY, a text with variables, of which each value is counted, and the name
        /// and size of the zone. If the zone is full, requests with a new value are refused.
        ///
        /// Example: `limit_conn_zone $remote_addr zone=addresses:10m;`
        "limit_conn_zone" => conn_zones: Vec<Zone<2>>, in HTTP;
        /// ZONE N: maximum number of concurrent connections per key.
        ///
        /// Example: `limit_conn addresses 10;`
        "limit_conn" => limit_conn: Vec<LimitConn>, in HTTP_ALL, restricts requests;
        /// Status of requests that `limit_conn` refuses.
        ///
        /// Example: `limit_conn_status 429;`
        "limit_conn_status" => limit_conn_status: LimitStatus = "503", in HTTP_ALL;
        /// Counts as if requests were limited, and lets them through; `$limit_conn_status` says what would have happened.
        ///
        /// Example: `limit_conn_dry_run on;`
        "limit_conn_dry_run" => limit_conn_dry_run: Flag = "off", in HTTP_ALL;
        /// Log level of lines about requests that `limit_conn` refuses.
        ///
        /// Example: `limit_conn_log_level warn;`
        "limit_conn_log_level" => limit_conn_log_level: OneOf<LimitConnLogLevel> = "error", in HTTP_ALL;
        /// Defines a zone for `limit_req`: KEY, a text with variables, of which each value is counted, the name and
        /// size of the zone, and the number of requests per second (`r/s`) or minute (`r/m`) of one value.
        ///
        /// Example: `limit_req_zone $remote_addr zone=requests:10m rate=20r/s;`
        "limit_req_zone" => req_zones: Vec<Zone<3>>, in HTTP;
        /// Limits requests to the rate of the zone. Up to `burst=` further ones are delayed until they fit the rate,
        /// and all others are refused. With `nodelay` they are not delayed, with `delay=N` only those beyond N are.
        ///
        /// Example: `limit_req zone=requests burst=40 nodelay;`
        "limit_req" => limit_req: Vec<LimitReq>, in HTTP_ALL, restricts requests;
        /// Status of requests that `limit_req` refuses.
        ///
        /// Example: `limit_req_status 429;`
        "limit_req_status" => limit_req_status: LimitStatus = "503", in HTTP_ALL;
        /// Counts as if requests were limited, and lets them through at once; `$limit_req_status` says what would have
        /// happened.
        ///
        /// Example: `limit_req_dry_run on;`
        "limit_req_dry_run" => limit_req_dry_run: Flag = "off", in HTTP_ALL;
        /// Log level of lines about requests that `limit_req` refuses. A delay is logged one level lower.
        ///
        /// Example: `limit_req_log_level warn;`
        "limit_req_log_level" => limit_req_log_level: OneOf<LimitReqLogLevel> = "error", in HTTP_ALL;
    }
    made {
        DefinedZones;
    }
    concludes {
        are_defined;
    }
}

/// The zones that `http` defines.
#[derive(Debug)]
pub struct LimitZones {
    /// Zones of `limit_conn_zone`.
    pub conn: Vec<Zone<2>>,
    /// Zones of `limit_req_zone`.
    pub req: Vec<Zone<3>>,
}

/// The zones, as servers hold them.
#[derive(Debug)]
pub struct DefinedZones(pub Arc<LimitZones>);

/// Servers share the zones of `http`.
impl Slot for DefinedZones {
    const HOLDERS: Contexts = HTTP | HTTP_SERVER;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> DefinedZones {
        if let Some(outer) = level.outer::<DefinedZones>() {
            return DefinedZones(outer.0.clone());
        }
        let defined: Current = level.resolve(evaluation);
        DefinedZones(Arc::new(LimitZones { conn: defined.conn_zones, req: defined.req_zones }))
    }
}
