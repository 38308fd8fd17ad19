//! Directives of HLS from memory.

use super::live::Hls2Live;
use crate::conf::Own;
use crate::conf::context::LOCATION;
use crate::conf::directive::directives;

directives! {
    /// HLS from memory.
    module "hls2";
    live as Current {
        /// Serves HLS of the streams of the rtmp server that listens on that address.
        "hls2_live" => hls2_live: Own<Hls2Live>, in LOCATION, no effect yet;
    }
}
