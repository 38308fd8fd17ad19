//! `acme_certificate`.

use super::plan;
use super::setting::CertificateRequest;
use crate::directive::context::{Contexts, HTTP_SERVER, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, ServerName, Slot};
use crate::http::server_conf as http_server;
use crate::media::server_conf as rtmp_server;
use crate::net::ssl::ordered::OrderedCertificate;

directives! {
    /// Certificates of servers that are ordered from an `acme_issuer`.
    module "acme certificate";
    live as Current {
        /// Orders a certificate from an issuer: ISSUER [IDENTIFIER...] [key=TYPE]. Without identifiers, those are the names of
        /// `server_name`, which then must not have wildcards; regular expressions are left out. An identifier is a host name
        /// or an IP address; `.example.com` stands for `www.example.com` and `example.com`. The types of keys are those of
        /// `account_key`; the default is `ecdsa:256`. The certificate and its key are the values of `$acme_certificate` and
        /// `$acme_certificate_key`, in `ssl_certificate` and `ssl_certificate_key` only. Handshakes are refused until there is
        /// one. Unlike in nginx, RTMP servers may have it.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `acme_certificate letsencrypt;`
        "acme_certificate" => certificate: Option<CertificateRequest>, in HTTP_SERVER | RTMP_SERVER;
    }
    made {
        OrderedCertificate;
    }
}

impl Slot for OrderedCertificate {
    const HOLDERS: Contexts = HTTP_SERVER | RTMP_SERVER;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> OrderedCertificate {
        // What is wrong is reported by the plan.
        let order = request_of(level.blocks[0]).and_then(|(request, names)| {
            let (identifiers, _) = plan::identifiers(&request, &names).ok()?;
            Some(plan::order_id(&request.issuer, &identifiers, request.key))
        });
        OrderedCertificate { id: order }
    }
}

/// What a server orders, with its names.
pub(super) fn request_of(server: &Block) -> Option<(CertificateRequest, Vec<ServerName>)> {
    let request = server.scope::<Scope>()?.certificate.as_ref()?.value.clone();
    let http = server.scope::<http_server::Scope>().map(|scope| &scope.server_name);
    let rtmp = server.scope::<rtmp_server::Scope>().map(|scope| &scope.server_name);
    let names = http.into_iter().chain(rtmp).flatten().flat_map(|names| names.value.0.clone()).collect();
    Some((request, names))
}
