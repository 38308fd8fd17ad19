//! Directives of `acme_issuer`.

use std::sync::Arc;

use super::plan::{AcmePlan, Issuer, Order, identifiers, order_id};
use super::server_conf::request_of;
use super::setting::{
    AccountKey, ChallengeKind, Contact, ExternalKey, IssuerName, IssuerUri, KeyKind, Profile, SharedZone,
    StatePath,
};
use crate::directive::context::{ACME_ISSUER, Contexts, HTTP, HTTP_SERVER, MAIN, RTMP, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, ConfPath, Evaluation, Flag, Present, Slot};
use crate::limits;
use crate::syntax::{Problem, sentence};

directives! {
    /// Certificates that the server orders from an issuer with the protocol ACME (RFC 8555), and renews. The directives are those
    /// of nginx's acme module. One process orders at a time, whatever the number of workers. A certificate is renewed when its
    /// issuer suggests it (RFC 9773), or after two thirds of its lifetime, without a reload: connections stay, and new handshakes
    /// show the new certificate. An attempt that fails is repeated, and the certificate that is there stays in use. Equal failures
    /// are logged once a day. `pingosd status` lists the certificates.
    module "acme";
    blocks {
        /// An issuer of certificates, which `acme_certificate` names.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        "acme_issuer" => IssuerName, opens ACME_ISSUER, in HTTP;
    }
    live as Current {
        /// Address of the issuer's directory. It is required.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `uri https://acme.example.com/directory;`
        "uri" => uri: Option<IssuerUri>, in ACME_ISSUER;
        /// Key of the account: `ecdsa:256`, `ecdsa:384`, `rsa:2048`, `rsa:3072` or `rsa:4096` to make one, or a file with
        /// one. A key that is made is kept in `state_path`. The default is `ecdsa:256`. Curve 521, which nginx has, does not
        /// exist here.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `account_key ecdsa:256;`
        "account_key" => account_key: Option<AccountKey>, in ACME_ISSUER;
        /// How the issuer checks that a name belongs to this server: `http-01` (or `http`) with a request to port 80, which
        /// every HTTP server answers before any location; `tls-alpn-01` (or `tls-alpn`) with a handshake on
        /// port 443, which every TLS socket answers.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `challenge tls-alpn-01;`
        "challenge" => challenge: ChallengeKind = "http-01", in ACME_ISSUER;
        /// Address at which the issuer can reach the owner of the account: one mail address, with or without `mailto:`, or
        /// another URL. May be repeated.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `contact operator@example.com;`
        "contact" => contacts: Vec<Contact>, in ACME_ISSUER;
        /// Name of a key of the issuer's other accounts, and the file with that key, or `data:` and the key (RFC 8555 section
        /// 7.3.4). The key is in base64url.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `external_account_key key-1 /etc/pingosd/eab.key;`
        "external_account_key" => external_account_key: Option<ExternalKey>, in ACME_ISSUER;
        /// Profile of the certificates, one of those that the issuer lists. With `require`, nothing is ordered from an issuer
        /// without it; otherwise the issuer's default is used then.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `profile shortlived;`
        "profile" => profile: Option<Profile>, in ACME_ISSUER;
        /// CA certificates that the issuer's certificate is verified with, instead of the system's.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `ssl_trusted_certificate /etc/pingosd/issuer-ca.pem;`
        "ssl_trusted_certificate" => trusted: Option<ConfPath>, in ACME_ISSUER;
        /// Whether the issuer's certificate is verified.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `ssl_verify off;`
        "ssl_verify" => verify: Flag = "on", in ACME_ISSUER;
        /// Directory for the account's key, the certificates and their keys, with modes 0700 and 0600, or `off`. It is made
        /// at the start. The default is `acme_NAME` under the prefix. Without it each start orders everything again.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `state_path /var/lib/pingosd/acme;`
        "state_path" => state_path: Option<StatePath>, in ACME_ISSUER;
        /// Accepts the issuer's terms of service. Issuers that have some refuse to make an account without it.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        ///
        /// Example: `accept_terms_of_service;`
        "accept_terms_of_service" => accepts_terms: Option<Present>, in ACME_ISSUER;
    }
    needless {
        /// zone=NAME:SIZE: memory that nginx's processes share.
        ///
        /// Not in PingOS; as in nginx's module for ACME.
        "acme_shared_zone" => SharedZone = "zone=ngx_acme_shared:256k", in HTTP;
    }
    made {
        AcmePlan;
    }
}

impl Slot for AcmePlan {
    const HOLDERS: Contexts = MAIN;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> AcmePlan {
        let main = level.blocks[0];
        let mut plan = AcmePlan::default();
        for http in main.inner(HTTP) {
            for block in http.inner(ACME_ISSUER) {
                if let Some(issuer) = issuer(level, &[block, http, main], evaluation) {
                    plan.add_issuer(issuer, block, evaluation);
                }
            }
        }
        let servers_of_http = main.inner(HTTP).flat_map(|http| http.inner(HTTP_SERVER));
        let servers_of_rtmp = main.inner(RTMP).flat_map(|rtmp| rtmp.inner(RTMP_SERVER));
        for server in servers_of_http.chain(servers_of_rtmp) {
            plan.add_order(server, evaluation);
        }
        plan
    }
}

/// A complete block; `None` where something is missing.
fn issuer(level: &BlockLevel<'_>, blocks: &[&Block], evaluation: &mut Evaluation<'_>) -> Option<Issuer> {
    let block = blocks[0];
    let IssuerName(name) = block.head::<IssuerName>().cloned()?;
    let values = level.values::<ACME_ISSUER>(blocks, evaluation);
    let conf: &Current = values.get();
    let Some(uri) = conf.uri.clone() else {
        evaluation.report_in(block, Problem::new("acme_issuer: \"uri\" is missing"));
        return None;
    };
    let state = match &conf.state_path {
        Some(StatePath::Off) => None,
        Some(StatePath::Directory(path)) => Some(path.clone()),
        None => Some(evaluation.under_prefix(&sentence(&[b"acme_", &name]))),
    };
    Some(Issuer {
        name,
        uri,
        account_key: conf.account_key.clone().unwrap_or(AccountKey::Made(KeyKind::default())),
        challenge: conf.challenge,
        contacts: conf.contacts.clone(),
        external: conf.external_account_key.clone(),
        profile: conf.profile.clone(),
        trusted: conf.trusted.as_ref().map(|path| path.0.clone()),
        verify: conf.verify,
        state,
        accepts_terms: conf.accepts_terms.is_some(),
    })
}

impl AcmePlan {
    fn add_issuer(&mut self, issuer: Issuer, block: &Block, evaluation: &mut Evaluation<'_>) {
        if self.issuers.iter().any(|known| known.name == issuer.name) {
            evaluation.report_in(block, Problem::new("\"acme_issuer\" directive is duplicate"));
            return;
        }
        let shares = |known: &Arc<Issuer>| known.state.is_some() && known.state == issuer.state;
        if let Some(known) = self.issuers.iter().find(|known| shares(known)) {
            let text = sentence(&[b"acme_issuer: \"state_path\" is that of issuer \"", &known.name, b"\""]);
            evaluation.report_in(block, Problem::new(text));
            return;
        }
        self.issuers.push(Arc::new(issuer));
    }

    fn add_order(&mut self, server: &Block, evaluation: &mut Evaluation<'_>) {
        let Some((request, names)) = request_of(server) else { return };
        let span = server.uses("acme_certificate").unwrap_or(server.span);
        let place = server.place;
        let refuse = |evaluation: &mut Evaluation<'_>, problem: Problem| {
            evaluation.report_in(server, problem.label(span, "given here").place(place));
        };
        let Some(issuer) = self.issuers.iter().find(|issuer| issuer.name == request.issuer).cloned() else {
            let text = sentence(&[b"issuer \"", &request.issuer, b"\" is missing"]);
            return refuse(evaluation, Problem::new(text));
        };
        let (identifiers, left_out) = match identifiers(&request, &names) {
            Ok(found) => found,
            Err(error) => return refuse(evaluation, Problem::new(format!("\"acme_certificate\": {error}"))),
        };
        for name in left_out {
            let text = format!("\"acme_certificate\": unsupported regular expression in server_name: {name}");
            evaluation.report(Problem::warning(text).at(span));
        }
        if identifiers.is_empty() {
            let text = "\"acme_certificate\": no identifiers found in \"server_name\"";
            return refuse(evaluation, Problem::new(text));
        }
        if identifiers.len() > limits::ACME_IDENTIFIERS {
            let text = format!("\"acme_certificate\": more than {} names", limits::ACME_IDENTIFIERS);
            return refuse(evaluation, Problem::new(text));
        }
        let id = order_id(&request.issuer, &identifiers, request.key);
        if !self.orders.iter().any(|known| known.id == id) {
            self.orders.push(Arc::new(Order { id, issuer, identifiers, key: request.key }));
        }
    }
}
