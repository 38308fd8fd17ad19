//! A TCP proxy in front of etcd that makes faults.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::support::rtmp::is_timeout;

/// Treatment of open and new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// They are closed.
    Cut,
    /// Nothing passes, and nothing is closed.
    Stall,
    /// Each kilobyte takes a while.
    Slow,
    /// Requests pass, answers do not until this is over.
    HalfOpen,
    /// Requests to watch do not pass until this is over; running watches are closed.
    HoldWatches,
}

/// The proxy.
pub struct FaultProxy {
    /// Its port.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    fault: Mutex<Fault>,
    /// Requests to watch that have been held.
    held: AtomicUsize,
    is_over: AtomicBool,
}

const TURN: Duration = Duration::from_millis(20);

impl FaultProxy {
    /// In front of this port of the loopback interface.
    pub fn start(target: u16) -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            fault: Mutex::new(Fault::None),
            held: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                if *accepting.fault.lock() == Fault::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", accepting.target)) else { continue };
                let is_watch = Arc::new(AtomicBool::new(false));
                for (from, to, answers) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), false),
                    (server, client, true),
                ] {
                    let (shared, is_watch) = (accepting.clone(), is_watch.clone());
                    thread::spawn(move || {
                        shared.copy(&from, &to, answers, &is_watch);
                        let _ = from.shutdown(Shutdown::Both);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        FaultProxy { port, shared }
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on this happens.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock() = fault;
    }

    /// Number of requests to watch that have been held.
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, answers: bool, is_watch: &AtomicBool) {
        let mut buffer = [0; 1024];
        from.set_read_timeout(Some(TURN)).unwrap();
        while !self.is_over.load(Ordering::Relaxed) {
            match *self.fault.lock() {
                Fault::Cut => return,
                Fault::HoldWatches if answers && is_watch.load(Ordering::Relaxed) => return,
                _ => {}
            }
            let read = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if is_timeout(&error) => continue,
                Err(_) => return,
            };
            let asks_to_watch = !answers && buffer[..read].starts_with(b"POST /v3/watch");
            let mut counted = false;
            // Until it may pass.
            loop {
                match *self.fault.lock() {
                    Fault::Cut => return,
                    Fault::Stall => {}
                    Fault::HalfOpen if answers => {}
                    Fault::HoldWatches if asks_to_watch => {
                        if !std::mem::replace(&mut counted, true) {
                            self.held.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Fault::None | Fault::Slow | Fault::HalfOpen | Fault::HoldWatches => break,
                }
                if self.is_over.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(TURN);
            }
            if *self.fault.lock() == Fault::Slow {
                thread::sleep(4 * TURN);
            }
            if asks_to_watch {
                is_watch.store(true, Ordering::Relaxed);
            }
            if to.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
