//! The task that accepts connections on a socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::bind::Bound;
use crate::directive::listen::StandsFor;
use crate::directive::{Keepalive, ListenAddr, ListenOptions};
use crate::net::log;
use crate::net::socket::Socket;
use crate::net::speaks::ListenProtocol;
use crate::task::fault;
use crate::task::questions::{Question, Questions, answering};
use crate::task::supervise;

/// Receiver of accepted connections.
pub trait Accept: Send + Sync {
    /// Handles a connection to a listening address, or to a socket that stands for it. With `reuseport` and `multi_listen`,
    /// `worker` is the number of the worker to whose socket the client connected.
    fn accepted(&self, speaks: ListenProtocol, addr: &ListenAddr, worker: Option<usize>, socket: Accepted);
}

/// Registers an accepted connection with the reactor of the calling thread.
pub type Accepted = Box<dyn FnOnce() -> io::Result<Socket> + Send>;

/// An accepting task and the channel for its liveness probes.
pub(super) struct RunningListener {
    pub(super) handle: AbortHandle,
    pub(super) questions: mpsc::Sender<Question>,
}

/// Accepts on a socket until the task is aborted. `number` counts the sockets of the address.
pub(super) fn accept(
    accept: &Arc<dyn Accept>,
    key: &(ListenProtocol, ListenAddr),
    number: usize,
    bound: Bound,
    options: &Arc<ArcSwap<ListenOptions>>,
) -> io::Result<RunningListener> {
    let (accept, (speaks, addr), options) = (accept.clone(), key.clone(), options.clone());
    let (questions, asked) = mpsc::channel(1);
    let name = format!("accepting {speaks} on {addr}");
    let asked = tokio::sync::Mutex::new(asked);
    let acceptor = AcceptTask { accept, speaks, addr, number, options, asked };
    let handle = match bound {
        Bound::Tcp(listener) => {
            let shared = Arc::new((acceptor, TcpListener::from_std(listener)?));
            supervise::keep(name, move || {
                let shared = shared.clone();
                async move { accept_tcp(&shared.0, &shared.1).await }
            })
        }
        Bound::Unix(listener) => {
            let shared = Arc::new((acceptor, UnixListener::from_std(listener)?));
            supervise::keep(name, move || {
                let shared = shared.clone();
                async move { accept_unix(&shared.0, &shared.1).await }
            })
        }
    };
    Ok(RunningListener { handle, questions })
}

/// Data of an accepting task besides the socket.
struct AcceptTask {
    accept: Arc<dyn Accept>,
    speaks: ListenProtocol,
    addr: ListenAddr,
    /// Number among the sockets of the address.
    number: usize,
    options: Arc<ArcSwap<ListenOptions>>,
    /// Locked only by the task.
    asked: tokio::sync::Mutex<Questions>,
}

async fn accept_tcp(acceptor: &AcceptTask, listener: &TcpListener) {
    let mut asked = acceptor.asked.lock().await;
    loop {
        match answering(&mut asked, listener.accept()).await {
            Ok((stream, _)) => {
                if let Some(keepalive) = acceptor.options.load().keepalive {
                    let socket = SockRef::from(&stream);
                    // This fails if the peer is already gone, which reading will show.
                    let _ = match keepalive.on {
                        true => socket.set_tcp_keepalive(&keepalive_of(keepalive)),
                        false => socket.set_keepalive(false),
                    };
                }
                let Ok(stream) = stream.into_std() else { continue };
                dispatch(acceptor, move || TcpStream::from_std(stream).map(Socket::from));
            }
            // Its client has left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => answering(&mut asked, pause(&acceptor.addr, &error)).await,
        }
    }
}

async fn accept_unix(acceptor: &AcceptTask, listener: &UnixListener) {
    let mut asked = acceptor.asked.lock().await;
    loop {
        match answering(&mut asked, listener.accept()).await {
            Ok((stream, _)) => {
                let Ok(stream) = stream.into_std() else { continue };
                dispatch(acceptor, move || UnixStream::from_std(stream).map(Socket::from));
            }
            // Its client has left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => answering(&mut asked, pause(&acceptor.addr, &error)).await,
        }
    }
}

/// Passes a connection on.
fn dispatch(acceptor: &AcceptTask, socket: impl FnOnce() -> io::Result<Socket> + Send + 'static) {
    fault::panic_at("accept");
    let options = acceptor.options.load();
    let by_system = matches!(acceptor.addr, ListenAddr::Tcp(_)) && options.reuseport;
    let (addr, worker) = match &options.stands_for {
        Some(StandsFor { addr, worker }) => (addr, Some(*worker)),
        None => (&acceptor.addr, by_system.then_some(acceptor.number)),
    };
    acceptor.accept.accepted(acceptor.speaks, addr, worker, Box::new(socket));
}

fn keepalive_of(keepalive: Keepalive) -> TcpKeepalive {
    let mut out = TcpKeepalive::new();
    if let Some(seconds) = keepalive.idle_seconds {
        out = out.with_time(Duration::from_secs(seconds));
    }
    if let Some(seconds) = keepalive.interval_seconds {
        out = out.with_interval(Duration::from_secs(seconds));
    }
    if let Some(probes) = keepalive.probes {
        out = out.with_retries(u32::try_from(probes).unwrap_or(u32::MAX));
    }
    out
}

/// Out of descriptors or memory: waits, since accepting again at once would loop.
async fn pause(addr: &ListenAddr, error: &io::Error) {
    log::accept_failed(addr, error);
    tokio::time::sleep(Duration::from_millis(500)).await;
}
