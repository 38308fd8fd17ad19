//! Directives of delivery for the whole server.

use crate::directive::Size;
use crate::directive::context::RTMP;
use crate::directive::table::directives;

directives! {
    /// How media leaves for all players together.
    module "delivery main";
    live as MainCurrent {
        /// Bytes of media that may wait for the players of the whole server whose sockets are full. At the bound the players for
        /// which most waits are closed first. The default is a quarter of the memory that the process may use: of the machine's, or
        /// of what its control group allows.
        "total_backlog" => total_backlog: Option<Size>, in RTMP;
    }
}
