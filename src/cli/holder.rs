//! Which process listens on an address.

use std::collections::HashSet;
use std::net::SocketAddr;

use procfs::net::{TcpNetEntry, TcpState, UnixNetEntry};
use procfs::process::{FDTarget, Process, all_processes};

use crate::directive::ListenAddr;

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// Process id.
    pub(super) pid: i32,
    /// Name of its program, at most 15 bytes.
    pub(super) name: String,
}

/// The process that listens on this address or on one that excludes it; `None` if it cannot be seen, as one of another
/// user by a user other than root.
pub(super) fn of(address: &ListenAddr) -> Option<Holder> {
    let sockets: HashSet<u64> = match address {
        ListenAddr::Tcp(address) => {
            let (v4, v6) = (procfs::net::tcp().unwrap_or_default(), procfs::net::tcp6().unwrap_or_default());
            let excludes = |entry: &TcpNetEntry| {
                entry.state == TcpState::Listen && collide(entry.local_address, *address)
            };
            v4.into_iter().chain(v6).filter(excludes).map(|entry| entry.inode).collect()
        }
        ListenAddr::Unix(path) => {
            let is_it = |entry: &UnixNetEntry| entry.path.as_ref() == Some(path);
            procfs::net::unix()
                .unwrap_or_default()
                .into_iter()
                .filter(is_it)
                .map(|entry| entry.inode)
                .collect()
        }
    };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let mut processes = all_processes().ok()?.filter_map(Result::ok);
    let process = processes.find(|process| process.pid != own && holds(process, &sockets))?;
    let name = process.stat().map(|stat| stat.comm).unwrap_or_default();
    // A process chooses its name.
    let name = name.chars().filter(|c| !c.is_control()).collect();
    Some(Holder { pid: process.pid, name })
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (any || one.ip() == other.ip())
}

fn holds(process: &Process, sockets: &HashSet<u64>) -> bool {
    let Ok(files) = process.fd() else { return false };
    files
        .filter_map(Result::ok)
        .any(|file| matches!(file.target, FDTarget::Socket(inode) if sockets.contains(&inode)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_collide_as_the_system_says() {
        let at = |text: &str| text.parse().unwrap();
        assert!(collide(at("0.0.0.0:80"), at("127.0.0.1:80")));
        assert!(collide(at("[::]:80"), at("0.0.0.0:80")));
        assert!(!collide(at("127.0.0.1:80"), at("127.0.0.2:80")));
        assert!(!collide(at("0.0.0.0:80"), at("0.0.0.0:81")));
    }

    #[test]
    fn this_process_is_not_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(of(&ListenAddr::Tcp(listener.local_addr().unwrap())), None);
    }
}
