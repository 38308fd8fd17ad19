//! Directives of the ssl module, and the checks that TLS sockets have certificates.

use bstr::BStr;

use super::cipher::Ciphers;
use super::curve::Curves;
use crate::directive::context::{Contexts, HTTP, HTTP_SERVER, RTMP, RTMP_SERVER};
use crate::directive::listen::Addresses;
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::word::{any_of, word_lists};
use crate::directive::{
    Args, Arity, ConfPath, Evaluation, Flag, Num, OneOf, Sec, Size, Sum, Summed, Value, Words,
};
use crate::syntax::Problem;

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

word_lists! {
    /// Values of `ssl_verify_client`.
    pub SslVerifyClient: "off" | "on" | "optional" | "optional_no_ca";
}

/// Servers of both kinds.
const SERVERS: Contexts = HTTP | HTTP_SERVER | RTMP | RTMP_SERVER;

directives! {
    /// TLS of servers with `listen ... ssl`, HTTP and RTMP alike.
    module "ssl";
    held as Conf {
        session {
            /// Enables TLS on all sockets of a server, as `ssl` on each `listen` does.
            "ssl" => on: Option<OldSsl>, in HTTP | HTTP_SERVER;
            /// Certificate chain file. Several files, for example with an RSA and an EC key, need the same number of
            /// keys.
            "ssl_certificate" => certificate: Vec<ConfPath>, in SERVERS;
            /// Private key file. The key must not be encrypted.
            "ssl_certificate_key" => certificate_key: Vec<ConfPath>, in SERVERS;
            /// Cipher list of TLS 1.2. Suites with forward secrecy and authenticated encryption can be chosen by name;
            /// others are not supported. Group names such as HIGH stand for all supported suites.
            "ssl_ciphers" => ciphers: Ciphers = "HIGH:!aNULL:!MD5", in SERVERS;
            /// Curves of key exchanges, preferred ones first: X25519, prime256v1 (P-256) and secp384r1 (P-384). Other
            /// curves are not supported. Value auto stands for all supported curves.
            "ssl_ecdh_curve" => ecdh_curve: Curves = "auto", in SERVERS;
            /// Prefers the server's cipher order to the client's.
            "ssl_prefer_server_ciphers" => prefer_server_ciphers: Flag = "off", in SERVERS;
            /// Enabled protocols. Protocols before TLSv1.2 are not supported; the default is TLSv1.2 and TLSv1.3.
            "ssl_protocols" => protocols: Summed<Protocols>, in SERVERS;
            /// Enables session tickets.
            "ssl_session_tickets" => session_tickets: Flag = "on", in SERVERS;
        }
    }
    later {
        /// DH parameters.
        "ssl_dhparam" => ConfPath, in SERVERS;
        /// CA for OCSP etc.
        "ssl_trusted_certificate" => ConfPath, in SERVERS;
        /// CA for client certificates.
        "ssl_client_certificate" => ConfPath, in SERVERS;
        /// Revocation list.
        "ssl_crl" => ConfPath, in SERVERS;
        /// Ticket key files.
        "ssl_session_ticket_key" => ConfPath, in SERVERS;
        /// Key passphrases.
        "ssl_password_file" => ConfPath, in SERVERS;
        /// off|none|builtin[:N]|shared:NAME:SIZE.
        "ssl_session_cache" => Words, in SERVERS, args Arity::between(1, 2);
        /// Lifetime of sessions (in whole seconds; the units y and M are allowed, ms is not).
        "ssl_session_timeout" => Sec = "5m", in SERVERS;
        /// TLS record buffer.
        "ssl_buffer_size" => Size = "16k", in SERVERS;
        /// Verification of client certificates. While it is not implemented, connections to a server that requires a
        /// certificate are refused.
        "ssl_verify_client" => OneOf<SslVerifyClient> = "off", in SERVERS, restricts connections unless serves_all;
        /// Chain depth.
        "ssl_verify_depth" => Num = "1", in SERVERS;
        /// OCSP stapling.
        "ssl_stapling" => Flag = "off", in SERVERS;
        /// Verify stapled responses.
        "ssl_stapling_verify" => Flag = "off", in SERVERS;
        /// TLS 1.3 early data.
        "ssl_early_data" => Flag = "off", in SERVERS;
    }
    checks {
        http_certificates, in HTTP_SERVER;
        rtmp_certificates, in RTMP_SERVER;
    }
}

/// Whether `ssl_verify_client` also admits peers without a certificate.
fn serves_all(words: &BStr) -> bool {
    ["off", "optional", "optional_no_ca"].iter().any(|word| words.eq_ignore_ascii_case(word.as_bytes()))
}

impl Conf {
    /// Whether a protocol, given by its name, is enabled.
    pub fn speaks(&self, protocol: SslProtocols) -> bool {
        match self.protocols.0.map(|protocols| protocols.0 & USABLE) {
            None => USABLE.contains(protocol),
            // If only obsolete protocols are listed, the oldest supported one is used.
            Some(chosen) if chosen.is_empty() => protocol == SslProtocols::TLS1_2,
            Some(chosen) => chosen.contains(protocol),
        }
    }
}

/// The supported protocols.
const USABLE: SslProtocols = SslProtocols::TLS1_2.union(SslProtocols::TLS1_3);

/// Protocols, reduced to supported ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols(SslProtocols);

impl Value for Protocols {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        SslProtocols::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Protocols, Problem> {
        let protocols = SslProtocols::parse(args, evaluation)?;
        if !protocols.intersects(USABLE) {
            let text = "none of these protocols exists here, TLSv1.2 is spoken instead";
            evaluation.report(Problem::warning(text).at(args.span()));
        }
        Ok(Protocols(protocols))
    }
}

impl Sum for Protocols {
    fn sum(self, other: Protocols) -> Protocols {
        Protocols(self.0 | other.0)
    }
}

/// The `ssl` directive, which the `ssl` parameter of `listen` replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldSsl(pub bool);

impl Value for OldSsl {
    fn syntax() -> String {
        Flag::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<OldSsl, Problem> {
        let on = Flag::parse(args, evaluation)?;
        let text = "the \"ssl\" directive is deprecated, use the \"listen ... ssl\" directive instead";
        evaluation.report(Problem::warning(text).at(args.name.span));
        Ok(OldSsl(on))
    }
}

/// Checks the certificates of an HTTP server.
fn http_certificates(values: &dyn ValueLookup) -> Option<Problem> {
    let encrypted = values.find::<Addresses<HTTP_SERVER>>()?.encrypted.as_ref()?;
    let ssl = values.find::<Conf>()?;
    if ssl.certificate.is_empty() {
        let text = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        let help = "`ssl_certificate` and `ssl_certificate_key` name the files, here or around the server";
        return Some(Problem::new(text).label(encrypted.span, "TLS is enabled here").help(help));
    }
    without_key(ssl)
}

/// Like [`http_certificates`]; the texts are those of PingOS, which does not support RTMP over TLS.
fn rtmp_certificates(values: &dyn ValueLookup) -> Option<Problem> {
    let encrypted = values.find::<Addresses<RTMP_SERVER>>()?.encrypted.as_ref()?;
    let ssl = values.find::<Conf>()?;
    if ssl.certificate.is_empty() {
        let problem = Problem::new("the invalid \"ssl\" parameter").at(encrypted.span).place(encrypted.place);
        let help = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        return Some(problem.help(help));
    }
    without_key(ssl)
}

/// Reports a certificate without a key.
fn without_key(ssl: &Conf) -> Option<Problem> {
    let without = ssl.certificate.get(ssl.certificate_key.len())?;
    let text = format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", without.0.display());
    Some(Problem::new(text))
}
