//! Directives of the client module.

use crate::directive::context::MAIN;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Num, Size};

directives! {
    /// Outgoing connections: notifications and pulls.
    module "client";
    live as Current {
        /// Caches DNS answers for outgoing connections. When off, every connection resolves its host name.
        "dynamic_resolver" => dynamic_resolver: Flag = "on", in MAIN;
    }
    later {
        /// Idle time of pooled outgoing connections (notify, http-flv pull).
        "keepalive" => Msec = "60s", in MAIN;
        /// Connect timeout of outgoing connections.
        "connect_timeout" => Msec = "3s", in MAIN;
        /// Send timeout of outgoing connections.
        "send_timeout" => Msec = "10s", in MAIN;
        /// Time allowed for response headers of outgoing HTTP requests.
        "header_timeout" => Msec = "10s", in MAIN;
        /// TCP_NODELAY on outgoing connections.
        "tcp_nodelay" => Flag = "on", in MAIN;
        /// TCP_CORK on outgoing connections.
        "tcp_nopush" => Flag = "off", in MAIN;
    }
    needless {
        /// Idle outgoing connections kept.
        "max_idle_client" => Num = "1024", in MAIN;
        /// Minimum number of bytes before outgoing data is sent.
        "postpone_output" => Size = "1460", in MAIN;
        /// Response header buffer.
        "header_buffer_size" => Size, in MAIN;
        /// Response body buffer.
        "body_buffer_size" => Size, in MAIN;
    }
}
