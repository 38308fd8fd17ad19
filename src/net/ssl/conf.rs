//! Directives of the ssl module, and the checks that TLS sockets have certificates.

use std::path::Path;

use bstr::BStr;

use super::certificate_cache::CertificateCache;
use super::cipher::Ciphers;
use super::command::ConfCommand;
use super::curve::Curves;
use super::ocsp_cache::OcspCache;
use super::protocols::SslProtocols;
use super::responder::OcspResponder;
use super::session_cache::SessionCaches;
use super::source::CertificateSource;
use crate::directive::context::{Contexts, HTTP, HTTP_SERVER, RTMP, RTMP_SERVER};
use crate::directive::listen::Addresses;
use crate::directive::slot::ValueLookup;
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{Args, Arity, ConfPath, Evaluation, Flag, Num, Sec, Size, Sum, Summed, Text, Value};
use crate::syntax::Problem;

one_of! {
    /// Values of `ssl_ocsp`.
    pub enum SslOcsp {
        /// Certificates of clients are not looked up.
        "off" => Off,
        /// Those of the chain except the root are.
        "on" => On,
        /// The client's own is.
        "leaf" => Leaf,
    }
}

one_of! {
    /// Values of `ssl_verify_client`.
    pub enum VerifyClient {
        /// No certificate is asked for.
        "off" => Off,
        /// One that is trusted is required.
        "on" => On,
        /// One that is shown has to be trusted.
        "optional" => Optional,
        /// One that is shown need not have a known issuer.
        "optional_no_ca" => OptionalNoCa,
    }
}

/// Servers of both kinds.
const SERVERS: Contexts = HTTP | HTTP_SERVER | RTMP | RTMP_SERVER;

directives! {
    /// TLS of servers with `listen ... ssl`, HTTP and RTMP alike.
    module "ssl";
    held as Conf {
        session {
            /// Enables TLS on all sockets of a server, as `ssl` on each `listen` does.
            ///
            /// Example: `ssl on;`
            "ssl" => on: Option<OldSsl>, in HTTP | HTTP_SERVER;
            /// Certificate chain file. Several files, for example with an RSA and an EC key, need the same number of
            /// keys. A name with variables is read at each handshake, unless `ssl_certificate_cache` keeps it. Handshakes know
            /// `$ssl_server_name`, and in `http` also `$remote_addr`, `$remote_port`, `$server_addr`, `$server_port` and
            /// what `map`, `geo` and `split_clients` make of these; other variables are refused. `$acme_certificate` is the
            /// certificate of `acme_certificate`. After `data:` stands the certificate itself.
            ///
            /// Differs from PingOS: TLS is also served over RTMP: the `ssl_` directives may stand in `rtmp` and
            /// its servers.
            ///
            /// Example: `ssl_certificate /etc/pingosd/fullchain.pem;`
            "ssl_certificate" => certificate: Vec<CertificateSource>, in SERVERS;
            /// Private key file. An encrypted key needs `ssl_password_file`. `$acme_certificate_key` is the key of
            /// `$acme_certificate`. Keys are of RSA with 2048 to 4096 bits, of the curves P-256 and P-384, or Ed25519; others
            /// are refused.
            ///
            /// Example: `ssl_certificate_key /etc/pingosd/privkey.pem;`
            "ssl_certificate_key" => certificate_key: Vec<CertificateSource>, in SERVERS;
            /// Keeps certificates and keys whose names have variables: at most `max` files for each server, each until it
            /// was not used for `inactive` (10s), or until `valid` (60s) has passed, after which it is read again.
            ///
            /// Example: `ssl_certificate_cache max=1000 inactive=20s valid=1m;`
            "ssl_certificate_cache" => certificate_cache: CertificateCache = "off", in SERVERS;
            /// Compresses certificates for clients that can read that (TLS 1.3, zlib), which shortens handshakes with long chains.
            ///
            /// Not in PingOS; as in nginx since 1.29.1.
            ///
            /// Example: `ssl_certificate_compression on;`
            "ssl_certificate_compression" => certificate_compression: Flag = "off", in SERVERS;
            /// Cipher list of TLS 1.2. Suites with forward secrecy and authenticated encryption can be chosen by
            /// name or by OpenSSL's groups, such as `HIGH:!CHACHA20` or `EECDH+AESGCM`; others are not supported. A list of
            /// those alone stands for all supported suites that it does not exclude.
            ///
            /// Differs from PingOS, which supports every suite of OpenSSL.
            ///
            /// Example: `ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;`
            "ssl_ciphers" => ciphers: Ciphers = "HIGH:!aNULL:!MD5", in SERVERS;
            /// Curves of key exchanges, preferred ones first: X25519, prime256v1 (P-256) and secp384r1 (P-384). Other
            /// curves are not supported. Value auto stands for all supported curves.
            ///
            /// Differs from PingOS, which supports every curve of OpenSSL.
            ///
            /// Example: `ssl_ecdh_curve X25519:prime256v1;`
            "ssl_ecdh_curve" => ecdh_curve: Curves = "auto", in SERVERS;
            /// Prefers the server's cipher order to the client's.
            ///
            /// Example: `ssl_prefer_server_ciphers on;`
            "ssl_prefer_server_ciphers" => prefer_server_ciphers: Flag = "off", in SERVERS;
            /// Enabled protocols. Protocols before TLSv1.2 are not supported; the default is TLSv1.2 and TLSv1.3.
            ///
            /// Differs from PingOS, which also supports the older protocols, and its default is TLSv1 TLSv1.1
            /// TLSv1.2.
            ///
            /// Example: `ssl_protocols TLSv1.2 TLSv1.3;`
            "ssl_protocols" => protocols: Summed<Protocols>, in SERVERS;
            /// Resumes TLS sessions with tickets, which clients keep; see `ssl_session_ticket_key`.
            ///
            /// Example: `ssl_session_tickets off;`
            "ssl_session_tickets" => session_tickets: Flag = "on", in SERVERS;
            /// Files of 48 or 80 bytes with secrets of session tickets: the first makes them, all read them. Without
            /// one, the server makes secrets itself, which stay over reloads, and replaces one after `ssl_session_timeout`.
            ///
            /// Differs from PingOS: tickets that PingOS or nginx has made with the same file are not read.
            ///
            /// Example: `ssl_session_ticket_key /etc/pingosd/ticket.key;`
            "ssl_session_ticket_key" => session_ticket_key: Vec<ConfPath>, in SERVERS;
            /// Where sessions are kept: `off` and `none` not at all, `builtin` up to a number of sessions, `shared` up to a size
            /// for all servers that give the same name, also over reloads. Tickets do not need it.
            ///
            /// Example: `ssl_session_cache shared:tls:10m;`
            "ssl_session_cache" => session_cache: SessionCaches = "none", in SERVERS;
            /// Lifetime of sessions (in whole seconds; the units y and M are allowed, ms is not).
            ///
            /// Example: `ssl_session_timeout 1h;`
            "ssl_session_timeout" => session_timeout: Sec = "5m", in SERVERS;
            /// Size of TLS records that are sent.
            ///
            /// Example: `ssl_buffer_size 4k;`
            "ssl_buffer_size" => buffer_size: Size = "16k", in SERVERS;
            /// File with passwords of encrypted keys, one per line; each is tried. It may be a FIFO, into which they are written
            /// within 10 seconds.
            ///
            /// Example: `ssl_password_file /etc/pingosd/key.password;`
            "ssl_password_file" => password_file: Option<ConfPath>, in SERVERS;
            /// Verification of client certificates: not asked for, required, or verified if shown; `optional_no_ca`
            /// also admits certificates of unknown issuers. Over HTTP, a refused client gets a 400 page (495 and 496
            /// for `error_page`); over RTMP, the connection is closed.
            ///
            /// Example: `ssl_verify_client on;`
            "ssl_verify_client" => verify_client: VerifyClient = "off", in SERVERS, restricts connections unless serves_all;
            /// Number of intermediate certificates that a client's chain may have.
            ///
            /// Example: `ssl_verify_depth 2;`
            "ssl_verify_depth" => verify_depth: Num = "1", in SERVERS;
            /// CA certificates that clients are verified with; their names are sent to clients.
            ///
            /// Example: `ssl_client_certificate /etc/pingosd/encoders-ca.pem;`
            "ssl_client_certificate" => client_certificate: Option<ConfPath>, in SERVERS;
            /// Further CA certificates that clients are verified with, whose names are not sent. A certificate file
            /// without intermediate certificates is completed with those of this file.
            ///
            /// Example: `ssl_trusted_certificate /etc/pingosd/more-ca.pem;`
            "ssl_trusted_certificate" => trusted_certificate: Option<ConfPath>, in SERVERS;
            /// Revocation lists: each certificate of a client's chain needs one.
            ///
            /// Example: `ssl_crl /etc/pingosd/encoders-ca.crl;`
            "ssl_crl" => crl: Option<ConfPath>, in SERVERS;
            /// Ends handshakes with the alert `unrecognized_name`. A default server with it needs no certificate.
            ///
            /// Example: `ssl_reject_handshake on;`
            "ssl_reject_handshake" => reject_handshake: Flag = "off", in SERVERS;
            /// A command of OpenSSL's configuration: Ciphersuites, CipherString, Curves, Groups, MinProtocol, MaxProtocol,
            /// Protocol, Options (ServerPreference, SessionTicket). Others are refused.
            ///
            /// Example: `ssl_conf_command Options ServerPreference;`
            "ssl_conf_command" => conf_command: Vec<ConfCommand>, in SERVERS;
            /// Sends OCSP responses to clients that ask for them: that of `ssl_stapling_file`, or those of the responder. The first
            /// handshake begins the first request; until it is answered, and while there is no valid response, nothing is sent.
            /// A response is replaced after an hour, or five minutes before its end. The issuer's certificate stands in the file
            /// of the certificate or is one of the trusted ones. Certificates of `acme_certificate` have responses too, those whose
            /// file depends on `$ssl_server_name` have none, as in nginx. Names of responders need `resolver` or the system's.
            ///
            /// Example: `ssl_stapling on;`
            "ssl_stapling" => stapling: Flag = "off", in SERVERS;
            /// File with an OCSP response in DER format, which is sent to clients instead of one that is fetched.
            ///
            /// Example: `ssl_stapling_file /etc/pingosd/ocsp.der;`
            "ssl_stapling_file" => stapling_file: Option<ConfPath>, in SERVERS;
            /// Address of the OCSP responder (`http://` only) instead of the one that the certificate names.
            ///
            /// Example: `ssl_stapling_responder http://ocsp.example.com/;`
            "ssl_stapling_responder" => stapling_responder: Option<Text>, in SERVERS;
            /// Verifies the signer of a responder's answer. The certificates for it are those of
            /// `ssl_trusted_certificate`.
            ///
            /// Example: `ssl_stapling_verify on;`
            "ssl_stapling_verify" => stapling_verify: Flag = "off", in SERVERS;
            /// Asks responders whether certificates of clients are revoked: those of the chain except the root, or
            /// with `leaf` the client's own. A client whose certificate is revoked, or whose status is unknown or
            /// cannot be requested, gets a 400 page (495 for `error_page`).
            ///
            /// Example: `ssl_ocsp leaf;`
            "ssl_ocsp" => ocsp: SslOcsp = "off", in HTTP | HTTP_SERVER, restricts connections unless |words| words == "off";
            /// Address of the responder (`http://` only) instead of those that the certificates name.
            ///
            /// Example: `ssl_ocsp_responder http://ocsp.example.com/;`
            "ssl_ocsp_responder" => ocsp_responder: Option<OcspResponder>, in HTTP | HTTP_SERVER;
            /// Keeps the answers of responders, up to a size for all servers that give the same name, also over
            /// reloads.
            ///
            /// Example: `ssl_ocsp_cache shared:OCSP:1m;`
            "ssl_ocsp_cache" => ocsp_cache: OcspCache = "off", in HTTP | HTTP_SERVER;
            /// Accepts early data of TLS 1.3 (at most 16k), which an attacker can send again: `$ssl_early_data` is
            /// `1` for requests in it. The default server of the address decides. Sessions are then kept by the
            /// server rather than in tickets, in `ssl_session_cache` or a cache of 20480 sessions, and each is
            /// resumed once: early data that is sent again is refused.
            ///
            /// Example: `ssl_early_data on;`
            "ssl_early_data" => early_data: Flag = "off", in SERVERS;
        }
    }
    needless {
        /// DH parameters. Key exchanges are on curves only.
        "ssl_dhparam" => ConfPath, in SERVERS;
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
    /// The files that it names, except those whose names depend on clients.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let certificates =
            self.certificate.iter().chain(&self.certificate_key).filter_map(|source| source.file());
        let one = [
            &self.client_certificate,
            &self.trusted_certificate,
            &self.crl,
            &self.password_file,
            &self.stapling_file,
        ];
        let others = one.into_iter().flatten().chain(&self.session_ticket_key).map(|path| &*path.0);
        certificates.chain(others)
    }

    /// The suites of TLS 1.2, in order.
    pub fn suites(&self) -> &[&'static str] {
        self.last(|command| command.ciphers.as_ref()).map_or(&self.ciphers.0, |ciphers| &ciphers.0)
    }

    /// The suites of TLS 1.3, in order, where they are chosen.
    pub fn tls13_suites(&self) -> Option<&[&'static str]> {
        self.last(|command| command.tls13_suites.as_deref())
    }

    /// The curves, in order, as positions in [`CURVES`](super::curve::CURVES).
    pub fn curves(&self) -> &[usize] {
        self.last(|command| command.curves.as_deref()).unwrap_or(&self.ecdh_curve.0)
    }

    /// Whether the server's order of suites is preferred.
    pub fn prefers_server_ciphers(&self) -> bool {
        self.last(|command| command.server_preference).unwrap_or(self.prefer_server_ciphers)
    }

    /// Whether session tickets are made.
    pub fn makes_tickets(&self) -> bool {
        self.last(|command| command.session_tickets).unwrap_or(self.session_tickets)
    }

    /// What the last command says that says something.
    fn last<'c, V>(&'c self, of: impl Fn(&'c ConfCommand) -> Option<V>) -> Option<V> {
        self.conf_command.iter().rev().find_map(of)
    }

    /// Whether a protocol, given by its name, is enabled.
    pub fn speaks(&self, protocol: SslProtocols) -> bool {
        let commands = self.conf_command.iter().filter_map(|command| command.protocols);
        let (least, most) = commands
            .fold((SslProtocols::SSL2, SslProtocols::TLS1_3), |(least, most), set| {
                (set.0.unwrap_or(least), set.1.unwrap_or(most))
            });
        if protocol.bits() < least.bits() || protocol.bits() > most.bits() {
            return false;
        }
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

/// Checks the directives of an HTTP server. Whether there are certificates is a matter of all servers of an address, and
/// found when they are read.
fn http_certificates(values: &dyn ValueLookup) -> Option<Problem> {
    let ssl = values.find::<Conf>()?;
    let is_old = ssl.on.is_some_and(|on| on.0);
    if is_old && ssl.certificate.is_empty() && !ssl.reject_handshake {
        let encrypted = values.find::<Addresses<HTTP_SERVER>>()?.encrypted.as_ref()?;
        let text = "no \"ssl_certificate\" is defined for the \"ssl\" directive";
        return Some(Problem::new(text).label(encrypted.span, "TLS is enabled here").help(FILES_HELP));
    }
    unusable(ssl)
}

/// Help for a missing certificate.
const FILES_HELP: &str =
    "`ssl_certificate` and `ssl_certificate_key` name the files, here or around the server";

/// Checks the directives of an RTMP server. The texts are those of PingOS, which does not support RTMP over TLS.
fn rtmp_certificates(values: &dyn ValueLookup) -> Option<Problem> {
    let ssl = values.find::<Conf>()?;
    let encrypted = values.find::<Addresses<RTMP_SERVER>>()?.encrypted.as_ref();
    if let Some(encrypted) = encrypted
        && ssl.certificate.is_empty()
        && !ssl.reject_handshake
    {
        let problem = Problem::new("the invalid \"ssl\" parameter").at(encrypted.span).place(encrypted.place);
        let help = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        return Some(problem.help(help));
    }
    unusable(ssl)
}

/// Reports a certificate without a key, and verification of clients without CA certificates.
fn unusable(ssl: &Conf) -> Option<Problem> {
    if let Some(without) = ssl.certificate.get(ssl.certificate_key.len()) {
        let text =
            format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", without.path.display());
        return Some(Problem::new(text));
    }
    let mut pairs = ssl.certificate.iter().zip(&ssl.certificate_key);
    if pairs.any(|(certificate, key)| certificate.is_issued() != key.is_issued()) {
        let text =
            "$acme_certificate in \"ssl_certificate\" needs $acme_certificate_key in \"ssl_certificate_key\"";
        return Some(Problem::new(text));
    }
    let verifies = matches!(ssl.verify_client, VerifyClient::On | VerifyClient::Optional);
    let lacks = ssl.client_certificate.is_none() && ssl.trusted_certificate.is_none();
    if ssl.ocsp != SslOcsp::Off
        && ssl.verify_client == VerifyClient::OptionalNoCa
        && !ssl.certificate.is_empty()
    {
        return Some(Problem::new("\"ssl_ocsp\" is incompatible with \"ssl_verify_client optional_no_ca\""));
    }
    // As in nginx, a server that has no TLS is not looked at.
    (verifies && lacks && !ssl.certificate.is_empty())
        .then(|| Problem::new("no ssl_client_certificate for ssl_verify_client"))
}
