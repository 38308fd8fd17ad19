//! A backend of HTTP/2, whose paths say what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

/// What has happened so far.
#[derive(Default)]
pub struct Counts {
    pub connections: AtomicUsize,
    pub requests: AtomicUsize,
    /// Bytes of bodies that were passed on for sending.
    pub sent: AtomicUsize,
    /// Bytes of bodies received by paths that count them.
    pub received: AtomicUsize,
    /// Streams that the server has reset, or whose connection it has closed, while they were held.
    pub cancelled: AtomicUsize,
}

impl Counts {
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

pub struct Backend {
    pub port: u16,
    pub counts: Arc<Counts>,
}

impl Backend {
    /// Without TLS.
    pub fn start() -> Backend {
        Backend::with(None)
    }

    /// With these settings of TLS.
    pub fn with(tls: Option<Arc<ServerConfig>>) -> Backend {
        let counts = Arc::new(Counts::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = counts.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    kept.connections.fetch_add(1, Ordering::SeqCst);
                    let (tls, counts) = (tls.clone(), kept.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => serve(socket, counts).await,
                            Some(tls) => {
                                if let Ok(stream) = TlsAcceptor::from(tls).accept(socket).await {
                                    serve(stream, counts).await;
                                }
                            }
                        }
                    });
                }
            });
        });
        Backend { port, counts }
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin, counts: Arc<Counts>) {
    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
    let (leave, mut leaving) = unbounded_channel();
    loop {
        tokio::select! {
            Some(()) = leaving.recv() => connection.graceful_shutdown(),
            next = connection.accept() => match next {
                Some(Ok((request, respond))) => {
                    counts.requests.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(answer(request, respond, counts.clone(), leave.clone()));
                }
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// The head of a request: its pseudo headers, then its fields.
fn shown(request: &Request<RecvStream>) -> String {
    let uri = request.uri();
    let mut text = format!(
        "{} {} {} {}\n",
        request.method(),
        uri.scheme_str().unwrap_or("-"),
        uri.authority().map_or("-", |authority| authority.as_str()),
        uri.path_and_query().map_or("-", |path| path.as_str())
    );
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

fn head(status: u16) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn with_length(length: usize) -> Response<()> {
    let mut response = head(200);
    response.headers_mut().insert("content-length", length.into());
    response
}

/// Sends bytes as far as the windows open.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes, counts: &Counts) -> Option<()> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
        let part = bytes.split_to(room.min(bytes.len()));
        counts.sent.fetch_add(part.len(), Ordering::SeqCst);
        stream.send_data(part, false).ok()?;
    }
    Some(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    counts: Arc<Counts>,
    leave: UnboundedSender<()>,
) -> Option<()> {
    let what = shown(&request);
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    match path.as_str() {
        // The whole body, then its echo.
        "/echo" => {
            let mut all = Vec::new();
            while let Some(data) = body.data().await {
                let data = data.ok()?;
                let _ = body.flow_control().release_capacity(data.len());
                all.extend_from_slice(&data);
            }
            let mut stream = respond.send_response(with_length(all.len()), false).ok()?;
            send(&mut stream, all.into(), &counts).await?;
            stream.send_data(Bytes::new(), true).ok()?;
        }
        // The echo of each part at once: nothing more is read until it is sent.
        "/echo-at-once" => {
            let mut stream = respond.send_response(head(200), false).ok()?;
            while let Some(data) = body.data().await {
                let Ok(data) = data else {
                    counts.cancelled.fetch_add(1, Ordering::SeqCst);
                    return None;
                };
                send(&mut stream, data.clone(), &counts).await?;
                let _ = body.flow_control().release_capacity(data.len());
            }
            stream.send_data(Bytes::new(), true).ok()?;
        }
        // An answer that does not need the body.
        "/refuse" => {
            let mut stream = respond.send_response(head(403), false).ok()?;
            // The stream is reset with NO_ERROR, as its body is dropped.
            stream.send_data("no".into(), true).ok()?;
        }
        // A response that does not wait for the body, which is read meanwhile.
        "/download" => {
            let mut stream = respond.send_response(with_length(crate::LARGE), false).ok()?;
            let counting = counts.clone();
            tokio::spawn(async move {
                while let Some(Ok(data)) = body.data().await {
                    counting.received.fetch_add(data.len(), Ordering::SeqCst);
                    let _ = body.flow_control().release_capacity(data.len());
                }
            });
            send(&mut stream, vec![b'x'; crate::LARGE].into(), &counts).await?;
            stream.send_data(Bytes::new(), true).ok()?;
        }
        "/large" => {
            let mut stream = respond.send_response(with_length(crate::LARGE), false).ok()?;
            let piece = Bytes::from(vec![b'x'; 64 * 1024]);
            for _ in 0..crate::LARGE / piece.len() {
                send(&mut stream, piece.clone(), &counts).await?;
            }
            stream.send_data(Bytes::new(), true).ok()?;
        }
        "/hints" => {
            let mut hint = head(103);
            hint.headers_mut().insert("link", "</a>".parse().unwrap());
            respond.send_informational(hint).ok()?;
            let mut stream = respond.send_response(with_length(1), false).ok()?;
            stream.send_data("x".into(), true).ok()?;
        }
        "/huge-trailers" => {
            let mut stream = respond.send_response(head(200), false).ok()?;
            stream.send_data("body".into(), false).ok()?;
            let mut trailers = HeaderMap::new();
            trailers.insert("x-after", "a".repeat(pingosd::limits::PROXY_TRAILER_BYTES).parse().unwrap());
            stream.send_trailers(trailers).ok()?;
        }
        "/trailers" => {
            let mut stream = respond.send_response(with_length(4), false).ok()?;
            stream.send_data("body".into(), false).ok()?;
            let mut trailers = HeaderMap::new();
            trailers.insert("x-after", "yes".parse().unwrap());
            stream.send_trailers(trailers).ok()?;
        }
        "/head" => drop(respond.send_response(with_length(1234), true).ok()?),
        "/204" | "/304" => {
            drop(respond.send_response(head(path[1..].parse().unwrap()), true).ok()?);
        }
        "/empty" => drop(respond.send_response(head(200), true).ok()?),
        "/short" => {
            let mut stream = respond.send_response(with_length(10), false).ok()?;
            stream.send_data("short".into(), true).ok()?;
        }
        "/long" => {
            let mut stream = respond.send_response(with_length(5), false).ok()?;
            stream.send_data("longer than told".into(), true).ok()?;
        }
        "/cut" => {
            let mut stream = respond.send_response(with_length(10), false).ok()?;
            stream.send_data("begun".into(), false).ok()?;
            // So that the part is sent before.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
        "/stall" => {
            let mut stream = respond.send_response(with_length(10), false).ok()?;
            stream.send_data("begun".into(), false).ok()?;
            held(&mut stream, &counts).await;
        }
        "/refused" => respond.send_reset(Reason::REFUSED_STREAM),
        // Neither reads nor answers.
        "/silent" => {
            let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            counts.cancelled.fetch_add(1, Ordering::SeqCst);
            drop(body);
        }
        "/big-head" | "/huge-head" => {
            let mut response = head(200);
            let (number, length) = if path == "/big-head" { (1, 6000) } else { (200, 12_000) };
            for n in 0..number {
                let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
                response.headers_mut().insert(name, "a".repeat(length).parse().unwrap());
            }
            drop(respond.send_response(response, true).ok()?);
        }
        "/cached" => {
            let text = format!("number {}", counts.requests());
            let mut response = with_length(text.len());
            response.headers_mut().insert("cache-control", "max-age=600".parse().unwrap());
            let mut stream = respond.send_response(response, false).ok()?;
            stream.send_data(text.into(), true).ok()?;
        }
        // The connection ends with this request.
        "/leave" => {
            let _ = leave.send(());
            let mut stream = respond.send_response(head(200), false).ok()?;
            stream.send_data("left".into(), true).ok()?;
        }
        _ => {
            let mut response = with_length(what.len());
            response.headers_mut().insert("server", "tests".parse().unwrap());
            response.headers_mut().append("set-cookie", "a=b; Path=/".parse().unwrap());
            response.headers_mut().append("set-cookie", "c=d".parse().unwrap());
            let mut stream = respond.send_response(response, false).ok()?;
            stream.send_data(what.into(), true).ok()?;
        }
    }
    Some(())
}

/// Waits until the other side gives up.
async fn held(stream: &mut SendStream<Bytes>, counts: &Counts) {
    let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
    counts.cancelled.fetch_add(1, Ordering::SeqCst);
}
