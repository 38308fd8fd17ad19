//! Directives of delivery for the whole server.

use crate::directive::Size;
use crate::directive::context::RTMP;
use crate::directive::table::directives;

directives! {
    /// Delivery of media to all players together.
    module "delivery main";
    live as MainCurrent {
        /// Maximum number of media bytes queued for all players of the server whose sockets are full. At the limit, the
        /// players with the most queued bytes are disconnected first. The default is a quarter of the memory available
        /// to the process: that of the machine, or the limit of its control group.
        ///
        /// Not in PingOS.
        ///
        /// Example: `total_backlog 1024m;`
        "total_backlog" => total_backlog: Option<Size>, in RTMP;
    }
}
