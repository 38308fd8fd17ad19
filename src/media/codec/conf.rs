//! Directives of stream metadata.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::word::one_of;

one_of! {
    /// What players get as metadata.
    pub enum MetaMode {
        /// None.
        "off" => Off,
        /// A clean message built from what is known of the stream.
        "on" => On,
        /// The publisher's own.
        "copy" => Copy,
    }
}

directives! {
    /// Metadata of streams.
    module "codec";
    held as Conf {
        session {
            /// Metadata for players: `on` builds a clean message, `copy` forwards the publisher's.
            "meta" => meta: MetaMode = "on", in RTMP_ALL;
        }
    }
}
