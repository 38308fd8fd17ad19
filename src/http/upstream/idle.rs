//! Idle connections to peers (`keepalive`). Each worker has its own, and one task that closes those that are idle for too
//! long, or whose peers close them: a task for each would cost every request one that begins and ends.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::peers::PeerAddr;
use crate::net::http2::Http2Backend;
use crate::net::socket::Socket;
use crate::task::patience::{Patience, end_of};

/// A connection that may be kept.
#[derive(Debug)]
pub struct PeerConnection {
    /// The socket.
    pub socket: Arc<Socket>,
    /// What uses the socket, over HTTP/2.
    pub http2: Option<Http2Backend>,
    /// Requests so far.
    pub requests: u64,
    /// When it was opened.
    pub opened: Instant,
    /// Ends waits for the peer.
    pub patience: Patience,
}

impl PeerConnection {
    /// A connection just opened.
    pub fn new(socket: Socket) -> PeerConnection {
        PeerConnection {
            socket: Arc::new(socket),
            http2: None,
            requests: 0,
            opened: Instant::now(),
            patience: Patience::default(),
        }
    }

    /// Whether it may be used for a request: one whose peer has closed it, or has sent something unasked, may not.
    pub fn is_usable(&mut self) -> bool {
        match &mut self.http2 {
            Some(http2) => http2.is_usable(),
            None => is_silent(&self.socket),
        }
    }

    /// Whether the peer has closed it, or has sent something unasked; otherwise the task is woken when it does.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(http2) = &mut self.http2 {
            return http2.poll_over(cx).is_ready();
        }
        // That there is something to read may be known from before.
        while let Poll::Ready(ready) = self.socket.poll_read_ready(cx) {
            if ready.is_err() || !is_silent(&self.socket) {
                return true;
            }
        }
        false
    }
}

/// Requests for which an idle connection may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleKey {
    /// Number of the group.
    pub group: u64,
    /// Address of the peer.
    pub addr: PeerAddr,
    /// Name and settings of TLS; `None` without TLS.
    pub tls: Option<Vec<u8>>,
    /// Whether it is one of HTTP/2.
    pub is_http2: bool,
    /// The location whose requests alone use it, if there is one.
    pub location: Option<usize>,
}

struct Idle {
    key: IdleKey,
    connection: PeerConnection,
    /// When it is closed.
    until: Instant,
}

#[derive(Default)]
struct IdleConnections {
    /// The one kept last is last.
    all: Vec<Idle>,
    watch: Watch,
}

/// The task that closes connections.
#[derive(Default)]
enum Watch {
    /// There is none.
    #[default]
    None,
    /// It has not run yet.
    Begun,
    /// It waits for the connections that it has looked at, and for those kept since.
    Waiting {
        waker: Waker,
        /// When it wakes by itself.
        until: Instant,
    },
}

thread_local! {
    static IDLE: RefCell<IdleConnections> = RefCell::default();
}

/// Takes an idle connection.
pub fn take(key: &IdleKey) -> Option<PeerConnection> {
    IDLE.with_borrow_mut(|idle| {
        loop {
            let at = idle.all.iter().rposition(|idle| idle.key == *key)?;
            let mut found = idle.all.remove(at).connection;
            if found.is_usable() {
                return Some(found);
            }
        }
    })
}

/// Keeps a connection for a time, in a worker's thread. If the group has as many as it may have, its oldest is closed.
pub fn keep(key: IdleKey, mut connection: PeerConnection, most: usize, timeout: Duration) {
    let until = end_of(timeout);
    let begins = IDLE.with_borrow_mut(|idle| {
        let of_group = |other: &&Idle| other.key.group == key.group;
        if idle.all.iter().filter(of_group).count() >= most
            && let Some(oldest) = idle.all.iter().position(|other| of_group(&other))
        {
            idle.all.remove(oldest);
        }
        let begins = match &idle.watch {
            Watch::None => {
                idle.watch = Watch::Begun;
                true
            }
            Watch::Begun => false,
            Watch::Waiting { waker, until: wakes } => {
                if until < *wakes {
                    waker.wake_by_ref();
                } else if connection.is_over(&mut Context::from_waker(waker)) {
                    // Only where it is not over, the task is woken once it is.
                    return false;
                }
                false
            }
        };
        idle.all.push(Idle { key, connection, until });
        begins
    });
    if begins {
        tokio::spawn(watch());
    }
}

/// Closes connections until there are none.
async fn watch() {
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| IDLE.with_borrow_mut(|idle| idle.poll_empty(timer.as_mut(), cx))).await;
}

impl IdleConnections {
    /// Closes connections whose time is over, or that have ended. Resolves when none is left.
    fn poll_empty(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            self.all.retain_mut(|idle| now < idle.until && !idle.connection.is_over(cx));
            let Some(until) = self.all.iter().map(|idle| idle.until).min() else {
                self.watch = Watch::None;
                return Poll::Ready(());
            };
            timer.as_mut().reset(until.into());
            self.watch = Watch::Waiting { waker: cx.waker().clone(), until };
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Whether a connection has nothing to read: one that has was closed, or is not in order.
fn is_silent(socket: &Socket) -> bool {
    socket.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Longer than any test runs.
    const LONG: Duration = Duration::from_secs(600);

    /// A connection, and its peer's end.
    async fn pair() -> (PeerConnection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (PeerConnection::new(ours.into()), listener.accept().await.unwrap().0)
    }

    fn key(group: u64) -> IdleKey {
        IdleKey {
            group,
            addr: PeerAddr::Tcp(([127, 0, 0, 1], 1).into()),
            tls: None,
            is_http2: false,
            location: None,
        }
    }

    async fn until_kept(number: usize) {
        let end = Instant::now() + LONG;
        while IDLE.with_borrow(|idle| idle.all.len()) != number {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn connections_are_closed_with_their_peers_or_after_their_times() {
        let (first, first_peer) = pair().await;
        let (second, mut second_peer) = pair().await;
        keep(key(1), first, 8, LONG);
        keep(key(1), second, 8, LONG);
        until_kept(2).await;
        // Connections that are added while the task waits are looked at as well.
        let (third, third_peer) = pair().await;
        let (fourth, _fourth_peer) = pair().await;
        keep(key(1), third, 8, LONG);
        keep(key(2), fourth, 8, Duration::from_millis(20));
        until_kept(3).await;
        drop(third_peer);
        until_kept(2).await;
        second_peer.write_all(b"unasked").await.unwrap();
        until_kept(1).await;
        drop(first_peer);
        until_kept(0).await;
        assert!(IDLE.with_borrow(|idle| matches!(idle.watch, Watch::None)));
        // The task begins again.
        let (fifth, fifth_peer) = pair().await;
        keep(key(1), fifth, 8, LONG);
        until_kept(1).await;
        drop(fifth_peer);
        until_kept(0).await;
    }

    #[tokio::test]
    async fn a_taken_connection_may_be_idle_for_long_and_is_kept_anew() {
        let (connection, mut peer) = pair().await;
        keep(key(1), connection, 8, Duration::from_millis(50));
        until_kept(1).await;
        let connection = take(&key(1)).unwrap();
        assert!(take(&key(1)).is_none());
        tokio::time::sleep(Duration::from_millis(100)).await;
        // It is not closed while it is used, nor by what comes of its use.
        peer.write_all(b"x").await.unwrap();
        connection.socket.readable().await.unwrap();
        assert_eq!(connection.socket.try_read(&mut [0; 8]).unwrap(), 1);
        keep(key(1), connection, 8, LONG);
        assert!(take(&key(2)).is_none());
        assert!(take(&key(1)).is_some());
    }

    #[tokio::test]
    async fn a_group_keeps_the_latest_connections() {
        let (mut peers, mut opened) = (Vec::new(), Vec::new());
        for group in [1, 2, 1, 1] {
            let (connection, peer) = pair().await;
            opened.push(connection.opened);
            keep(key(group), connection, 2, LONG);
            peers.push(peer);
        }
        assert_eq!(peers[0].read(&mut [0]).await.unwrap(), 0);
        assert_eq!(take(&key(1)).unwrap().opened, opened[3]);
        assert_eq!(take(&key(1)).unwrap().opened, opened[2]);
        assert!(take(&key(1)).is_none() && take(&key(2)).is_some());
    }
}
