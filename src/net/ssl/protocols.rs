//! Versions of TLS.

use crate::directive::word::any_of;

any_of! {
    /// Versions of the protocol.
    pub struct SslProtocols {
        /// SSL 2.0.
        "SSLv2" => SSL2 = 1,
        /// SSL 3.0.
        "SSLv3" => SSL3 = 1 << 1,
        /// TLS 1.0.
        "TLSv1" => TLS1_0 = 1 << 2,
        /// TLS 1.1.
        "TLSv1.1" => TLS1_1 = 1 << 3,
        /// TLS 1.2.
        "TLSv1.2" => TLS1_2 = 1 << 4,
        /// TLS 1.3.
        "TLSv1.3" => TLS1_3 = 1 << 5,
    }
}
