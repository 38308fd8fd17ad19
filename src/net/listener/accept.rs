//! The task that accepts connections on a socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::task::AbortOnDropHandle;

use super::bind::Bound;
use crate::directive::listen::StandsFor;
use crate::directive::{Keepalive, ListenAddr, ListenOptions};
use crate::limits;
use crate::net::log;
use crate::net::moderation;
use crate::net::socket::Socket;
use crate::net::speaks::ListenProtocol;
use crate::task::fault;
use crate::task::questions::{Question, Questions, answering};
use crate::task::supervise;

/// Receiver of accepted connections.
pub trait Accept: Send + Sync {
    /// Handles a connection to a listening address, or to a socket that stands for it. With `reuseport` and `multi_listen`,
    /// `worker` is the number of the worker to whose socket the client connected.
    fn accepted(&self, speaks: ListenProtocol, addr: ListenAddr, worker: Option<usize>, accepted: Accepted);

    /// Runtime of the worker that gets all connections of a socket; `None` if they are distributed.
    fn only_runtime(&self, worker: Option<usize>) -> Option<Handle>;
}

/// A connection that no reactor knows yet.
#[derive(Debug)]
pub struct Accepted {
    connection: OwnedFd,
    /// Address of the client; `None` on a Unix socket.
    peer: Option<SocketAddr>,
}

impl Accepted {
    /// Registers the connection with the reactor of the calling thread.
    ///
    /// # Errors
    ///
    /// The system has no memory or descriptors left.
    pub fn register(self) -> io::Result<Socket> {
        Socket::accepted(self.connection, self.peer)
    }
}

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
) -> RunningListener {
    let (accept, (speaks, addr), options) = (accept.clone(), key.clone(), options.clone());
    let (questions, asked) = mpsc::channel(1);
    let name = format!("accepting {speaks} on {addr}");
    let asked = tokio::sync::Mutex::new(asked);
    let socket = Arc::new(OwnedFd::from(bound));
    let acceptor = Arc::new(AcceptTask { accept, speaks, addr, number, socket, options, asked });
    let handle = supervise::keep(name, move || acceptor.clone().begin());
    RunningListener { handle, questions }
}

/// Data of an accepting task.
struct AcceptTask {
    accept: Arc<dyn Accept>,
    speaks: ListenProtocol,
    addr: ListenAddr,
    /// Number among the sockets of the address.
    number: usize,
    socket: Arc<OwnedFd>,
    options: Arc<ArcSwap<ListenOptions>>,
    /// Locked only by the task.
    asked: tokio::sync::Mutex<Questions>,
}

impl AcceptTask {
    /// Accepts on the thread of the worker that gets all connections, which spares passing them on, or else on the calling one.
    async fn begin(self: Arc<Self>) {
        loop {
            let worker = self.place(&self.options.load()).1;
            let Some(runtime) = self.accept.only_runtime(worker) else { break };
            let acceptor = self.clone();
            match AbortOnDropHandle::new(runtime.spawn(async move { acceptor.run().await })).await {
                Ok(()) => {}
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                // The thread has ended, and another one replaces it.
                Err(_) => tokio::time::sleep(limits::REVIVE_AFTER).await,
            }
        }
        self.run().await;
    }

    /// Accepts until the task is aborted.
    async fn run(&self) {
        let mut asked = self.asked.lock().await;
        moderation::is_always_prompt(self.socket.as_fd());
        loop {
            // One of the runtime's own listeners would register each connection with the reactor of this thread, which may not be
            // the one that serves it.
            #[expect(
                deprecated,
                reason = "an owned descriptor stays open, which the newer function asks for as unsafe code"
            )]
            let registered = AsyncFd::with_interest(self.socket.clone(), Interest::READABLE);
            match registered {
                Ok(listener) => self.accept_on(&listener, &mut asked).await,
                Err(error) => answering(&mut asked, pause(&self.addr, &error)).await,
            }
        }
    }

    async fn accept_on(&self, listener: &AsyncFd<Arc<OwnedFd>>, asked: &mut Questions) {
        loop {
            match answering(asked, listener.async_io(Interest::READABLE, accept_one)).await {
                Ok(accepted) => self.dispatch(accepted),
                // Its client has left before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => answering(asked, pause(&self.addr, &error)).await,
            }
        }
    }

    /// The address that the socket stands for, and the worker that gets its connections, if it is always the same one.
    fn place<'o>(&'o self, options: &'o ListenOptions) -> (&'o ListenAddr, Option<usize>) {
        let by_system = matches!(self.addr, ListenAddr::Tcp(_)) && options.reuseport;
        match &options.stands_for {
            Some(StandsFor { addr, worker }) => (addr, Some(*worker)),
            None => (&self.addr, by_system.then_some(self.number)),
        }
    }

    /// Passes a connection on.
    fn dispatch(&self, accepted: Accepted) {
        fault::panic_at("accept");
        let options = self.options.load();
        if let Some(keepalive) = options.keepalive.filter(|_| accepted.peer.is_some()) {
            let socket = SockRef::from(&accepted.connection);
            // This fails if the peer is already gone, which reading will show.
            let _ = match keepalive.on {
                true => socket.set_tcp_keepalive(&keepalive_of(keepalive)),
                false => socket.set_keepalive(false),
            };
        }
        let (addr, worker) = self.place(&options);
        self.accept.accepted(self.speaks, addr.clone(), worker, accepted);
    }
}

/// Accepts a connection that waits.
fn accept_one(listener: &Arc<OwnedFd>) -> io::Result<Accepted> {
    let (connection, peer) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    Ok(Accepted { connection, peer: peer.and_then(|peer| peer.try_into().ok()) })
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
