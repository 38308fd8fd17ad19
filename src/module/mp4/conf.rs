//! Directives of the mp4 module.

use crate::directive::context::{HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::{Flag, Own, Present, Size};

directives! {
    /// Seeking in MP4 files.
    module "mp4";
    later {
        /// Answers requests for MP4 files with the arguments `start` and `end` (seconds) with that part of the file.
        "mp4" => Own<Present>, in LOCATION;
        /// Initial size of the buffer for the description of a file.
        "mp4_buffer_size" => Size = "512k", in HTTP_ALL;
        /// Maximum size of that buffer: files with a longer description are answered with 500.
        "mp4_max_buffer_size" => Size = "10m", in HTTP_ALL;
        /// Whether the part begins with the key frame before `start`; players that know edit lists skip to `start`.
        "mp4_start_key_frame" => Flag = "off", in HTTP_ALL;
    }
}
