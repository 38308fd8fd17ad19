//! Directives of stream metadata.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::word::one_of;

one_of! {
    /// Metadata for players.
    pub enum MetaMode {
        /// No metadata.
        "off" => Off,
        /// A message built from the known properties of the stream.
        "on" => On,
        /// The publisher's message.
        "copy" => Copy,
    }
}

directives! {
    /// Stream metadata.
    module "codec";
    held as Conf {
        session {
            /// Metadata for players: `on` builds a clean message, `copy` forwards the publisher's.
            ///
            /// Example: `meta copy;`
            "meta" => meta: MetaMode = "on", in RTMP_ALL;
        }
    }
}
