//! Binding of an address, and the options of its socket.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::socket::SetSockOpt;
use nix::unistd::AccessFlags;
use nix::{libc, setsockopt_impl, sockopt_impl};
use socket2::{Domain, SockAddr, SockRef, Type};

use crate::directive::{ListenAddr, ListenOptions};
use crate::limits;
use crate::net::log;
use crate::net::unix::is_stale;
use crate::task::rights;

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
pub(super) fn backlog(options: &ListenOptions) -> i32 {
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
    pub(super) fn configure(&self, addr: &ListenAddr, options: &ListenOptions) {
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
    pub(super) fn listen_again(&self, addr: &ListenAddr, options: &ListenOptions) {
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

    pub(super) fn try_clone(&self) -> io::Result<Bound> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::unix::connect;

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
