//! Asks responders, on the process's runtime.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bstr::ByteSlice;
use parking_lot::Mutex as SyncMutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::log::os_text;
use crate::log::shown::Shown;
use crate::net::dns::Dns;
use crate::net::log;
use crate::net::ssl::responder::Responder;

/// Work of asking responders. Clones share everything.
#[derive(Clone)]
pub struct Asker(Arc<Inner>);

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A responder: its host and port.
type Key = (String, u16);

/// The places of one responder.
#[derive(Debug)]
struct Share {
    /// Requests at the same time.
    places: Arc<Semaphore>,
    /// Requests that were begun and have not ended.
    pending: usize,
}

struct Inner {
    jobs: mpsc::Sender<Job>,
    inbox: Mutex<mpsc::Receiver<Job>>,
    /// Resolves names where a server has no resolver of its own.
    dns: OnceLock<Dns>,
    places: Arc<Semaphore>,
    /// Responders that are asked, as long as they are.
    shares: SyncMutex<HashMap<Key, Share>>,
}

/// A request of a responder's share, whatever ends it.
struct Pending {
    asker: Asker,
    key: Key,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut shares = self.asker.0.shares.lock();
        if let Some(share) = shares.get_mut(&self.key) {
            share.pending -= 1;
            if share.pending == 0 {
                shares.remove(&self.key);
            }
        }
    }
}

/// The end of a line about a request: its responder and its certificate.
pub(super) struct About<'a> {
    pub(super) responder: &'a Responder,
    /// File of a certificate of ours.
    pub(super) certificate: Option<&'a str>,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").finish_non_exhaustive()
    }
}

impl Default for Asker {
    fn default() -> Self {
        let (jobs, inbox) = mpsc::channel(limits::OCSP_QUEUE);
        let places = Arc::new(Semaphore::new(limits::OCSP_REQUESTS));
        let shares = SyncMutex::default();
        Asker(Arc::new(Inner { jobs, inbox: Mutex::new(inbox), dns: OnceLock::new(), places, shares }))
    }
}

impl Asker {
    /// Does the work. Runs as long as the process.
    pub async fn run(self, dns: Dns) {
        let _ = self.0.dns.set(dns);
        self.work().await;
    }

    async fn work(&self) {
        let mut inbox = self.0.inbox.lock().await;
        while let Some(job) = inbox.recv().await {
            tokio::spawn(job);
        }
    }

    /// Begins work for a responder; `false` if too much of it waits. Work waits for a place of its responder first, so that
    /// what waits for one that does not answer holds no place of others. It ends when `unwanted` is cancelled.
    pub(super) fn begin(
        &self,
        responder: &Responder,
        unwanted: CancellationToken,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> bool {
        let key = (responder.host.clone(), responder.port);
        let (places, pending) = {
            let mut shares = self.0.shares.lock();
            let all: usize = shares.values().map(|share| share.pending).sum();
            let share = shares.entry(key.clone()).or_insert_with(|| Share {
                places: Arc::new(Semaphore::new(limits::OCSP_REQUESTS_EACH)),
                pending: 0,
            });
            if share.pending >= limits::OCSP_REQUESTS_EACH + limits::OCSP_QUEUE_EACH
                || all >= limits::OCSP_REQUESTS + limits::OCSP_QUEUE
            {
                return false;
            }
            share.pending += 1;
            (share.places.clone(), Pending { asker: self.clone(), key })
        };
        let all = self.0.places.clone();
        let job = async move {
            let _pending = pending;
            let asked = async {
                let Ok(_own) = places.acquire_owned().await else { return };
                let Ok(_place) = all.acquire_owned().await else { return };
                work.await;
            };
            tokio::select! {
                biased;
                () = unwanted.cancelled() => {}
                () = asked => {}
            }
        };
        self.0.jobs.try_send(Box::pin(job)).is_ok()
    }

    /// The address of a responder that has answered, and the body of its answer to a request (DER). Each address is tried once.
    ///
    /// # Errors
    ///
    /// There is none; the reason is in the log.
    pub(super) async fn ask(
        &self,
        about: &About<'_>,
        resolver: Option<&Dns>,
        request: &[u8],
    ) -> Result<(SocketAddr, Vec<u8>), ()> {
        let Responder { host, port, .. } = about.responder;
        if resolver.is_none() && host.parse::<std::net::Ipv4Addr>().is_err() {
            log::ocsp_warning(&format!("no resolver defined to resolve {host}{}", about.text(None)));
        }
        let dns = resolver.or_else(|| self.0.dns.get()).ok_or(())?;
        let found = dns.lookup(host).await.map_err(|error| {
            let text = format!("{host} could not be resolved ({})", error.as_in_nginx());
            log::ocsp_failed(&(text + &about.text(None)));
        })?;
        let head = format!("GET {} HTTP/1.0\r\nHost: {host}\r\n\r\n", about.responder.target(request));
        for ip in found.iter() {
            let addr = SocketAddr::new(*ip, *port);
            match tokio::time::timeout(limits::OCSP_TIMEOUT, exchange(addr, &head)).await {
                Ok(Ok(answer)) => {
                    return body_of(&answer)
                        .map(|body| (addr, body))
                        .map_err(|why| log::ocsp_failed(&format!("{why}{}", about.text(Some(addr)))));
                }
                Ok(Err((what, error))) => {
                    let text = format!("{what} failed ({})", os_text(&error));
                    log::ocsp_failed(&(text + &about.text(Some(addr))));
                }
                Err(_) => {
                    let text = "OCSP responder timed out (110: Connection timed out)".to_owned();
                    log::ocsp_failed(&(text + &about.text(Some(addr))));
                }
            }
        }
        Err(())
    }
}

impl About<'_> {
    /// The end of a line.
    pub(super) fn text(&self, peer: Option<SocketAddr>) -> String {
        let mut text = format!(" while requesting certificate status, responder: {}", self.responder.host);
        if let Some(peer) = peer {
            text += &format!(", peer: {peer}");
        }
        if let Some(certificate) = self.certificate {
            text += &format!(", certificate: \"{certificate}\"");
        }
        text
    }
}

/// Sends a request, and reads what comes up to the end, as far as it has room.
async fn exchange(addr: SocketAddr, request: &str) -> Result<Vec<u8>, (String, io::Error)> {
    let of = |what: String| move |error: io::Error| (what, error);
    let mut socket = TcpStream::connect(addr).await.map_err(of(format!("connect() to {addr}")))?;
    socket.write_all(request.as_bytes()).await.map_err(of("send()".into()))?;
    let mut answer = Vec::new();
    let mut bounded = socket.take(limits::OCSP_RESPONSE);
    // As in nginx, an error ends the response as its end does.
    let _ = bounded.read_to_end(&mut answer).await;
    Ok(answer)
}

/// Reason why an answer of a responder is not looked into. The text is nginx's sentence.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    /// It is no response of HTTP.
    #[error("OCSP responder sent invalid response")]
    Invalid,
    /// It ends too soon.
    #[error("OCSP responder prematurely closed connection")]
    Early,
    /// Its content is of another type.
    #[error("OCSP responder sent invalid \"Content-Type\" header: \"{}\"", Shown::new(.0))]
    ContentType(Vec<u8>),
}

/// The body of a response.
fn body_of(answer: &[u8]) -> Result<Vec<u8>, AnswerError> {
    const TYPE: &str = "application/ocsp-response";
    let Some((head, body)) = split_head(answer) else {
        let is_early = answer.starts_with(b"HTTP/") || answer.is_empty();
        return Err(if is_early { AnswerError::Early } else { AnswerError::Invalid });
    };
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let version = status.strip_prefix(b"HTTP/").and_then(|rest| rest.split_once_str(" "));
    let is_status = version.is_some_and(|(version, rest)| {
        version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
            && rest.len() >= 3
            && rest[..3].iter().all(u8::is_ascii_digit)
            && rest.get(3).is_none_or(|byte| *byte == b' ')
    });
    if !is_status {
        return Err(AnswerError::Invalid);
    }
    for line in lines {
        let (name, value) = line.split_once_str(":").ok_or(AnswerError::Invalid)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case(b"Content-Type") && !value.eq_ignore_ascii_case(TYPE.as_bytes()) {
            return Err(AnswerError::ContentType(value.to_vec()));
        }
    }
    Ok(body.to_vec())
}

/// Head and body; lines end with or without a carriage return.
fn split_head(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let found = ends.into_iter().filter_map(|end| Some((answer.find(end)?, end.len())));
    let (at, length) = found.min()?;
    Some((&answer[..at], &answer[at + length..]))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    fn responder(host: &str) -> Responder {
        Responder { host: host.to_owned(), port: 80, uri: "/".into() }
    }

    #[tokio::test]
    async fn a_responder_that_does_not_answer_takes_no_more_than_its_share() {
        let asker = Asker::default();
        let working = asker.clone();
        tokio::spawn(async move { working.work().await });
        let (silent, running) = (responder("silent.test"), Arc::new(AtomicUsize::new(0)));
        let forever = || {
            let running = running.clone();
            async move {
                running.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
        };
        let unwanted = CancellationToken::new();
        for _ in 0..limits::OCSP_REQUESTS_EACH + limits::OCSP_QUEUE_EACH {
            assert!(asker.begin(&silent, unwanted.clone(), forever()));
        }
        assert!(!asker.begin(&silent, unwanted.clone(), forever()), "its queue is bounded");
        let (done, ended) = oneshot::channel();
        let other = async move { done.send(()).unwrap() };
        assert!(asker.begin(&responder("other.test"), CancellationToken::new(), other));
        ended.await.unwrap();
        while running.load(Ordering::SeqCst) < limits::OCSP_REQUESTS_EACH {
            tokio::task::yield_now().await;
        }
        // Handshakes that were given up leave nothing, neither what was being asked nor what waited.
        unwanted.cancel();
        while !asker.0.shares.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(running.load(Ordering::SeqCst), limits::OCSP_REQUESTS_EACH);
        assert_eq!(asker.0.places.available_permits(), limits::OCSP_REQUESTS);
    }

    #[test]
    fn heads_are_judged_as_in_nginx() {
        let ok = b"HTTP/1.0 500 Odd\r\nContent-type: Application/OCSP-response\r\nX: y\r\n\r\nbody\r\n\r\n";
        assert_eq!(body_of(ok).unwrap(), b"body\r\n\r\n", "only its contents matter");
        assert_eq!(body_of(b"HTTP/1.1 200\n\nx").unwrap(), b"x");
        for (answer, why) in [
            (&b""[..], "OCSP responder prematurely closed connection"),
            (b"HTTP/1.0 200 OK\r\n", "OCSP responder prematurely closed connection"),
            (b"nonsense", "OCSP responder sent invalid response"),
            (b"HTTX/1.0 200 OK\r\n\r\n", "OCSP responder sent invalid response"),
            (b"HTTP/1.0 2x0 OK\r\n\r\n", "OCSP responder sent invalid response"),
            (b"HTTP/1.0 200 OK\r\nnonsense\r\n\r\n", "OCSP responder sent invalid response"),
            (
                b"HTTP/1.0 200 OK\r\nContent-Type: text/\"\r\n\r\n",
                "OCSP responder sent invalid \"Content-Type\" header: \"text/\\x22\"",
            ),
        ] {
            assert_eq!(body_of(answer).unwrap_err().to_string(), why);
        }
    }
}
