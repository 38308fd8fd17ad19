//! Listening sockets: bound during preparation, accepted on the control thread, or where one worker gets all connections on its
//! thread, and served by workers.

mod accept;
mod bind;

pub use self::accept::{Accept, Accepted};
pub use self::bind::{Bound, bind, bind_unaided, check, check_address};

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use self::accept::{RunningListener, accept};
use self::bind::backlog;
use crate::config::model::Config;
use crate::directive::{ListenAddr, ListenOptions};
use crate::net::log;
use crate::net::speaks::ListenProtocol;
use crate::net::tls::server::ServerTls;
use crate::task::questions::OpenQuestions;
use crate::task::rights;

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
            let task = Some(accept(&self.accept, &key, number, bound, &accepting.options));
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
                    one.task = Some(accept(&self.accept, key, number, socket, &accepting.options));
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
