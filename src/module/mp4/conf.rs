//! Directives of the mp4 module.

use crate::directive::context::{HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::{Flag, NotInherited, Selected, Size};

directives! {
    /// Seeking in MP4 files.
    module "mp4";
    live as Current {
        /// Answers requests for MP4 files with the arguments `start` and `end` (seconds) with that part of the file.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `mp4;`
        "mp4" => mp4: NotInherited<Selected>, in LOCATION, selects handler;
        /// Size up to which the description of a file is accepted even if `mp4_max_buffer_size` is less.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `mp4_buffer_size 1m;`
        "mp4_buffer_size" => mp4_buffer_size: Size = "512k", in HTTP_ALL;
        /// Maximum size of the description of a file (its `moov` atom), which is read into memory: a part of a file with a longer one is answered with 500.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `mp4_max_buffer_size 20m;`
        "mp4_max_buffer_size" => mp4_max_buffer_size: Size = "10m", in HTTP_ALL;
        /// Whether the part begins with the key frame before `start`; players that know edit lists skip to `start`.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `mp4_start_key_frame on;`
        "mp4_start_key_frame" => mp4_start_key_frame: Flag = "off", in HTTP_ALL;
    }
}
