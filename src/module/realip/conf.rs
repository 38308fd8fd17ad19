//! Directives of the realip module.

use super::settings::{RealIpFrom, RealIpHeader};
use crate::directive::Flag;
use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;

directives! {
    /// Client addresses that trusted proxies report.
    module "realip";
    live as Current {
        /// Proxies whose report of the client's address is believed: an address, a network, `unix:` for all peers on Unix
        /// sockets, or a host name.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `set_real_ip_from 10.0.0.0/8;`
        "set_real_ip_from" => from: Vec<RealIpFrom>, in HTTP_ALL;
        /// Header with the client's address, or `proxy_protocol` for the address in the header of the PROXY protocol. Of
        /// `X-Forwarded-For` the last address is taken. A port behind the address is taken too.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `real_ip_header X-Forwarded-For;`
        "real_ip_header" => header: RealIpHeader = "X-Real-IP", in HTTP_ALL;
        /// Whether the address is the last one that is not a trusted proxy itself, instead of the last one.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `real_ip_recursive on;`
        "real_ip_recursive" => recursive: Flag = "off", in HTTP_ALL;
    }
}
