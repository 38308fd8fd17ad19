//! Directives of the client module.

use crate::directive::context::MAIN;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Num, Size};

directives! {
    /// Outgoing connections: notifications and pulls.
    module "client";
    live as Current {
        /// Caches DNS answers for outgoing connections. When off, every connection resolves its host name.
        ///
        /// Example: `dynamic_resolver off;`
        "dynamic_resolver" => dynamic_resolver: Flag = "on", in MAIN;
        /// Time that idle connections to callback servers are kept; 0 keeps none.
        ///
        /// Differs from PingOS, where the number of milliseconds is also the maximum number of idle
        /// connections; here that number is fixed, at 64 for each server.
        ///
        /// Example: `keepalive 30s;`
        "keepalive" => keepalive: Msec = "60s", in MAIN;
        /// Connect timeout of callbacks and HTTP-FLV pulls.
        ///
        /// Example: `connect_timeout 1s;`
        "connect_timeout" => connect_timeout: Msec = "3s", in MAIN;
        /// Closes a connection of callbacks or HTTP-FLV pulls on which the other server has not acknowledged sent data
        /// for this long (TCP_USER_TIMEOUT).
        ///
        /// Example: `send_timeout 5s;`
        "send_timeout" => send_timeout: Msec = "10s", in MAIN;
        /// Time for the header of the response to a callback or HTTP-FLV pull, from the beginning of the request.
        /// `timeout=` of a callback applies as well: the shorter time counts.
        ///
        /// Example: `header_timeout 3s;`
        "header_timeout" => header_timeout: Msec = "10s", in MAIN;
        /// Sends small packets on connections of callbacks and relays without delay (TCP_NODELAY).
        ///
        /// Example: `tcp_nodelay off;`
        "tcp_nodelay" => tcp_nodelay: Flag = "on", in MAIN;
    }
    needless {
        /// TCP_CORK on outgoing connections; here each request is one write, so there is nothing to collect.
        ///
        /// Differs from PingOS, which refuses every use as a duplicate.
        "tcp_nopush" => Flag = "off", in MAIN;
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
