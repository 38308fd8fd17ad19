//! Listening sockets: bound during preparation, accepted on the control thread, served by workers.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use nix::sys::socket::SetSockOpt;
use nix::unistd::AccessFlags;
use nix::{libc, setsockopt_impl, sockopt_impl};
use parking_lot::Mutex;
use socket2::{Domain, SockAddr, SockRef, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::socket::Socket;
use super::speaks::ListenProtocol;
use super::tls::server::ServerTls;
use super::unix::is_stale;
use crate::config::model::Config;
use crate::directive::listen::StandsFor;
use crate::directive::{Keepalive, ListenAddr, ListenOptions};
use crate::limits;
use crate::net::log;
use crate::task::fault;
use crate::task::questions::{OpenQuestions, Question, Questions, answering};
use crate::task::rights;
use crate::task::supervise;

/// Mode of Unix sockets, as in nginx: every user may connect.
const UNIX_MODE: u32 = 0o666;

sockopt_impl!(
    /// Whether a connection is accepted only once data has arrived.
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    libc::c_int
);

sockopt_impl!(
    /// Length of the queue of TCP Fast Open.
    FastOpen,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_FASTOPEN,
    libc::c_int
);

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix.
    Unix(std::os::unix::net::UnixListener),
}

/// Addresses on which a configuration listens. Sockets whose certificate does not exist are omitted.
pub fn wanted(config: &Config, tls: &ServerTls) -> HashMap<(ListenProtocol, ListenAddr), ListenOptions> {
    let rtmp = config.rtmp.iter().flat_map(|r| &r.listeners);
    let rtmp = rtmp.map(|l| ((ListenProtocol::Rtmp, l.addr.clone()), l.options.clone()));
    let http = config.http.iter().flat_map(|h| &h.listeners);
    let http = http.map(|l| ((ListenProtocol::Http, l.addr.clone()), l.options.clone()));
    rtmp.chain(http).filter(|(key, _)| !tls.is_closed(key)).collect()
}

/// Number of sockets for an address: one, or with `reuseport` one per worker.
pub fn sockets_of(addr: &ListenAddr, options: &ListenOptions, workers: usize) -> usize {
    match addr {
        ListenAddr::Tcp(_) if options.reuseport => workers.max(1),
        _ => 1,
    }
}

/// Checks that an address belongs to this machine, without using the port, which a running server may have bound.
///
/// # Errors
///
/// The error with which binding would fail.
pub fn check_address(addr: &ListenAddr) -> io::Result<()> {
    match addr {
        ListenAddr::Tcp(addr) => {
            let mut any_port = *addr;
            any_port.set_port(0);
            std::net::UdpSocket::bind(any_port).map(drop)
        }
        ListenAddr::Unix(_) => Ok(()),
    }
}

/// Binds one address. If only root may bind it, the process's helper does: a low port, or with `reuseport` a port of
/// which root has opened the first socket.
///
/// # Errors
///
/// Errors of the system.
pub fn bind(addr: &ListenAddr, options: &ListenOptions) -> io::Result<Bound> {
    match (bind_unaided(addr, options), rights::helper()) {
        (Err(error), Some(helper))
            if error.kind() == io::ErrorKind::PermissionDenied
                || options.reuseport && error.kind() == io::ErrorKind::AddrInUse =>
        {
            let socket = helper.bind(addr).or(Err(error))?;
            Ok(match addr {
                ListenAddr::Tcp(_) => Bound::Tcp(socket.into()),
                ListenAddr::Unix(_) => Bound::Unix(socket.into()),
            })
        }
        (bound, _) => bound,
    }
}

/// Binds one address with the rights of the process alone.
///
/// # Errors
///
/// Errors of the system.
pub fn bind_unaided(addr: &ListenAddr, options: &ListenOptions) -> io::Result<Bound> {
    match addr {
        ListenAddr::Tcp(addr) => {
            let socket = bind_tcp(*addr, options)?;
            socket.listen(backlog(options))?;
            socket.set_nonblocking(true)?;
            Ok(Bound::Tcp(socket.into()))
        }
        ListenAddr::Unix(path) => {
            remove_stale(path)?;
            let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
            set_buffers(&socket, options)?;
            socket.bind(&SockAddr::unix(path)?)?;
            let listening = std::fs::set_permissions(path, Permissions::from_mode(UNIX_MODE))
                .and_then(|()| socket.listen(backlog(options)));
            if let Err(error) = listening {
                let _ = std::fs::remove_file(path);
                return Err(error);
            }
            socket.set_nonblocking(true)?;
            Ok(Bound::Unix(socket.into()))
        }
    }
}

/// Length of the accept queue.
fn backlog(options: &ListenOptions) -> i32 {
    options.backlog.map_or(limits::LISTEN_BACKLOG, |n| i32::try_from(n).unwrap_or(i32::MAX))
}

fn set_buffers(socket: &socket2::Socket, options: &ListenOptions) -> io::Result<()> {
    let bytes = |size| usize::try_from(size).unwrap_or(usize::MAX);
    options.rcvbuf.map_or(Ok(()), |size| socket.set_recv_buffer_size(bytes(size)))?;
    options.sndbuf.map_or(Ok(()), |size| socket.set_send_buffer_size(bytes(size)))
}

/// Removes a stale socket file, which a killed server leaves behind.
fn remove_stale(path: &Path) -> io::Result<()> {
    if is_stale(path) { std::fs::remove_file(path) } else { Ok(()) }
}

/// Checks whether [`bind`] would succeed, without visible effects: no connection is accepted and no file is created.
///
/// # Errors
///
/// The errors that [`bind`] would return.
pub fn check(addr: &ListenAddr, options: &ListenOptions) -> io::Result<()> {
    match check_unaided(addr, options) {
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                && rights::helper().is_some_and(|helper| helper.may_bind(addr)) =>
        {
            Ok(())
        }
        checked => checked,
    }
}

fn check_unaided(addr: &ListenAddr, options: &ListenOptions) -> io::Result<()> {
    match addr {
        ListenAddr::Tcp(addr) => bind_tcp(*addr, options).map(drop),
        ListenAddr::Unix(path) => {
            if std::fs::symlink_metadata(path).is_ok() && !is_stale(path) {
                return Err(nix::errno::Errno::EADDRINUSE.into());
            }
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            Ok(nix::unistd::access(parent.unwrap_or(Path::new(".")), AccessFlags::W_OK | AccessFlags::X_OK)?)
        }
    }
}

fn bind_tcp(addr: SocketAddr, options: &ListenOptions) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if options.reuseport {
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        socket.set_only_v6(options.ipv6only.unwrap_or(true))?;
    }
    set_buffers(&socket, options)?;
    socket.bind(&SockAddr::from(addr))?;
    Ok(socket)
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Bound::Tcp(listener) => listener.as_fd(),
            Bound::Unix(listener) => listener.as_fd(),
        }
    }
}

impl Bound {
    /// Sets the options that an open socket can change, as nginx does for sockets that it has inherited or kept over a
    /// reload: failures are logged and ignored.
    fn configure(&self, addr: &ListenAddr, options: &ListenOptions) {
        let socket = SockRef::from(self);
        let report = |option: &str, outcome: io::Result<()>| {
            if let Err(error) = outcome {
                log::option_failed(option, addr, &error);
            }
        };
        let bytes = |size| usize::try_from(size).unwrap_or(usize::MAX);
        if let Some(size) = options.rcvbuf {
            report("SO_RCVBUF", socket.set_recv_buffer_size(bytes(size)));
        }
        if let Some(size) = options.sndbuf {
            report("SO_SNDBUF", socket.set_send_buffer_size(bytes(size)));
        }
        if let Bound::Tcp(_) = self {
            if let Some(length) = options.fastopen {
                let length = libc::c_int::try_from(length).unwrap_or(libc::c_int::MAX);
                report("TCP_FASTOPEN", FastOpen.set(self, &length).map_err(Into::into));
            }
            let deferred = libc::c_int::from(options.deferred);
            report("TCP_DEFER_ACCEPT", DeferAccept.set(self, &deferred).map_err(Into::into));
        }
    }

    /// Changes the length of the accept queue; connections in it stay.
    fn listen_again(&self, addr: &ListenAddr, options: &ListenOptions) {
        let backlog = backlog(options);
        if let Err(error) = SockRef::from(self).listen(backlog) {
            log::backlog_failed(addr, backlog, &error);
        }
    }

    /// Lets further sockets bind the same address.
    ///
    /// # Errors
    ///
    /// The system call failed.
    pub fn share(&self) -> io::Result<()> {
        SockRef::from(self).set_reuse_port(true)
    }

    fn try_clone(&self) -> io::Result<Bound> {
        Ok(match self {
            Bound::Tcp(listener) => Bound::Tcp(listener.try_clone()?),
            Bound::Unix(listener) => Bound::Unix(listener.try_clone()?),
        })
    }
}

impl From<Bound> for OwnedFd {
    fn from(bound: Bound) -> OwnedFd {
        match bound {
            Bound::Tcp(listener) => listener.into(),
            Bound::Unix(listener) => listener.into(),
        }
    }
}

/// Receiver of accepted connections.
pub trait Accept: Send + Sync {
    /// Handles a connection to a listening address, or to a socket that stands for it. With `reuseport` and `multi_listen`,
    /// `worker` is the number of the worker to whose socket the client connected.
    fn accepted(&self, speaks: ListenProtocol, addr: &ListenAddr, worker: Option<usize>, socket: Accepted);
}

/// Registers an accepted connection with the reactor of the calling thread.
pub type Accepted = Box<dyn FnOnce() -> io::Result<Socket> + Send>;

/// The accepting sockets. All clones are used on the control thread.
#[derive(Clone)]
pub struct Listeners {
    accept: Arc<dyn Accept>,
    accepting: Arc<Mutex<HashMap<(ListenProtocol, ListenAddr), Accepting>>>,
}

/// The sockets of an address.
struct Accepting {
    /// Several with `reuseport`.
    sockets: Vec<AcceptingSocket>,
    /// Read at each connection.
    options: Arc<ArcSwap<ListenOptions>>,
}

/// A socket, which can be passed to another process, and its accepting task.
struct AcceptingSocket {
    socket: Bound,
    task: Option<RunningListener>,
}

/// An accepting task and the channel for its liveness probes.
struct RunningListener {
    handle: AbortHandle,
    questions: mpsc::Sender<Question>,
}

impl Listeners {
    /// Creates an empty set.
    pub fn new(accept: Arc<dyn Accept>) -> Listeners {
        Listeners { accept, accepting: Arc::default() }
    }

    /// Sends liveness probes to all accepting tasks.
    pub fn ask(&self, asked: &mut OpenQuestions) {
        for ((speaks, addr), accepting) in &*self.accepting.lock() {
            for task in accepting.sockets.iter().filter_map(|socket| socket.task.as_ref()) {
                // There is room: no probe is sent before the last one was answered.
                let _ = task.questions.try_send(asked.question(format!("accepting {speaks} on {addr}")));
            }
        }
    }

    /// Number of open sockets of an address.
    pub fn count(&self, key: &(ListenProtocol, ListenAddr)) -> usize {
        self.accepting.lock().get(key).map_or(0, |accepting| accepting.sockets.len())
    }

    /// Lets further sockets bind an address that is open already.
    ///
    /// # Errors
    ///
    /// A system call failed.
    pub fn share(&self, key: &(ListenProtocol, ListenAddr)) -> io::Result<()> {
        let accepting = self.accepting.lock();
        accepting.get(key).into_iter().flat_map(|all| &all.sockets).try_for_each(|one| one.socket.share())
    }

    /// Starts accepting on sockets of an address, beside those that are open already. Must be called within the control
    /// runtime.
    ///
    /// # Errors
    ///
    /// No file descriptors are left.
    pub fn add(
        &self,
        key: (ListenProtocol, ListenAddr),
        bound: Vec<Bound>,
        options: &ListenOptions,
    ) -> io::Result<()> {
        let mut all = self.accepting.lock();
        let accepting = all.entry(key.clone()).or_insert_with(|| Accepting {
            sockets: Vec::new(),
            options: Arc::new(ArcSwap::from_pointee(options.clone())),
        });
        for bound in bound {
            bound.configure(&key.1, options);
            if options.backlog.is_some() {
                // An inherited socket has another one.
                bound.listen_again(&key.1, options);
            }
            let (socket, number) = (bound.try_clone()?, accepting.sockets.len());
            let task = Some(accept(&self.accept, &key, number, bound, &accepting.options)?);
            accepting.sockets.push(AcceptingSocket { socket, task });
        }
        Ok(())
    }

    /// Applies the options of a new configuration to open sockets. Sockets that `reuseport` no longer requires go on
    /// accepting, because connections in their queues would be lost.
    pub fn update(&self, wanted: &HashMap<(ListenProtocol, ListenAddr), ListenOptions>) {
        for (key, accepting) in &*self.accepting.lock() {
            let Some(options) = wanted.get(key) else { continue };
            let before = accepting.options.load_full();
            if *before == *options {
                continue;
            }
            for AcceptingSocket { socket, .. } in &accepting.sockets {
                socket.configure(&key.1, options);
                if backlog(&before) != backlog(options) {
                    socket.listen_again(&key.1, options);
                }
            }
            let is_v6 = matches!(&key.1, ListenAddr::Tcp(addr) if addr.is_ipv6());
            if is_v6 && before.ipv6only.unwrap_or(true) != options.ipv6only.unwrap_or(true) {
                log::ipv6only_kept(&key.1);
            }
            accepting.options.store(Arc::new(options.clone()));
        }
    }

    /// Duplicates all sockets, for another process.
    ///
    /// # Errors
    ///
    /// No file descriptors are left.
    pub fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.accepting
            .lock()
            .values()
            .flat_map(|accepting| &accepting.sockets)
            .map(|accepting| accepting.socket.try_clone().map(OwnedFd::from))
            .collect()
    }

    /// Stops accepting; the sockets stay open for another process that shares them.
    pub fn pause(&self) {
        self.accepting.lock().values_mut().for_each(Accepting::stop);
    }

    /// Whether sockets are open that do not accept.
    pub fn is_paused(&self) -> bool {
        let accepting = self.accepting.lock();
        accepting.values().flat_map(|accepting| &accepting.sockets).any(|socket| socket.task.is_none())
    }

    /// Accepts again after [`Listeners::pause`].
    ///
    /// # Errors
    ///
    /// No file descriptors are left.
    pub fn resume(&self) -> io::Result<()> {
        for (key, accepting) in &mut *self.accepting.lock() {
            for (number, one) in accepting.sockets.iter_mut().enumerate() {
                if one.task.is_none() {
                    let socket = one.socket.try_clone()?;
                    one.task = Some(accept(&self.accept, key, number, socket, &accepting.options)?);
                }
            }
        }
        Ok(())
    }

    /// Stops accepting and closes all sockets; with `remove`, also removes socket files.
    pub fn close(&self, remove: bool) {
        if remove {
            return self.retain(|_| false);
        }
        self.pause();
        self.accepting.lock().clear();
    }

    /// Stops accepting on addresses that are no longer wanted; open connections continue.
    pub fn retain(&self, wanted: impl Fn(&(ListenProtocol, ListenAddr)) -> bool) {
        self.accepting.lock().retain(|key, accepting| {
            let keep = wanted(key);
            if !keep {
                accepting.stop();
                if let ListenAddr::Unix(path) = &key.1 {
                    // A remaining file would look like a socket in use at the next start.
                    match (std::fs::remove_file(path), rights::helper()) {
                        (Err(error), Some(helper)) if error.kind() == io::ErrorKind::PermissionDenied => {
                            helper.unbind(&key.1);
                        }
                        _ => {}
                    }
                }
            }
            keep
        });
    }
}

impl Accepting {
    fn stop(&mut self) {
        for task in self.sockets.iter_mut().filter_map(|socket| socket.task.take()) {
            task.handle.abort();
        }
    }
}

/// Accepts on a socket until the task is aborted. `number` counts the sockets of the address.
fn accept(
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

#[cfg(test)]
mod tests {
    use super::super::unix::connect;
    use super::*;

    #[test]
    fn only_a_socket_that_refuses_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        // The queue fills up; the next connect would block forever.
        let queued: Vec<_> = (0..4).map_while(|_| connect(&path).ok()).collect();
        assert!(connect(&path).is_err(), "{} in the queue", queued.len());
        assert!(!is_stale(&path));
        let (addr, options) = (ListenAddr::Unix(path.clone()), ListenOptions::default());
        assert!(check(&addr, &options).is_err() && bind(&addr, &options).is_err() && path.exists());
        drop((queued, socket));
        assert!(is_stale(&path));
        assert!(check(&addr, &options).is_ok() && path.exists());
        assert!(bind(&addr, &options).is_ok());
    }
}
