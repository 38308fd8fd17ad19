//! Answers to challenges of issuers.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use parking_lot::RwLock;

use super::identifier::Identifier;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::response::Response;
use crate::limits;
use crate::net::tls::CertificateError;
use crate::net::tls::issued::IssuedCertificates;

/// What a request of an issuer for a challenge begins with (RFC 8555 section 8.3).
const PATH: &[u8] = b"/.well-known/acme-challenge/";

/// Answers to requests, by token.
#[derive(Debug, Default)]
pub struct Answers(RwLock<HashMap<String, String>>);

/// An answer that is given as long as this lives.
pub(super) enum GivenAnswer {
    /// To a request with this token.
    Request(Arc<Answers>, String),
    /// To a handshake for this name.
    Handshake(Arc<IssuedCertificates>, String),
}

/// Whether a text may be the token of a challenge.
pub(super) fn is_token(token: &str) -> bool {
    (1..=limits::ACME_TOKEN_BYTES).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

impl Answers {
    /// Answers requests with this token.
    pub(super) fn give(self: &Arc<Self>, token: &str, authorization: String) -> GivenAnswer {
        self.0.write().insert(token.to_owned(), authorization);
        GivenAnswer::Request(self.clone(), token.to_owned())
    }

    fn find(&self, path: &[u8]) -> Option<String> {
        let token = path.strip_prefix(PATH)?;
        let answers = self.0.read();
        answers.get(std::str::from_utf8(token).ok()?).cloned()
    }
}

impl GivenAnswer {
    /// Answers handshakes for an identifier with a certificate.
    pub(super) fn to_handshakes(
        issued: &Arc<IssuedCertificates>,
        identifier: &Identifier,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<GivenAnswer, CertificateError> {
        let name = identifier.handshake_name();
        issued.answer(&name, certificate, key)?;
        Ok(GivenAnswer::Handshake(issued.clone(), name))
    }
}

impl Drop for GivenAnswer {
    fn drop(&mut self) {
        match self {
            GivenAnswer::Request(answers, token) => drop(answers.0.write().remove(token)),
            GivenAnswer::Handshake(issued, name) => issued.answer_no_more(name),
        }
    }
}

/// Answers challenges of issuers on HTTP sockets, before anything else looks at the request.
pub struct ChallengeCheck(pub Arc<Answers>);

impl PhaseCheck for ChallengeCheck {
    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let is_asked = *exchange.method() == Method::GET && exchange.path.starts_with(PATH);
        match is_asked.then(|| self.0.find(&exchange.path)).flatten() {
            Some(answer) => {
                let response = Response { closes: true, ..Response::ok("text/plain", answer) };
                Check::Now(Decision::Done(Box::new(response)))
            }
            None => Check::Now(Decision::Next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_as_long_as_it_is_held() {
        let answers: Arc<Answers> = Arc::default();
        let given = answers.give("abc", "abc.x".into());
        assert_eq!(answers.find(b"/.well-known/acme-challenge/abc").as_deref(), Some("abc.x"));
        assert_eq!(answers.find(b"/.well-known/acme-challenge/ab"), None);
        assert_eq!(answers.find(b"/abc"), None);
        drop(given);
        assert_eq!(answers.find(b"/.well-known/acme-challenge/abc"), None);
    }

    #[test]
    fn tokens_are_bounded_and_base64url() {
        assert!(is_token("aZ0-_"));
        assert!(is_token(&"a".repeat(limits::ACME_TOKEN_BYTES)));
        assert!(!is_token(&"a".repeat(limits::ACME_TOKEN_BYTES + 1)));
        for bad in ["", "a/b", "..", "a b", "a="] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
