//! One HTTP connection: hyper reads its requests, the idle timeout is applied, and a live response takes over its
//! socket.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bstr::{BStr, ByteSlice};
use http::header::{CONNECTION, HeaderValue, SERVER};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use parking_lot::Mutex;

use super::exchange::{self, ConnectionUsage, Exchange, HttpConnection, HttpService};
use super::files::{self, INDEX, IsIndex};
use super::heads::HeadTracker;
use super::io::{HttpIo, LiveTakeover};
use super::reply::{Body, plain};
use super::server_conf::ServerConf;
use super::{head, log};
use crate::directive::ListenAddr;
use crate::limits;
use crate::media::workers::Worker;
use crate::net::socket::Socket;

/// `return 444`: closes the connection without a response.
#[derive(Debug)]
struct ConnectionClosed;

impl std::fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by \"return 444\"")
    }
}

impl std::error::Error for ConnectionClosed {}

/// Serves an accepted connection until its end.
pub async fn serve(service: Arc<HttpService>, worker: Worker, listen: ListenAddr, socket: Socket) {
    let Ok(peer) = socket.peer() else { return };
    // Servers for this specific address may share the wildcard's socket.
    let listen = socket.local(listen);
    let scheme = if socket.is_tls() { "https" } else { "http" };
    let socket = Arc::new(socket);
    let takeover = Arc::new(LiveTakeover::default());
    let heads = Arc::new(HeadTracker::default());
    let id = service.sessions.next_id();
    let connection = Arc::new(HttpConnection {
        service: service.clone(),
        listen: listen.clone(),
        id,
        peer,
        scheme,
        started: Instant::now(),
        socket: socket.clone(),
        takeover: takeover.clone(),
        heads: heads.clone(),
        usage: Mutex::new(ConnectionUsage {
            requests: 0,
            in_flight: false,
            since: Instant::now(),
            idle: Duration::ZERO,
            nodelay: false,
        }),
    });
    let outcome = {
        let config = service.store.load();
        let Some(servers) = config.http.as_ref().and_then(|h| h.servers_at(&listen)) else { return };
        // Until a request has selected its server, the default server's settings apply, as in nginx.
        let server = servers.default_server();
        connection.adopt(server.routes().fallback.get());
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(hyper_util::rt::TokioTimer::new())
            .max_buf_size(limits::HTTP_HEAD_BYTES)
            .max_headers(limits::HTTP_HEADERS);
        if let Some(timeout) = server.get::<ServerConf>().client_header_timeout.nonzero() {
            builder.header_read_timeout(timeout);
        }
        // A reference kept here would live as long as the connection.
        drop(config);
        let served = connection.clone();
        let answers = service_fn(move |request| {
            let connection = connection.clone();
            async move { answer(&connection, request).await }
        });
        let io = HttpIo::new(socket.clone(), takeover.clone(), heads);
        let mut http = pin!(builder.serve_connection(io, answers));
        let mut stop = pin!(service.lifetime.shutdown.cancelled());
        let mut drain = pin!(service.lifetime.draining.cancelled());
        let (mut draining, mut drained) = (false, false);
        let mut timer = pin!(tokio::time::sleep(limits::HTTP_IDLE_LOOK));
        poll_fn(|cx| {
            let polled = http.as_mut().poll(cx);
            if polled.is_ready() || takeover.is_flushed() || stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(match polled {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => Ok(()),
                });
            }
            draining = draining || drain.as_mut().poll(cx).is_ready();
            if draining && !drained && served.is_used() {
                drained = true;
                http.as_mut().graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            loop {
                // A request may have set another, shorter timeout.
                let Some(due) = served.idle_until() else { return Poll::Ready(Ok(())) };
                if timer.is_elapsed() || timer.deadline().into_std() > due {
                    timer.as_mut().reset(due.into());
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    };
    if let Err(error) = outcome {
        log::error(id, &error);
    }
    // hyper and its buffers are dropped; a playing connection consists of this task only.
    if let Some(player) = takeover.take() {
        player.run(&worker, socket, &service.lifetime.shutdown).await;
    }
}

/// Selects the location and calls its handler.
async fn answer(
    connection: &HttpConnection,
    request: Request<Incoming>,
) -> Result<Response<Body>, ConnectionClosed> {
    let number = connection.begin();
    let facts = connection.heads.next().ok_or(head::UNTOLD);
    let answered = match facts.and_then(|facts| head::check(&request, &facts).map(|()| facts.target)) {
        Err((status, why)) => {
            log::refused(connection.id, status.as_u16(), why, &connection.peer);
            Some(head::refused(status))
        }
        Ok(target) => locate_and_answer(connection, &request, target.as_bstr(), number).await,
    };
    connection.end();
    let mut response = answered.ok_or(ConnectionClosed)?;
    if !response.headers().contains_key(SERVER) {
        response.headers_mut().insert(SERVER, HeaderValue::from_static("pingosd"));
    }
    Ok(response)
}

/// Selects the location and calls its handler; `None` closes the connection without a response.
async fn locate_and_answer(
    connection: &HttpConnection,
    request: &Request<Incoming>,
    target: &BStr,
    number: u64,
) -> Option<Response<Body>> {
    let config = connection.service.store.load();
    let Some(servers) = config.http.as_ref().and_then(|h| h.servers_at(&connection.listen)) else {
        return Some(plain(StatusCode::NOT_FOUND));
    };
    let Ok((server, named)) = servers.search(&exchange::host_of(request)) else {
        log::undecided(connection.id, "the host", &connection.peer);
        return Some(head::refused(StatusCode::INTERNAL_SERVER_ERROR));
    };
    let server = server.clone();
    drop(config);
    let Some(path) = files::normalize(request.uri().path().as_bytes()) else {
        return Some(plain(StatusCode::BAD_REQUEST));
    };
    let mut exchange = Exchange::new(connection, request, target, &server, &path);
    if let Some(found) = named {
        exchange.assigned.matched(found);
    }
    let mut response = exchange.pass().await?;
    let index;
    if response.extensions().get::<IsIndex>().is_some() {
        // As in nginx, the access rules of the file itself apply too.
        index = [&path[..], INDEX.as_bytes()].concat();
        exchange = exchange.redirected(&index);
        response = exchange.pass().await?;
    }
    let conf = exchange.conf();
    connection.adopt(conf);
    exchange.filter(&mut response);
    if number >= conf.keepalive_requests || conf.keepalive_timeout.timeout.0 == 0 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Some(response)
}
