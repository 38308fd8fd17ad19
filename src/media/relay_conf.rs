//! Directives of relays for the whole server.

use crate::config::Config;
use crate::directive::context::RTMP;
use crate::directive::table::directives;
use crate::directive::{ConfPath, Flag};
use crate::net::tls::client::ServerTrust;

directives! {
    /// Relays of the whole server: proofs of their origin, and TLS to rtmps:// servers and https:// origins.
    module "relay main";
    live as MainCurrent {
        /// File with a secret that all servers of a cluster share. With it a server proves to others through which
        /// servers a relay has come, so that servers that pull from or push to each other in a circle refuse the relay
        /// that would close it, before any media. Without it such circles end too, but only after the source has
        /// reported the path of its media; a path that a client merely claims counts against that client alone. A proof
        /// is valid for one stream and for five minutes, by the clocks of both servers. The directive may be repeated:
        /// the first secret makes proofs, all are accepted. To change the secret, add the new one as second line on all
        /// servers, then make it the first everywhere, then remove the old one; a reload reads the files again.
        ///
        /// Not in PingOS.
        ///
        /// Example: `relay_secret /etc/pingosd/relay.secret;`
        "relay_secret" => secrets: Vec<ConfPath>, in RTMP;
        /// Verifies the certificates of rtmps:// and https:// servers.
        ///
        /// Not in PingOS.
        ///
        /// Example: `relay_ssl_verify off;`
        "relay_ssl_verify" => ssl_verify: Flag = "on", in RTMP;
        /// CA certificates for rtmps:// and https:// servers, instead of the system's.
        ///
        /// Not in PingOS.
        ///
        /// Example: `relay_ssl_trusted_certificate /etc/ssl/internal-ca.pem;`
        "relay_ssl_trusted_certificate" => ssl_trusted_certificate: Option<ConfPath>, in RTMP;
    }
}

/// Certificates that relays and callbacks trust.
pub fn trust(config: &Config) -> ServerTrust<'_> {
    let conf = config.rtmp.as_ref().map(|rtmp| rtmp.get::<MainCurrent>());
    let certificates = conf.and_then(|conf| conf.ssl_trusted_certificate.as_ref());
    ServerTrust {
        verify: conf.is_none_or(|conf| conf.ssl_verify),
        certificates: certificates.map(|path| path.0.as_path()),
    }
}
