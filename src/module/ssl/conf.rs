//! Directives of the ssl module.

use crate::conf::context::{HTTP, HTTP_SERVER};
use crate::conf::directive::directives;
use crate::conf::word::word_lists;
use crate::conf::{
    AnyOf, Args, Arity, ConfPath, Flag, Num, OneOf, Problem, Scene, Sec, Size, Summed, Text, Value, Words,
};

word_lists! {
    /// Words of `ssl_protocols`.
    pub SslProtocols: "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
    /// Words of `ssl_verify_client`.
    pub SslVerifyClient: "off" | "on" | "optional" | "optional_no_ca";
}

directives! {
    /// TLS.
    module "ssl";
    later {
        /// Certificate chain file(s).
        "ssl_certificate" => ConfPath, in HTTP | HTTP_SERVER;
        /// Private key.
        "ssl_certificate_key" => ConfPath, in HTTP | HTTP_SERVER;
        /// DH parameters.
        "ssl_dhparam" => ConfPath, in HTTP | HTTP_SERVER;
        /// CA for OCSP etc.
        "ssl_trusted_certificate" => ConfPath, in HTTP | HTTP_SERVER;
        /// CA for client certificates.
        "ssl_client_certificate" => ConfPath, in HTTP | HTTP_SERVER;
        /// Revocation list.
        "ssl_crl" => ConfPath, in HTTP | HTTP_SERVER;
        /// Ticket key files.
        "ssl_session_ticket_key" => ConfPath, in HTTP | HTTP_SERVER;
        /// Old switch.
        "ssl" => OldSsl, in HTTP | HTTP_SERVER;
        /// Key passphrases.
        "ssl_password_file" => ConfPath, in HTTP | HTTP_SERVER;
        /// Curves.
        "ssl_ecdh_curve" => Text = "auto", in HTTP | HTTP_SERVER;
        /// Cipher list.
        "ssl_ciphers" => Text, in HTTP | HTTP_SERVER;
        /// Server order wins.
        "ssl_prefer_server_ciphers" => Flag = "off", in HTTP | HTTP_SERVER;
        /// Enabled protocols.
        "ssl_protocols" => Summed<AnyOf<SslProtocols>> = "TLSv1 TLSv1.1 TLSv1.2", in HTTP | HTTP_SERVER;
        /// off|none|builtin[:N]|shared:NAME:SIZE.
        "ssl_session_cache" => Words, in HTTP | HTTP_SERVER, args Arity::between(1, 2);
        /// Session tickets.
        "ssl_session_tickets" => Flag = "on", in HTTP | HTTP_SERVER;
        /// Session life (seconds slot: y and M allowed, ms refused).
        "ssl_session_timeout" => Sec = "5m", in HTTP | HTTP_SERVER;
        /// TLS record buffer.
        "ssl_buffer_size" => Size = "16k", in HTTP | HTTP_SERVER;
        /// Client certificates.
        "ssl_verify_client" => OneOf<SslVerifyClient> = "off", in HTTP | HTTP_SERVER;
        /// Chain depth.
        "ssl_verify_depth" => Num = "1", in HTTP | HTTP_SERVER;
        /// OCSP stapling.
        "ssl_stapling" => Flag = "off", in HTTP | HTTP_SERVER;
        /// Verify stapled responses.
        "ssl_stapling_verify" => Flag = "off", in HTTP | HTTP_SERVER;
        /// TLS 1.3 early data.
        "ssl_early_data" => Flag = "off", in HTTP | HTTP_SERVER;
    }
}

/// The switch that the `ssl` parameter of `listen` replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldSsl(pub bool);

impl Value for OldSsl {
    fn syntax() -> String {
        Flag::syntax()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<OldSsl, Problem> {
        let on = Flag::parse(args, scene)?;
        let text = "the \"ssl\" directive is deprecated, use the \"listen ... ssl\" directive instead";
        scene.report(Problem::warning(text).at(args.name.span));
        Ok(OldSsl(on))
    }
}
