//! Servers of a group, and their addresses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString, ByteSlice};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// A `server` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address as written.
    pub address: BString,
    /// Where it listens.
    pub place: ServerPlace,
    /// Relative share of the requests.
    pub weight: u32,
    /// Maximum number of concurrent connections; zero is no limit.
    pub max_conns: u64,
    /// Number of failures within `fail_timeout` after which the server is not used for that time.
    pub max_fails: u64,
    /// Seconds; see `max_fails`.
    pub fail_timeout: u64,
    /// Whether it is used only when the others fail.
    pub backup: bool,
    /// Whether it is never used.
    pub down: bool,
    /// Whether only requests that are bound to it use it.
    pub drain: bool,
    /// Milliseconds over which its weight recovers from zero; zero is at once.
    pub slow_start: u64,
    /// Text that binds requests to it; if it is empty, the hash of its address does.
    pub route: BString,
    /// Whether a name that no longer has addresses has no peer.
    pub resolve: bool,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerPlace {
    /// A Unix socket.
    Unix(PathBuf),
    /// An address.
    Address(SocketAddr),
    /// A host name and a port; each address of the name is a peer.
    Name(BString, u16),
    /// A name with SRV records; each address of their hosts is a peer.
    Service(BString),
}

/// Address of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// One address of a server.
#[derive(Debug)]
pub struct Peer {
    /// The address as text, as logs have it.
    pub name: String,
    /// The address.
    pub addr: PeerAddr,
    /// Its line.
    pub server: Arc<Server>,
    /// See [`Peer::sid`]; groups without `sticky` need none.
    sid: OnceLock<BString>,
}

impl PartialEq for Peer {
    fn eq(&self, other: &Peer) -> bool {
        self.addr == other.addr && self.server == other.server
    }
}

impl Server {
    /// A server with the values that nginx takes where none are given.
    pub fn plain(address: BString, place: ServerPlace) -> Server {
        Server {
            address,
            place,
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout: 10,
            backup: false,
            down: false,
            drain: false,
            slow_start: 0,
            route: BString::default(),
            resolve: false,
        }
    }
}

impl Peer {
    /// A peer of a server.
    pub fn new(addr: PeerAddr, server: Arc<Server>) -> Peer {
        let name = match &addr {
            PeerAddr::Tcp(addr) => addr.to_string(),
            PeerAddr::Unix(path) => format!("unix:{}", path.to_string_lossy()),
        };
        Peer { name, addr, server, sid: OnceLock::new() }
    }

    /// Text that binds requests to it: its route, or MD5 of its name in hexadecimal digits.
    pub fn sid(&self) -> &BStr {
        let sid = self.sid.get_or_init(|| match self.server.route.is_empty() {
            true => HEXLOWER.encode(&Md5::digest(&self.name)).into(),
            false => self.server.route.clone(),
        });
        sid.as_bstr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_known_to_clients_by_its_route_or_its_address() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let server = Server::plain("a".into(), ServerPlace::Address(addr));
        // printf 127.0.0.1:80 | md5sum
        let peer = Peer::new(PeerAddr::Tcp(addr), Arc::new(server.clone()));
        assert_eq!(peer.sid(), "cef54f47984626c9efbf070c50bfad1b");
        let server = Server { route: "r".into(), ..server };
        assert_eq!(Peer::new(PeerAddr::Unix("/s".into()), Arc::new(server)).sid(), "r");
    }
}
