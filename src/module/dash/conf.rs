//! Directives of the dash module.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, MsecFrom, RawPath};

directives! {
    /// DASH files.
    module "dash";
    later {
        /// Writes MPEG-DASH files for published streams.
        "dash" => Flag = "off", in RTMP_ALL;
        /// Nominal segment length.
        "dash_fragment" => MsecFrom<1> = "5s", in RTMP_ALL;
        /// Directory of manifests and segments.
        "dash_path" => RawPath, in RTMP_ALL;
        /// Length of the manifest window.
        "dash_playlist_length" => Msec = "30s", in RTMP_ALL;
        /// Removes outdated DASH files.
        "dash_cleanup" => Flag = "on", in RTMP_ALL;
        /// Writes PATH/NAME/index.mpd instead of PATH/NAME.mpd.
        "dash_nested" => Flag = "off", in RTMP_ALL;
    }
}
