//! Directives of relays that hold for the whole server.

use crate::conf::context::RTMP;
use crate::conf::directive::directives;
use crate::conf::{ConfPath, Flag};

directives! {
    /// Relays over TLS: to rtmps:// servers, and from https:// origins.
    module "relay main";
    live as MainCurrent {
        /// Whether the certificates of rtmps:// and https:// servers are verified.
        "relay_ssl_verify" => ssl_verify: Flag = "on", in RTMP;
        /// The certificates that rtmps:// and https:// servers are verified by, instead of the system's.
        "relay_ssl_trusted_certificate" => ssl_trusted_certificate: Option<ConfPath>, in RTMP;
    }
}
