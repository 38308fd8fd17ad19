//! Requests to an issuer.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::advice::{self, Window};
use super::error::AcmeError;
use super::files::{self, ExternalKey};
use super::jose::{Signer, SigningKey};
use super::plan::Issuer;
use super::problem::{Problem, shown};
use super::schedule;
use crate::limits;
use crate::net::dns::Dns;
use crate::task::clock::since_1970;

/// Addresses of an issuer (RFC 8555 section 7.1.1).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
    new_order: String,
    /// RFC 9773 section 4.
    #[serde(default)]
    renewal_info: Option<String>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    terms_of_service: Option<String>,
    external_account_required: Option<bool>,
    profiles: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Account {
    status: String,
}

/// An issuer with the account there.
pub(super) struct AcmeClient {
    http: Client,
    /// Whether only addresses of https are used (RFC 8555 section 6.1): not where the issuer's own is none, as in tests.
    is_secure: bool,
    pub(super) key: SigningKey,
    directory: Directory,
    /// Address of the account.
    account: String,
    nonce: Option<String>,
}

/// What an issuer answers.
pub(super) struct IssuerResponse {
    /// `Location`
    pub(super) location: Option<String>,
    /// `Retry-After`
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl IssuerResponse {
    /// The body as JSON.
    pub(super) fn read<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, AcmeError> {
        serde_json::from_slice(&self.body).map_err(|_| AcmeError::Malformed(what))
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

impl AcmeClient {
    /// Reads the issuer's directory, and finds the account of the key there, or makes one.
    ///
    /// # Errors
    ///
    /// The issuer cannot be reached or refuses.
    pub(super) async fn open(issuer: &Issuer, dns: &Dns, key: SigningKey) -> Result<AcmeClient, AcmeError> {
        let (http, is_secure, external) = connect(issuer, dns).await?;
        let directory: Directory = get(is_secure, &http, &issuer.uri.0).await?.read("the directory")?;
        let mut client = AcmeClient { http, is_secure, key, directory, account: String::new(), nonce: None };
        client.enter(issuer, external).await?;
        Ok(client)
    }

    /// Whether the issuer says when certificates should be renewed, and takes the names of those that an order replaces.
    pub(super) fn has_renewal_info(&self) -> bool {
        self.directory.renewal_info.is_some()
    }

    async fn enter(&mut self, issuer: &Issuer, external: Option<ExternalKey>) -> Result<(), AcmeError> {
        let meta = self.directory.meta.as_ref();
        if external.is_none() && meta.is_some_and(|meta| meta.external_account_required == Some(true)) {
            return Err(AcmeError::ExternalKey);
        }
        let terms = meta.and_then(|meta| meta.terms_of_service.clone());
        let url = self.directory.new_account.clone();
        let contacts: Vec<&str> = issuer.contacts.iter().map(|contact| &*contact.0).collect();
        let mut payload = json!({});
        if !contacts.is_empty() {
            payload["contact"] = json!(contacts);
        }
        if issuer.accepts_terms {
            payload["termsOfServiceAgreed"] = json!(true);
        }
        if let Some((id, mac)) = external {
            payload["externalAccountBinding"] = self.key.bind(&id, &mac, &url);
        }
        let answered = self.send(&url, true, payload.to_string().as_bytes()).await;
        let answered = answered.map_err(|error| match (error, terms) {
            (AcmeError::Refused(problem), Some(terms)) if !issuer.accepts_terms => {
                AcmeError::Terms(problem, shown(&terms))
            }
            (error, _) => error,
        })?;
        let Account { status } = answered.read("the account")?;
        if status != "valid" {
            return Err(AcmeError::Account(shown(&status)));
        }
        self.account = answered.location.ok_or(AcmeError::Malformed("the account has no address"))?;
        Ok(())
    }

    /// Address at which orders begin.
    pub(super) fn new_order(&self) -> String {
        self.directory.new_order.clone()
    }

    /// Whether the issuer lists a profile.
    pub(super) fn has_profile(&self, name: &str) -> bool {
        let profiles = self.directory.meta.as_ref().and_then(|meta| meta.profiles.as_ref());
        profiles.is_some_and(|profiles| profiles.contains_key(name))
    }

    /// Sends a signed request of the account. An empty payload reads what is at the address.
    ///
    /// # Errors
    ///
    /// The issuer cannot be reached or refuses.
    pub(super) async fn post(&mut self, url: &str, payload: &[u8]) -> Result<IssuerResponse, AcmeError> {
        self.send(url, false, payload).await
    }

    async fn send(&mut self, url: &str, by_key: bool, payload: &[u8]) -> Result<IssuerResponse, AcmeError> {
        let mut tries = 0;
        loop {
            let nonce = match self.nonce.take() {
                Some(nonce) => nonce,
                None => self.new_nonce().await?,
            };
            let signer = if by_key { Signer::Key } else { Signer::Account(&self.account) };
            let body = self.key.sign(&signer, url, &nonce, payload);
            let body = body.ok_or_else(|| AcmeError::Internal("a request cannot be signed".into()))?;
            let request = self.http.post(url).header(CONTENT_TYPE, "application/jose+json").body(body);
            let response = sent(self.is_secure, url, request).await?;
            self.nonce = nonce_of(&response);
            tries += 1;
            match answered(url, response).await {
                Err(AcmeError::Refused(problem))
                    if problem.kind() == "badNonce" && tries < limits::ACME_NONCES => {}
                answered => return answered,
            }
        }
    }

    async fn new_nonce(&self) -> Result<String, AcmeError> {
        let url = &self.directory.new_nonce;
        let response = sent(self.is_secure, url, self.http.head(url)).await?;
        nonce_of(&response).ok_or(AcmeError::Malformed("it has no nonce"))
    }
}

/// What an issuer says about the renewal of a certificate, and after what time it may be asked again. `None` if it says nothing
/// about any certificate.
///
/// # Errors
///
/// The issuer cannot be reached, or its answer is not as expected.
pub(super) async fn renewal_info(
    issuer: &Issuer,
    dns: &Dns,
    certificate: &str,
) -> Result<Option<(Window, Option<Duration>)>, AcmeError> {
    let (http, is_secure, _) = connect(issuer, dns).await?;
    let directory: Directory = get(is_secure, &http, &issuer.uri.0).await?.read("the directory")?;
    let Some(renewal_info) = directory.renewal_info else { return Ok(None) };
    let answered = get(is_secure, &http, &advice::address(&renewal_info, certificate)).await?;
    let window = Window::read(&answered.body).ok_or(AcmeError::Malformed("the renewal information"))?;
    Ok(Some((window, answered.retry_after)))
}

/// What sends requests to an issuer, whether only addresses of https are used, and the key of the issuer's other accounts.
async fn connect(issuer: &Issuer, dns: &Dns) -> Result<(Client, bool, Option<ExternalKey>), AcmeError> {
    let (external, tls) = files::read(issuer).await?;
    let http = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .dns_resolver(std::sync::Arc::new(dns.clone()))
        .timeout(limits::ACME_REQUEST)
        .tls_backend_preconfigured((*tls).clone())
        .user_agent(crate::VERSION)
        .build()
        .map_err(|error| AcmeError::Internal(error.to_string()))?;
    Ok((http, issuer.uri.0.starts_with("https:"), external))
}

/// Reads a document without a signature, through redirections.
async fn get(is_secure: bool, http: &Client, url: &str) -> Result<IssuerResponse, AcmeError> {
    let mut url = url.to_owned();
    for _ in 0..limits::ACME_REDIRECTS {
        let response = sent(is_secure, &url, http.get(&url)).await?;
        if !response.status().is_redirection() {
            return answered(&url, response).await;
        }
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        let target = target.ok_or(AcmeError::Malformed("a redirection has no address"))?;
        let joined = Url::parse(&url).and_then(|base| base.join(target));
        url = joined.map_err(|_| AcmeError::Malformed("a redirection has no valid address"))?.into();
    }
    Err(AcmeError::Redirections)
}

async fn sent(is_secure: bool, url: &str, request: RequestBuilder) -> Result<Response, AcmeError> {
    let scheme = Url::parse(url).ok().map(|url| url.scheme().to_owned());
    if !scheme.is_some_and(|scheme| scheme == "https" || scheme == "http" && !is_secure) {
        return Err(AcmeError::Malformed("an address is not one of https"));
    }
    request.send().await.map_err(|error| AcmeError::network(&host_of(url), error))
}

fn host_of(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    host.map_or_else(|| "the issuer".to_owned(), |(host, port)| format!("{host}:{port}"))
}

fn nonce_of(response: &Response) -> Option<String> {
    let nonce = response.headers().get("replay-nonce")?.to_str().ok()?;
    (!nonce.is_empty()).then(|| nonce.to_owned())
}

/// Reads an answer to its end, or why there is none.
async fn answered(url: &str, mut response: Response) -> Result<IssuerResponse, AcmeError> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header(RETRY_AFTER).and_then(|text| schedule::retry_after(text, now()));
    let location = header(LOCATION).map(str::to_owned);
    let status = response.status();
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| AcmeError::network(&host_of(url), error))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > limits::ACME_ANSWER_BYTES {
            return Err(AcmeError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(IssuerResponse { location, retry_after, body });
    }
    let problem = Problem::read(status.as_u16(), &body);
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS
        || problem.kind() == "rateLimited"
        || status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some();
    match is_limited {
        true => Err(AcmeError::RateLimited(problem, schedule::rate_limit(retry_after))),
        false => Err(AcmeError::Refused(problem)),
    }
}
