//! Directives of statistics.

use bstr::BString;

use crate::directive::context::{Contexts, HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::{any_of, one_of};
use crate::directive::{BlockLevel, Evaluation, Flag, NotInherited, Present, Slot, Summed, Text};

any_of! {
    /// Parts of the statistics.
    pub struct StatParts {
        /// Everything.
        "all" => ALL = 0b1111,
        /// The server.
        "global" => GLOBAL = 0b0010,
        /// Live streams.
        "live" => LIVE = 0b0100,
        /// Sessions.
        "clients" => CLIENTS = 0b1000,
    }
}

one_of! {
    /// Format of the statistics.
    pub enum StatFormat {
        /// XML with PingOS's elements: streams below `server/live`.
        "xml" => Xml,
        /// XML with nginx-rtmp's elements: streams below `server/application/live`.
        "nginx_rtmp" => NginxRtmp,
        /// JSON.
        "json" => Json,
    }
}

directives! {
    /// Statistics.
    module "stat";
    live as Current {
        /// Responds with statistics as XML: of the server, and with `live` of its streams, with `clients` also of their
        /// sessions. In http and server contexts it sets the parts for locations with this handler. Rates are in bits per
        /// second over the last ten seconds. Attributes of the root element give the configuration in force
        /// (`generation`, `conf_hash`, `conf_since`), whether the files match it (`conf_on_disk`: same, newer, rejected,
        /// or unknown if they could not be read in time), and the time of a refused reload since then (`conf_refused`);
        /// an attribute of `dropped` gives the reason of the last skip. Requests that come at the same time get the same
        /// document.
        ///
        /// Differs from PingOS: each answer covers all workers, and the attributes are new. PingOS answers for
        /// the worker that has the connection.
        ///
        /// Example: `rtmp_stat all;`
        "rtmp_stat" => rtmp_stat: Summed<StatParts>, in HTTP_ALL, selects handler;
        /// Format of the statistics. `xml` has PingOS's elements: streams below `server/live`, as `stat.xsl` of PingOS
        /// expects, without their applications. `nginx_rtmp` has those of nginx-rtmp, streams below `server/application/live`, for its `stat.xsl`
        /// and for exporters. `json` contains more: see docs/statistics.md.
        ///
        /// Not in PingOS.
        ///
        /// Example: `rtmp_stat_format json;`
        "rtmp_stat_format" => format: StatFormat = "xml", in HTTP_ALL;
        /// URL of a stylesheet to name in the XML.
        ///
        /// Example: `rtmp_stat_stylesheet /stat.xsl;`
        "rtmp_stat_stylesheet" => stylesheet: Text = "", in HTTP_ALL;
        /// With `on`, the XML of `rtmp_stat` ends with an element `cluster` that has the servers and streams of the
        /// cluster that this server is in, as it knows them. `rtmp_stat_format json` always has them.
        ///
        /// Not in PingOS.
        ///
        /// Example: `rtmp_stat_cluster on;`
        "rtmp_stat_cluster" => cluster: Flag = "off", in HTTP_ALL;
        /// Responds with the statistics of all streams and sessions as JSON with PingOS's names.
        ///
        /// Differs from PingOS: one process serves all, so `ngx_worker` is 0 and every response is complete.
        ///
        /// Example: `sys_stat;`
        "sys_stat" => sys_stat: NotInherited<Present>, in LOCATION, selects handler;
    }
    made {
        ServedDocument;
    }
}

/// A statistics document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatDocument {
    /// `rtmp_stat`.
    Statistics {
        /// Parts.
        parts: StatParts,
        /// Format.
        format: StatFormat,
        /// Stylesheet that the document references; empty for none.
        stylesheet: BString,
        /// Whether XML shows the cluster.
        cluster: bool,
    },
    /// `sys_stat`.
    System,
}

/// Document that a location serves itself.
#[derive(Debug)]
pub struct ServedDocument(pub Option<StatDocument>);

impl Slot for ServedDocument {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> ServedDocument {
        let stat: Current = level.resolve(evaluation);
        let (format, stylesheet) = (stat.format, stat.stylesheet.0.clone());
        let cluster = stat.cluster;
        let statistics = |parts| StatDocument::Statistics { parts, format, stylesheet, cluster };
        ServedDocument(match level.blocks[0].handler() {
            Some("rtmp_stat") => stat.rtmp_stat.0.map(statistics),
            Some("sys_stat") => stat.sys_stat.0.map(|_| StatDocument::System),
            _ => None,
        })
    }
}
