//! Asks responders, on the process's runtime.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bstr::ByteSlice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, mpsc};

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

struct Inner {
    jobs: mpsc::Sender<Job>,
    inbox: Mutex<mpsc::Receiver<Job>>,
    /// Resolves names where a server has no resolver of its own.
    dns: OnceLock<Dns>,
    places: Arc<Semaphore>,
}

/// The end of a line about a request: who is asked, and about what.
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
        Asker(Arc::new(Inner { jobs, inbox: Mutex::new(inbox), dns: OnceLock::new(), places }))
    }
}

impl Asker {
    /// Does the work. Runs as long as the process.
    pub async fn run(self, dns: Dns) {
        let _ = self.0.dns.set(dns);
        let mut inbox = self.0.inbox.lock().await;
        while let Some(job) = inbox.recv().await {
            let Ok(place) = self.0.places.clone().acquire_owned().await else { return };
            tokio::spawn(async move {
                let _place = place;
                job.await;
            });
        }
    }

    /// Begins work; `false` if too much of it waits.
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        self.0.jobs.try_send(Box::pin(work)).is_ok()
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
                        .map_err(|why| log::ocsp_failed(&(why + &about.text(Some(addr)))));
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

/// The body of a response.
fn body_of(answer: &[u8]) -> Result<Vec<u8>, String> {
    const TYPE: &str = "application/ocsp-response";
    let invalid = || "OCSP responder sent invalid response".to_owned();
    let early = || "OCSP responder prematurely closed connection".to_owned();
    let Some((head, body)) = split_head(answer) else {
        return Err(if answer.starts_with(b"HTTP/") || answer.is_empty() { early() } else { invalid() });
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
        return Err(invalid());
    }
    for line in lines {
        let (name, value) = line.split_once_str(":").ok_or_else(invalid)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case(b"Content-Type") && !value.eq_ignore_ascii_case(TYPE.as_bytes()) {
            let value = Shown::new(value);
            return Err(format!("OCSP responder sent invalid \"Content-Type\" header: \"{value}\""));
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
    use super::*;

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
            assert_eq!(body_of(answer).unwrap_err(), why);
        }
    }
}
