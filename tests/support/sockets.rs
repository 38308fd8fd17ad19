//! Sockets of a running process, as the kernel has them.

use std::collections::HashSet;
use std::fs;

use nix::sys::socket::{GetSockOpt, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// Sockets that a process has at a local port: those that listen, or those that are connected.
pub fn sockets(pid: i32, port: u16, listening: bool) -> Vec<Socket> {
    let process = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if !target.to_string_lossy().starts_with("socket:") || !seen.insert(target) {
            continue;
        }
        let number = entry.file_name().to_str().unwrap().parse().unwrap();
        let Ok(socket) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        let socket = Socket::from(socket);
        let local = socket.local_addr().ok().and_then(|addr| addr.as_socket());
        let accepts = sockopt::AcceptConn.get(&socket).unwrap_or(false);
        if local.is_some_and(|local| local.port() == port) && accepts == listening {
            found.push(socket);
        }
    }
    found
}

/// Whether a process has switched off the delay of small packets (TCP_NODELAY) on its connection to this port of this machine.
pub fn nodelay(pid: i32, local: u16, remote: u16) -> Option<bool> {
    let ends_at = |socket: &Socket| {
        let peer = socket.peer_addr().ok().and_then(|addr| addr.as_socket());
        peer.is_some_and(|peer| peer.port() == remote)
    };
    let found = sockets(pid, local, false).into_iter().find(ends_at)?;
    Some(found.tcp_nodelay().unwrap())
}
