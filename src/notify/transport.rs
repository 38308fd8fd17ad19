//! The HTTP client of callbacks, with TLS, signatures, and a bound on requests to each callback server.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, NoProxy, Proxy, Response, redirect};
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::{AnsweredLimits, CallFailure, CallbackAnswer, Reply};
use super::hook::Hook;
use super::id::RequestId;
use super::main_conf::MainCurrent;
use super::proxy::{HttpProxy, ProxyServer};
use super::request::Stage;
use super::transport_error::TransportError;
use crate::config::model::Config;
use crate::directive::ConfPath;
use crate::limits;
use crate::log::FileError;
use crate::net::client;
use crate::net::dns::Dns;
use crate::net::secret;
use crate::net::secret::Secret;
use crate::net::tls;
use crate::notify::log;
use crate::task::{clock, disk};

/// Header with the signature's time, in seconds since 1970.
const TIME: HeaderName = HeaderName::from_static("x-pingosd-time");
/// Header with `sha256=` and the hexadecimal signature.
const SIGNATURE: HeaderName = HeaderName::from_static("x-pingosd-signature");
/// Header with the request identifier, which repetitions share.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header that marks a request as a test of the callback server.
const PROBE: HeaderName = HeaderName::from_static("x-pingosd-probe");

/// Transport of callbacks. A reload creates a new one.
pub struct Transport {
    /// Connects directly.
    http: Arc<LazyClient>,
    dns: Dns,
    /// Connect through proxies; made when they are needed.
    proxied: Mutex<HashMap<ProxyServer, ProxiedClient>>,
    secret: Option<Secret>,
    /// `notify_request_id`.
    numbers: bool,
    /// `header_timeout`.
    header: Duration,
    lanes: Mutex<HashMap<(String, u16), Arc<ServerPlaces>>>,
}

#[derive(Clone, PartialEq, Eq)]
struct CallbackTls {
    verify: bool,
    trusted: Option<Vec<u8>>,
}

/// Settings of the HTTP client; the connections of a client with the same settings are kept.
#[derive(Clone, PartialEq, Eq)]
struct ClientSettings {
    tls: CallbackTls,
    connect: Duration,
    send: Duration,
    idle: Duration,
    nodelay: bool,
    proxy: HttpProxy,
}

/// A client for a proxy.
struct ProxiedClient {
    client: Arc<LazyClient>,
    /// Whether it was used since the last reload; others are dropped at the next one.
    is_used: bool,
}

/// A request to be sent.
#[derive(Clone, Copy)]
pub struct OutgoingRequest<'s> {
    /// Path and query.
    pub target: &'s str,
    /// Identifier that repetitions share.
    pub id: &'s RequestId,
    /// Whether it goes through a proxy.
    pub way: &'s HttpProxy,
}

/// The HTTP client. Reading the system's certificates takes longer than binding all sockets, so it is created on first
/// use or by [`Transport::warm`].
struct LazyClient {
    settings: ClientSettings,
    dns: Dns,
    client: OnceLock<Option<Client>>,
}

/// Bounds on concurrent requests to one callback server. A `start`, whose answer decides about a session, does not
/// queue behind updates and `done`.
struct ServerPlaces {
    verdicts: Arc<Semaphore>,
    news: Arc<Semaphore>,
}

/// An answer with the address from which it came.
pub struct CallbackExchange {
    /// The answer.
    pub reply: Reply,
    /// Address of the callback server, if it answered.
    pub address: Option<std::net::SocketAddr>,
    /// The body, not yet read.
    pub rest: Option<UnreadBody>,
}

/// Body of an answer. Its contents are ignored; it is read so that the connection can be reused.
pub struct UnreadBody {
    response: Response,
    due: Instant,
    /// Held while the body arrives, because it still occupies the server.
    _place: Option<OwnedSemaphorePermit>,
}

impl UnreadBody {
    /// Reads the body, at most until the call's timeout and up to [`limits::CALLBACK_BODY_BYTES`].
    pub async fn discard(mut self) {
        let mut left = limits::CALLBACK_BODY_BYTES;
        let read = async {
            while let Ok(Some(chunk)) = self.response.chunk().await {
                match left.checked_sub(chunk.len()) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout_at(self.due.into(), read).await;
    }
}

impl CallbackExchange {
    fn without(answer: CallbackAnswer) -> Self {
        CallbackExchange { reply: Reply::without(answer), address: None, rest: None }
    }
}

impl Transport {
    /// Reads the files that `config` names. The client of `before` is kept, with its connections, if its settings have
    /// not changed.
    ///
    /// # Errors
    ///
    /// A file cannot be read or has invalid contents, or the HTTP client refuses its certificates.
    pub fn load(config: &Config, dns: &Dns, before: Option<&Transport>) -> Result<Transport, TransportError> {
        let notify = config.rtmp.as_ref().map(|rtmp| rtmp.get::<MainCurrent>());
        let read = |path: &PathBuf| disk::read(path).map_err(FileError::of("open", path));
        let secret = match notify.and_then(|notify| notify.secret.as_ref()) {
            Some(path) => Some(secret::read("notify_secret", &path.0)?),
            None => None,
        };
        let trusted = match notify.and_then(|notify| notify.ssl_trusted_certificate.as_ref()) {
            Some(path) => Some(read(&path.0)?),
            None => None,
        };
        let tls = CallbackTls { verify: notify.is_none_or(|notify| notify.ssl_verify), trusted };
        let net = config.get::<client::conf::Current>();
        let settings = ClientSettings {
            tls,
            connect: net.connect_timeout.duration(),
            send: net.send_timeout.duration(),
            idle: net.keepalive.duration(),
            nodelay: net.tcp_nodelay,
            proxy: HttpProxy::Off,
        };
        let mut proxied = HashMap::new();
        let http = match before {
            Some(before) if before.http.settings == settings => {
                let known = before.proxied.lock();
                let used = known.iter().filter(|(_, client)| client.is_used);
                proxied.extend(used.map(|(proxy, ProxiedClient { client, .. })| {
                    (proxy.clone(), ProxiedClient { client: client.clone(), is_used: false })
                }));
                before.http.clone()
            }
            _ => Arc::new(LazyClient::new(settings, dns)?),
        };
        let (dns, proxied) = (dns.clone(), Mutex::new(proxied));
        let header = net.header_timeout.duration();
        let numbers = notify.is_some_and(|notify| notify.request_id);
        Ok(Transport { http, dns, proxied, secret, numbers, header, lanes: Mutex::default() })
    }

    /// The files that [`Transport::load`] reads.
    pub fn files(config: &Config) -> impl Iterator<Item = &ConfPath> {
        let notify = config.rtmp.iter().map(|rtmp| rtmp.get::<MainCurrent>());
        notify.flat_map(|notify| [&notify.secret, &notify.ssl_trusted_certificate]).flatten()
    }

    /// Creates the client, which may block for some milliseconds.
    pub fn warm(&self) {
        self.http.client();
    }

    /// The client for requests that go this way.
    fn client_of(&self, way: &HttpProxy) -> Arc<LazyClient> {
        let HttpProxy::Through(proxy) = way else { return self.http.clone() };
        let mut proxied = self.proxied.lock();
        if let Some(known) = proxied.get_mut(proxy) {
            known.is_used = true;
            return known.client.clone();
        }
        let settings = ClientSettings { proxy: way.clone(), ..self.http.settings.clone() };
        let client = Arc::new(LazyClient { settings, dns: self.dns.clone(), client: OnceLock::new() });
        proxied.insert(proxy.clone(), ProxiedClient { client: client.clone(), is_used: true });
        client
    }

    /// Sends one request. The timeout includes the wait for a permit of the callback server, but not the creation of the
    /// client, which would otherwise make the first session after a start fail.
    pub async fn send(
        &self,
        hook: &Hook,
        stage: Stage,
        sent: OutgoingRequest<'_>,
        probe: bool,
    ) -> CallbackExchange {
        let OutgoingRequest { target, id, way } = sent;
        let client = self.client_of(way);
        let client = client.client();
        let now = Instant::now();
        let due = now.checked_add(hook.timeout.duration()).unwrap_or(now + limits::CALLBACK_LONGEST);
        let outcome = tokio::time::timeout_at(due.into(), async {
            let place = self.place(hook, stage).await;
            let url = format!("{}://{}:{}{target}", hook.url.scheme.name(), hook.url.host, hook.url.port);
            let mut headers = self.signature(target);
            headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
            if self.numbers {
                headers.insert(REQUEST_ID, HeaderValue::from_str(id.as_str()).expect("hexadecimal is ASCII"));
            }
            if probe {
                headers.insert(PROBE, HeaderValue::from_static("1"));
            }
            let Some(client) = client else { return (None, place) };
            let sent = client.get(url).headers(headers).send();
            (Some(tokio::time::timeout(self.header, sent).await), place)
        });
        match outcome.await {
            Ok((Some(Ok(Ok(response))), _place)) => {
                let header = |name: &str| {
                    response.headers().get(name).map(|value| Bytes::copy_from_slice(value.as_bytes()))
                };
                let answer = CallbackAnswer::Status(response.status().as_u16());
                let limits =
                    AnsweredLimits { max_viewers: header("max-viewers"), max_bitrate: header("max-bitrate") };
                let limits = (limits != AnsweredLimits::default()).then(|| Box::new(limits));
                let reply = Reply { answer, location: header("location"), domain: header("domain"), limits };
                let address = response.remote_addr();
                let has_body = response.content_length() != Some(0);
                let rest = has_body.then_some(UnreadBody { response, due, _place });
                CallbackExchange { reply, address, rest }
            }
            Ok((Some(Ok(Err(error))), _)) => {
                CallbackExchange::without(CallbackAnswer::Failed(CallFailure::of(&error)))
            }
            Ok((None, _)) => {
                CallbackExchange::without(CallbackAnswer::Failed(CallFailure::Other("no HTTP client".into())))
            }
            Err(_) | Ok((Some(Err(_)), _)) => CallbackExchange::without(CallbackAnswer::TimedOut),
        }
    }

    async fn place(&self, hook: &Hook, stage: Stage) -> Option<OwnedSemaphorePermit> {
        let lanes = {
            let mut lanes = self.lanes.lock();
            lanes.entry((hook.url.host.to_string(), hook.url.port)).or_default().clone()
        };
        let lane = match stage {
            Stage::Start => lanes.verdicts.clone(),
            Stage::Update | Stage::Done => lanes.news.clone(),
        };
        // The semaphore is never closed.
        lane.acquire_owned().await.ok()
    }

    /// `HMAC-SHA256(secret, "GET\n" target "\n" time)`.
    fn signature(&self, target: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(secret) = &self.secret {
            let time = clock::since_1970().as_secs();
            headers.insert(TIME, HeaderValue::from(time));
            let signature = HeaderValue::from_str(&sign(secret.key(), target, time));
            headers.insert(SIGNATURE, signature.expect("hexadecimal is ASCII"));
        }
        headers
    }
}

impl LazyClient {
    /// If the configuration names certificates, the client is created at once, so that errors are reported at the
    /// start.
    fn new(settings: ClientSettings, dns: &Dns) -> Result<LazyClient, TransportError> {
        let client = match settings.tls.trusted {
            Some(_) => OnceLock::from(Some(http_client(&settings, dns)?)),
            None => OnceLock::new(),
        };
        Ok(LazyClient { settings, dns: dns.clone(), client })
    }

    /// The client; `None`, after an error was logged, if it cannot be created.
    fn client(&self) -> Option<&Client> {
        let make = || http_client(&self.settings, &self.dns).inspect_err(log::callbacks_impossible).ok();
        self.client.get_or_init(make).as_ref()
    }
}

impl Default for ServerPlaces {
    fn default() -> Self {
        ServerPlaces {
            verdicts: Arc::new(Semaphore::new(limits::CALLBACK_VERDICTS)),
            news: Arc::new(Semaphore::new(limits::CALLBACK_NEWS)),
        }
    }
}

fn http_client(settings: &ClientSettings, dns: &Dns) -> Result<Client, TransportError> {
    let tls = &settings.tls;
    // As in nginx, only the named certificates are trusted, if there are any.
    let trusted = tls::client::of_http_client(tls.verify, tls.trusted.as_deref())?;
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(dns.clone()))
        .http1_only()
        .tcp_nodelay(settings.nodelay)
        .connect_timeout(settings.connect)
        .tcp_user_timeout(client::send_time(settings.send))
        .pool_max_idle_per_host(if settings.idle.is_zero() { 0 } else { limits::CALLBACK_IDLE_CONNECTIONS })
        .pool_idle_timeout(settings.idle)
        .tls_backend_preconfigured((*trusted).clone())
        .user_agent(crate::VERSION);
    let builder = match &settings.proxy {
        HttpProxy::Off => builder,
        HttpProxy::Through(server) => builder.proxy(proxy_of(server).map_err(TransportError::NoClient)?),
    };
    builder.build().map_err(TransportError::NoClient)
}

fn proxy_of(server: &ProxyServer) -> Result<Proxy, reqwest::Error> {
    let proxy = Proxy::all(format!("http://{}:{}", server.host, server.port))?;
    let proxy = match &server.credentials {
        Some((user, password)) => proxy.basic_auth(user, password),
        None => proxy,
    };
    Ok(proxy.no_proxy(NoProxy::from_string(&server.except)))
}

fn sign(secret: &[u8], target: &str, time: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("GET\n{target}\n{time}").as_bytes());
    format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_over_method_target_and_time() {
        // printf 'GET\n/cb?a=1\n1700000000' | openssl dgst -sha256 -hmac key
        let want = "sha256=5d782a105a4c42d00e444048c60bd53d3666d8d6c9d1c4e446cd9f54e1c6a740";
        assert_eq!(sign(b"key", "/cb?a=1", 1_700_000_000), want);
        assert_ne!(sign(b"key", "/cb?a=2", 1_700_000_000), want);
        assert_ne!(sign(b"other", "/cb?a=1", 1_700_000_000), want);
    }
}
