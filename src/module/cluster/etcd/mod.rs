//! etcd over its JSON gateway (`/v3`, since etcd 3.4), with the HTTP client that callbacks use too.
//!
//! The gateway was chosen over gRPC (crate etcd-client) because it needs no further dependency and no `protoc` to build, and
//! has all that is used here, as tried with etcd 3.4.23: transactions, leases, and watches as a stream of JSON lines.

mod answer;
mod error;
mod key_watch;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::sync::watch;

use self::answer::{int, pairs, refusal, text};
use self::error::NOT_FOUND;
use super::conf::ClusterConf;
use super::tenure::{Lease, Revision};
use crate::limits;
use crate::net::tls;
use crate::task::backoff::Backoff;
use crate::task::disk;

pub(super) use self::answer::{Change, KeyValue, Outcome, Range, revision_of};
pub(super) use self::error::{EtcdError, EtcdErrorKind};
pub(super) use self::key_watch::KeyWatch;

/// Codes of gRPC for a missing or outdated token.
const UNAUTHENTICATED: [i64; 2] = [16, 3];

/// Client of one etcd cluster.
pub(super) struct Etcd {
    http: Client,
    addresses: Vec<String>,
    /// Number of changes of the address; the remainder is the one in use.
    at: AtomicUsize,
    turns: watch::Sender<usize>,
    user: Option<(String, String)>,
    token: Mutex<Option<String>>,
}

/// Reason why there is no client.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// Certificates cannot be used.
    #[error(transparent)]
    Trusted(#[from] tls::TrustedError),
    /// Certificates or a key cannot be used.
    #[error(transparent)]
    Identity(#[from] tls::BackendTlsError),
    /// The password is no text.
    #[error("the password of etcd_user is no text of one line")]
    Password,
    /// The HTTP client refuses its settings.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

impl Etcd {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    ///
    /// A file cannot be read or used.
    pub(super) async fn open(conf: &ClusterConf) -> Result<Etcd, SetupError> {
        let conf = conf.clone();
        let opened = tokio::task::spawn_blocking(move || Etcd::open_now(&conf)).await;
        opened.unwrap_or_else(|error| Err(SetupError::File("etcd".into(), io::Error::other(error))))
    }

    fn open_now(conf: &ClusterConf) -> Result<Etcd, SetupError> {
        let read = |path: &std::path::PathBuf| {
            disk::read(path).map_err(|error| SetupError::File(path.display().to_string(), error))
        };
        let files = conf.etcd_tls.clone().unwrap_or_default();
        let ca = files.ca.as_ref().map(read).transpose()?;
        let identity = match &files.identity {
            Some((cert, key)) => Some((read(cert)?, read(key)?)),
            None => None,
        };
        let trusted = match &identity {
            Some((cert, key)) => tls::client::of_http_client_as(ca.as_deref(), (cert, key))?,
            None => tls::client::of_http_client(true, ca.as_deref())?,
        };
        let user = match &conf.etcd_user {
            Some(user) => {
                let password = String::from_utf8(read(&user.password)?).map_err(|_| SetupError::Password)?;
                let password = password.trim_end_matches(['\r', '\n']);
                if password.is_empty() || password.contains('\n') {
                    return Err(SetupError::Password);
                }
                Some((user.name.clone(), password.to_owned()))
            }
            None => None,
        };
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(limits::CLUSTER_REQUEST)
            .tcp_user_timeout(limits::CLUSTER_REQUEST)
            .tcp_keepalive(limits::CLUSTER_REQUEST)
            .pool_max_idle_per_host(limits::CLUSTER_CONNECTIONS)
            .tls_backend_preconfigured((*trusted).clone())
            .user_agent(crate::VERSION)
            .build()?;
        Ok(Etcd {
            http,
            addresses: conf.etcd.0.clone(),
            at: AtomicUsize::new(0),
            turns: watch::Sender::new(0),
            user,
            token: Mutex::default(),
        })
    }

    /// All addresses, for messages.
    pub(super) fn addresses(&self) -> String {
        self.addresses.join(" ")
    }

    /// Number of addresses.
    pub(super) fn count(&self) -> usize {
        self.addresses.len()
    }

    /// The address in use.
    pub(super) fn address(&self) -> &str {
        &self.addresses[self.at.load(Ordering::Relaxed) % self.addresses.len()]
    }

    /// Uses the next address, unless another request has done so since `from`.
    fn turn(&self, from: usize) {
        if self.at.compare_exchange(from, from.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.turns.send_replace(from.wrapping_add(1));
        }
    }

    /// Grants a lease for so many seconds.
    pub(super) async fn grant(&self, seconds: u64) -> Result<Lease, EtcdError> {
        let answer = self.ask("lease/grant", &json!({ "TTL": seconds })).await?;
        int(&answer["ID"]).filter(|lease| *lease != 0).ok_or(EtcdError::Malformed)
    }

    /// Renews a lease. Returns whether it still exists.
    pub(super) async fn renew(&self, lease: Lease) -> Result<bool, EtcdError> {
        let answer = self.ask("lease/keepalive", &json!({ "ID": lease.to_string() })).await?;
        let result = answer.get("result").ok_or(EtcdError::Malformed)?;
        Ok(int(&result["TTL"]).is_some_and(|left| left > 0))
    }

    /// Ends a lease, and with it all keys on it.
    pub(super) async fn revoke(&self, lease: Lease) -> Result<(), EtcdError> {
        self.ask("lease/revoke", &json!({ "ID": lease.to_string() })).await.map(drop)
    }

    /// Puts a key if its last change has this revision (0: if it is absent), else reads it.
    pub(super) async fn put_if(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        lease: Lease,
    ) -> Result<Outcome, EtcdError> {
        let key = STANDARD.encode(key);
        let put = json!({ "request_put": { "key": key, "value": STANDARD.encode(value), "lease": lease.to_string() } });
        self.transact(&key, revision, put).await
    }

    /// Puts a key, and returns the revision after that.
    pub(super) async fn put(&self, key: &str, value: &[u8], lease: Lease) -> Result<Revision, EtcdError> {
        let body = json!({
            "key": STANDARD.encode(key), "value": STANDARD.encode(value), "lease": lease.to_string(),
        });
        revision_of(&self.ask("kv/put", &body).await?).ok_or(EtcdError::Malformed)
    }

    /// Deletes a key if its last change has this revision, else reads it.
    pub(super) async fn delete_if(&self, key: &str, revision: Revision) -> Result<Outcome, EtcdError> {
        let key = STANDARD.encode(key);
        self.transact(&key, revision, json!({ "request_delete_range": { "key": key } })).await
    }

    async fn transact(&self, key: &str, revision: Revision, then: Value) -> Result<Outcome, EtcdError> {
        let condition =
            json!({ "target": "MOD", "key": key, "result": "EQUAL", "mod_revision": revision.to_string() });
        let read = json!({ "request_range": { "key": key } });
        let body = json!({ "compare": [condition], "success": [then], "failure": [read] });
        let answer = self.ask("kv/txn", &body).await?;
        if answer["succeeded"] == true {
            return revision_of(&answer).map(Outcome::Done).ok_or(EtcdError::Malformed);
        }
        let found = answer["responses"].get(0).ok_or(EtcdError::Malformed)?;
        pairs(&found["response_range"]).map(|found| Outcome::Found(found.into_iter().next()))
    }

    /// Reads a key.
    pub(super) async fn read(&self, key: &str) -> Result<Option<KeyValue>, EtcdError> {
        let answer = self.ask("kv/range", &json!({ "key": STANDARD.encode(key) })).await?;
        Ok(pairs(&answer)?.into_iter().next())
    }

    /// Reads all keys below a prefix, as they were at one revision.
    pub(super) async fn range(&self, prefix: &str) -> Result<Range, EtcdError> {
        let (mut from, end) = (STANDARD.encode(prefix), STANDARD.encode(after(prefix.as_bytes())));
        let mut range: Option<Range> = None;
        loop {
            let mut body = json!({ "key": from, "range_end": end, "limit": limits::CLUSTER_PAGE });
            if let Some(range) = &range {
                body["revision"] = json!(range.revision.to_string());
            }
            let answer = self.ask("kv/range", &body).await?;
            let page = pairs(&answer)?;
            let more = answer["more"] == true;
            let cluster = text(&answer["header"]["cluster_id"]).and_then(|id| id.parse().ok());
            let (Some(cluster), Some(revision)) = (cluster, revision_of(&answer)) else {
                return Err(EtcdError::Malformed);
            };
            let range = range.get_or_insert(Range { cluster, revision, pairs: Vec::new() });
            if range.pairs.len() + page.len() > limits::CLUSTER_ENTRIES {
                return Err(EtcdError::TooLarge);
            }
            range.pairs.extend(page);
            match range.pairs.last() {
                Some(last) if more => from = STANDARD.encode([&last.key[..], b"\0"].concat()),
                _ => break,
            }
        }
        range.ok_or(EtcdError::Malformed)
    }

    /// Names of the first keys below a prefix, at most [`limits::CLUSTER_PAGE`], without their values.
    pub(super) async fn names(&self, prefix: &str) -> Result<Vec<Vec<u8>>, EtcdError> {
        let end = STANDARD.encode(after(prefix.as_bytes()));
        let body = json!({
            "key": STANDARD.encode(prefix), "range_end": end, "limit": limits::CLUSTER_PAGE, "keys_only": true,
        });
        let answer = self.ask("kv/range", &body).await?;
        Ok(pairs(&answer)?.into_iter().map(|pair| pair.key).collect())
    }

    /// Watches all keys below a prefix from a revision on.
    pub(super) async fn watch(&self, prefix: &str, from: Revision) -> Result<KeyWatch, EtcdError> {
        let turned = self.turns.subscribe();
        let create = json!({ "create_request": {
            "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(after(prefix.as_bytes())),
            "start_revision": from.to_string(),
        } });
        let (response, at) = self.send("watch", &create).await?;
        if response.status() != StatusCode::OK {
            let error = refusal(&bounded(response).await?);
            self.turn(at);
            return Err(error);
        }
        Ok(KeyWatch { response, buffer: Vec::new(), turned })
    }

    pub(super) async fn ask(&self, path: &str, body: &Value) -> Result<Value, EtcdError> {
        for again in [false, true] {
            if let Some((name, password)) = &self.user
                && self.token.lock().is_none()
            {
                let body = json!({ "name": name, "password": password });
                let answer = self.ask_once("auth/authenticate", &body).await?;
                let token = text(&answer["token"]).ok_or(EtcdError::Malformed)?.to_owned();
                *self.token.lock() = Some(token);
            }
            match self.ask_once(path, body).await {
                Err(EtcdError::Refused(code, _))
                    if !again && self.user.is_some() && UNAUTHENTICATED.contains(&code) =>
                {
                    *self.token.lock() = None;
                }
                result => return result,
            }
        }
        unreachable!("the second turn returns")
    }

    async fn ask_once(&self, path: &str, body: &Value) -> Result<Value, EtcdError> {
        let at = self.at.load(Ordering::Relaxed);
        let asked = async {
            let (response, _) = self.send(path, body).await?;
            let status = response.status();
            Ok::<_, EtcdError>((status, bounded(response).await?))
        };
        let asked =
            tokio::time::timeout(limits::CLUSTER_REQUEST, asked).await.unwrap_or(Err(EtcdError::Timeout));
        let (status, answer) = asked.inspect_err(|_| self.turn(at))?;
        if status != StatusCode::OK {
            let error = refusal(&answer);
            // For example without a leader, or while it starts.
            if !matches!(error, EtcdError::Refused(NOT_FOUND | 3 | 16, _)) {
                self.turn(at);
            }
            return Err(error);
        }
        serde_json::from_slice(&answer).map_err(|_| EtcdError::Malformed)
    }

    async fn send(&self, path: &str, body: &Value) -> Result<(Response, usize), EtcdError> {
        let at = self.at.load(Ordering::Relaxed);
        let url = format!("{}/v3/{path}", self.addresses[at % self.addresses.len()]);
        let mut request = self.http.post(url).body(body.to_string());
        if let Some(token) = &*self.token.lock() {
            request = request.header("authorization", token);
        }
        let sent = tokio::time::timeout(limits::CLUSTER_REQUEST, request.send()).await;
        match sent {
            Ok(Ok(response)) => Ok((response, at)),
            Ok(Err(error)) => {
                self.turn(at);
                Err(error.into())
            }
            Err(_) => {
                self.turn(at);
                Err(EtcdError::Timeout)
            }
        }
    }
}

/// The first key that does not begin with a prefix, which ends with a byte below 255.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, EtcdError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limits::CLUSTER_ANSWER_BYTES {
            return Err(EtcdError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Waits before something that has failed is tried again.
pub(super) async fn pause(backoff: &mut Backoff) {
    tokio::time::sleep(backoff.next(RETRY.0, RETRY.1, crate::task::random())).await;
}

/// Retry delay after a first failure, and the longest one.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_its_successor() {
        assert_eq!(after(b"/p/"), b"/p0");
    }
}
