//! Directives of statistics.

use bstr::BString;

use crate::directive::context::{Contexts, HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::any_of;
use crate::directive::{BlockLevel, Evaluation, Own, Present, Slot, Summed, Text};

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

directives! {
    /// Statistics.
    module "stat";
    live as Current {
        /// Responds with statistics as XML. In http and server contexts it sets the parts for locations with this
        /// handler. Attributes of the root element give the configuration in force (`generation`, `conf_hash`,
        /// `conf_since`), whether the files match it (`conf_on_disk`: same, newer, rejected, or unknown if they could
        /// not be read in time), and the time of a refused reload since then (`conf_refused`).
        "rtmp_stat" => rtmp_stat: Summed<StatParts>, in HTTP_ALL;
        /// URL of a stylesheet to name in the XML.
        "rtmp_stat_stylesheet" => stylesheet: Text = "", in HTTP_ALL;
        /// Responds with internal figures as JSON.
        "sys_stat" => sys_stat: Own<Present>, in LOCATION, no effect yet, restricts answers;
    }
    made {
        ServedDocument;
    }
}

/// Contents of a statistics document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Parts.
    pub parts: StatParts,
    /// Stylesheet that the document references; empty for none.
    pub stylesheet: BString,
}

/// Document that a location serves itself.
#[derive(Debug)]
pub struct ServedDocument(pub Option<Document>);

impl Slot for ServedDocument {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> ServedDocument {
        let stat: Current = level.resolve(evaluation);
        let document = |parts| Document { parts, stylesheet: stat.stylesheet.0.clone() };
        ServedDocument(stat.rtmp_stat.0.filter(|_| level.location_sets("rtmp_stat")).map(document))
    }
}
