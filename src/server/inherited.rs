//! Inherited listening sockets: from the process being replaced, or from a service manager (socket activation).
//!
//! Both are passed as descriptors 3, 4, … with their number in `LISTEN_FDS`. The process being replaced also lists them
//! in `NGINX`, as nginx does, which distinguishes the two cases. A socket is used for the `listen` line with its
//! address.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use listenfd::ListenFd;
use socket2::SockRef;

use crate::directive::ListenAddr;
use crate::media::listing::CarriedCounts;
use crate::net::listener::Bound;
use crate::server::log;

/// Variable with the descriptors from the process being replaced.
pub(super) const NGINX: &str = "NGINX";
/// Variable with the counters of the process being replaced.
pub(super) const COUNTED: &str = "PINGOSD_COUNTED";

/// Inherited sockets that are not in use yet.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    sockets: Vec<Bound>,
    /// Descriptors that are not listening sockets.
    others: Vec<(usize, io::Error)>,
    replaces: bool,
}

impl Inherited {
    /// Takes over the sockets. A second call finds none.
    pub(super) fn from_env() -> Inherited {
        let mut given = ListenFd::from_env();
        let (mut sockets, mut others) = (Vec::new(), Vec::new());
        for index in 0..given.len() {
            match take(&mut given, index) {
                Ok(Some(socket)) => sockets.push(socket),
                Ok(None) => {}
                Err(error) => others.push((index, error)),
            }
        }
        Inherited { sockets, others, replaces: std::env::var_os(NGINX).is_some_and(|fds| !fds.is_empty()) }
    }

    /// Whether this process was started to replace another one.
    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    /// Counters of the process being replaced.
    pub(super) fn carried(&self) -> CarriedCounts {
        let text = std::env::var(COUNTED).ok().filter(|_| self.replaces);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Whether a socket for an address is inherited.
    pub(super) fn has(&self, addr: &ListenAddr) -> bool {
        self.sockets.iter().any(|socket| serves(socket, addr))
    }

    /// The inherited sockets for an address: several if the process being replaced used `reuseport`.
    pub(super) fn take(&mut self, addr: &ListenAddr) -> Vec<Bound> {
        let Some(first) = self.sockets.iter().find(|socket| serves(socket, addr)).map(name) else {
            return Vec::new();
        };
        self.sockets.extract_if(.., |socket| name(socket) == first).collect()
    }

    /// Closes unused sockets, on which connections would wait forever. The log must be open.
    pub(super) fn close_rest(self) {
        for (index, error) in self.others {
            log::socket_not_inherited(index, &error);
        }
        for socket in self.sockets {
            log::inherited_socket_unused(&name(&socket));
        }
    }
}

fn take(given: &mut ListenFd, index: usize) -> io::Result<Option<Bound>> {
    let socket = match given.take_tcp_listener(index) {
        Ok(socket) => socket.map(Bound::Tcp),
        Err(_) => given.take_unix_listener(index)?.map(Bound::Unix),
    };
    match &socket {
        Some(Bound::Tcp(listener)) => listener.set_nonblocking(true)?,
        Some(Bound::Unix(listener)) => listener.set_nonblocking(true)?,
        None => {}
    }
    Ok(socket)
}

/// Whether a socket accepts what a `listen` line with this address requires.
fn serves(socket: &Bound, addr: &ListenAddr) -> bool {
    match (socket, addr) {
        (Bound::Tcp(listener), ListenAddr::Tcp(addr)) => listener.local_addr().is_ok_and(|local| {
            // systemd's `ListenStream=1935` is one socket for IPv6 and IPv4.
            let both = || SockRef::from(listener).only_v6().is_ok_and(|only| !only);
            local == *addr || covers_v4(local, *addr) && both()
        }),
        (Bound::Unix(listener), ListenAddr::Unix(path)) => {
            listener.local_addr().is_ok_and(|local| local.as_pathname() == Some(path))
        }
        _ => false,
    }
}

fn covers_v4(local: SocketAddr, wanted: SocketAddr) -> bool {
    let any_v6 = local.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    any_v6 && wanted.is_ipv4() && wanted.ip().is_unspecified() && local.port() == wanted.port()
}

fn name(socket: &Bound) -> String {
    match socket {
        Bound::Tcp(listener) => listener.local_addr().map_or_else(|e| e.to_string(), |addr| addr.to_string()),
        Bound::Unix(listener) => {
            let path = listener.local_addr().ok().and_then(|addr| addr.as_pathname().map(ToOwned::to_owned));
            path.map_or_else(|| "unix:".into(), |path| format!("unix:{}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_for_both_versions_serves_the_older_one() {
        let Ok(socket) = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None) else {
            return;
        };
        socket.set_only_v6(false).unwrap();
        let any: SocketAddr = "[::]:0".parse().unwrap();
        if socket.bind(&any.into()).is_err() {
            return;
        }
        socket.listen(1).unwrap();
        let bound = Bound::Tcp(socket.into());
        let Bound::Tcp(listener) = &bound else { unreachable!() };
        let port = listener.local_addr().unwrap().port();
        let wanted = |text: String| serves(&bound, &ListenAddr::Tcp(text.parse().unwrap()));
        assert!(wanted(format!("0.0.0.0:{port}")) && wanted(format!("[::]:{port}")));
        assert!(!wanted(format!("127.0.0.1:{port}")) && !wanted(format!("0.0.0.0:{}", port ^ 1)));
    }
}
