//! Idle connections to peers (`keepalive`). Each worker has its own.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::peers::PeerAddr;
use crate::net::socket::Socket;

/// A connection that may be kept.
#[derive(Clone, Debug)]
pub struct PeerConnection {
    /// The socket.
    pub socket: Arc<Socket>,
    /// Requests so far.
    pub requests: u64,
    /// When it was opened.
    pub opened: Instant,
}

/// What an idle connection may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleKey {
    /// Number of the group.
    pub group: u64,
    /// Address of the peer.
    pub addr: PeerAddr,
    /// Name and settings of TLS; `None` without TLS.
    pub tls: Option<Vec<u8>>,
}

struct Idle {
    number: u64,
    key: IdleKey,
    connection: PeerConnection,
    watch: AbortHandle,
}

#[derive(Default)]
struct IdleConnections {
    next: u64,
    /// The one kept last is last.
    all: Vec<Idle>,
}

thread_local! {
    static IDLE: RefCell<IdleConnections> = RefCell::default();
}

/// Takes an idle connection.
pub fn take(key: &IdleKey) -> Option<PeerConnection> {
    loop {
        let found = IDLE.with_borrow_mut(|idle| {
            let at = idle.all.iter().rposition(|idle| idle.key == *key)?;
            Some(idle.all.remove(at))
        })?;
        found.watch.abort();
        // One that has something to read was closed, or is not in order.
        let read = found.connection.socket.try_read(&mut [0]);
        if read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
            return Some(found.connection);
        }
    }
}

/// Keeps a connection for a time. If the group has as many as it may have, its oldest is closed.
pub fn keep(key: IdleKey, connection: PeerConnection, most: usize, timeout: Duration) {
    let closed = IDLE.with_borrow_mut(|idle| {
        let of_group: Vec<usize> =
            (0..idle.all.len()).filter(|at| idle.all[*at].key.group == key.group).collect();
        let closed = (of_group.len() >= most).then(|| idle.all.remove(of_group[0]));
        idle.next += 1;
        let number = idle.next;
        let socket = connection.socket.clone();
        let watch = tokio::spawn(async move {
            // What the peer sends unasked, or that it closes, ends the connection, too.
            let _ = tokio::time::timeout(timeout, socket.readable()).await;
            drop(socket);
            drop(remove(number));
        });
        idle.all.push(Idle { number, key, connection, watch: watch.abort_handle() });
        closed
    });
    if let Some(closed) = closed {
        closed.watch.abort();
    }
}

fn remove(number: u64) -> Option<PeerConnection> {
    IDLE.with_borrow_mut(|idle| {
        let at = idle.all.iter().position(|idle| idle.number == number)?;
        Some(idle.all.remove(at).connection)
    })
}
