//! The course of an order (RFC 8555 section 7.4): challenges, the request for the certificate, the certificate.

use std::sync::Arc;
use std::time::Duration;

use rcgen::KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answers::{self, Answers, GivenAnswer};
use super::client::{AcmeClient, IssuerResponse};
use super::error::AcmeError;
use super::identifier::Identifier;
use super::jose::base64url;
use super::keys;
use super::plan::{Issuer, Order};
use super::problem::{Problem, shown};
use super::schedule;
use super::setting::KeyKind;
use crate::limits;
use crate::net::tls::issued::IssuedCertificates;

/// What was issued.
pub(super) struct NewCertificate {
    /// The chain (PEM).
    pub(super) chain: Vec<u8>,
    /// The key (PEM).
    pub(super) key: String,
}

/// How challenges are answered.
pub(super) struct ChallengeAnswers {
    pub(super) answers: Arc<Answers>,
    pub(super) issued: Arc<IssuedCertificates>,
}

#[derive(Debug, Deserialize)]
struct OrderState {
    status: String,
    #[serde(default)]
    authorizations: Vec<String>,
    finalize: String,
    #[serde(default)]
    certificate: Option<String>,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Debug, Deserialize)]
struct Authorization {
    status: String,
    identifier: Named,
    #[serde(default)]
    challenges: Vec<Challenge>,
}

#[derive(Debug, Deserialize)]
struct Named {
    value: String,
}

#[derive(Debug, Deserialize)]
struct Challenge {
    #[serde(rename = "type")]
    kind: String,
    url: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    error: Option<Problem>,
}

/// Asks an issuer at growing intervals, within a bound.
struct PollingIntervals {
    due: Instant,
    pause: Duration,
}

impl PollingIntervals {
    fn new() -> PollingIntervals {
        PollingIntervals { due: Instant::now() + limits::ACME_DECISION, pause: Duration::ZERO }
    }

    /// Waits as long as the issuer wants. `false` once the bound is reached.
    async fn wait(&mut self, last: &IssuerResponse) -> bool {
        self.pause = schedule::poll(last.retry_after, self.pause);
        if Instant::now() + self.pause > self.due {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        true
    }
}

/// Makes a key on a thread that nothing waits for.
pub(super) async fn make_key(kind: KeyKind) -> Result<KeyPair, AcmeError> {
    let made = tokio::task::spawn_blocking(move || keys::make(kind)).await;
    Ok(made.map_err(|error| AcmeError::Internal(error.to_string()))??)
}

/// Orders a certificate. `replaced` is the one that it replaces, as its issuer identifies it.
///
/// # Errors
///
/// The issuer cannot be reached or refuses, or a challenge fails.
pub(super) async fn order(
    client: &mut AcmeClient,
    order: &Order,
    replaced: Option<String>,
    means: &ChallengeAnswers,
) -> Result<NewCertificate, AcmeError> {
    let identifiers: Vec<Value> = order
        .identifiers
        .iter()
        .map(|identifier| json!({ "type": identifier.kind(), "value": identifier.to_string() }))
        .collect();
    let mut payload = json!({ "identifiers": identifiers });
    if let Some(profile) = &order.issuer.profile {
        if client.has_profile(&profile.name) {
            payload["profile"] = json!(profile.name);
        } else if profile.is_required {
            return Err(AcmeError::Profile(profile.name.clone()));
        }
    }
    let replaced = replaced.filter(|_| client.has_renewal_info());
    let begun = match &replaced {
        None => None,
        Some(replaced) => {
            let mut payload = payload.clone();
            payload["replaces"] = json!(replaced);
            match client.post(&client.new_order(), payload.to_string().as_bytes()).await {
                // It may have been replaced already, or be another issuer's.
                Err(AcmeError::Refused(problem)) if problem.refuses_replacement() => None,
                begun => Some(begun?),
            }
        }
    };
    let begun = match begun {
        Some(begun) => begun,
        None => client.post(&client.new_order(), payload.to_string().as_bytes()).await?,
    };
    let url = begun.location.clone().ok_or(AcmeError::Malformed("the order has no address"))?;
    let state: OrderState = begun.read("the order")?;
    if state.authorizations.len() > limits::ACME_IDENTIFIERS {
        return Err(AcmeError::Malformed("the order has too many authorizations"));
    }
    let key = make_key(order.key).await?;
    for authorization in &state.authorizations {
        authorize(client, &order.issuer, authorization, &key, means).await?;
    }
    let state = decided(client, &url, &["ready", "valid"]).await?;
    let state = match state.status.as_str() {
        "valid" => state,
        _ => {
            let request = base64url(keys::request(&order.identifiers, &key)?);
            let payload = json!({ "csr": request }).to_string();
            client.post(&state.finalize, payload.as_bytes()).await?;
            decided(client, &url, &["valid"]).await?
        }
    };
    let certificate = state.certificate.ok_or(AcmeError::Malformed("the order has no certificate"))?;
    let chain = client.post(&certificate, b"").await?.body;
    Ok(NewCertificate { chain, key: key.serialize_pem() })
}

/// Waits until an order has one of these states.
async fn decided(client: &mut AcmeClient, url: &str, wanted: &[&str]) -> Result<OrderState, AcmeError> {
    let mut patience = PollingIntervals::new();
    loop {
        let answered = client.post(url, b"").await?;
        let state: OrderState = answered.read("the order")?;
        if wanted.contains(&state.status.as_str()) {
            return Ok(state);
        }
        if !["pending", "ready", "processing"].contains(&state.status.as_str()) {
            return Err(match state.error {
                Some(problem) => AcmeError::Refused(problem),
                None => AcmeError::Status("the order".into(), shown(&state.status)),
            });
        }
        if !patience.wait(&answered).await {
            return Err(AcmeError::Undecided("the order".into(), limits::ACME_DECISION));
        }
    }
}

/// Shows the issuer that an identifier belongs to this server.
async fn authorize(
    client: &mut AcmeClient,
    issuer: &Issuer,
    url: &str,
    key: &KeyPair,
    means: &ChallengeAnswers,
) -> Result<(), AcmeError> {
    let authorization: Authorization = client.post(url, b"").await?.read("the authorization")?;
    let name = authorization.identifier.value;
    match authorization.status.as_str() {
        "valid" => return Ok(()),
        "pending" => {}
        _ => {
            return Err(AcmeError::Status(
                format!("the authorization for {}", shown(&name)),
                shown(&authorization.status),
            ));
        }
    }
    let wanted = issuer.challenge.name();
    let challenge = authorization.challenges.into_iter().find(|challenge| challenge.kind == wanted);
    let challenge = challenge.ok_or_else(|| AcmeError::NoChallenge(shown(&name), wanted))?;
    if !answers::is_token(&challenge.token) {
        return Err(AcmeError::Malformed("the token of the challenge"));
    }
    let text = format!("{}.{}", challenge.token, client.key.thumbprint());
    let _given = match wanted {
        "http-01" => means.answers.give(&challenge.token, text),
        _ => {
            let identifier =
                Identifier::parse(name.as_bytes()).ok().and_then(|found| found.into_iter().next());
            let identifier = identifier.ok_or(AcmeError::Malformed("the identifier"))?;
            let certificate = keys::answer(&identifier, &text, key)?;
            GivenAnswer::to_handshakes(&means.issued, &identifier, &certificate, key.serialized_der())?
        }
    };
    client.post(&challenge.url, b"{}").await?;
    let mut patience = PollingIntervals::new();
    loop {
        let answered = client.post(url, b"").await?;
        let state: Authorization = answered.read("the authorization")?;
        match state.status.as_str() {
            "valid" => return Ok(()),
            "pending" if patience.wait(&answered).await => {}
            "pending" => {
                return Err(AcmeError::Undecided(
                    format!("the challenge for {}", shown(&name)),
                    limits::ACME_DECISION,
                ));
            }
            _ => {
                let failed = state.challenges.into_iter().find(|challenge| challenge.kind == wanted);
                return Err(match failed.and_then(|challenge| challenge.error) {
                    Some(problem) => AcmeError::Refused(problem),
                    None => AcmeError::Status(
                        format!("the authorization for {}", shown(&name)),
                        shown(&state.status),
                    ),
                });
            }
        }
    }
}
