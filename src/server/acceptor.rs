//! Passes accepted connections to workers.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use crate::config::model::Config;
use crate::config::store::Store;
use crate::directive::ListenAddr;
use crate::http::server_conf::ServerConf as HttpServerConf;
use crate::http::{self, HttpService};
use crate::limits;
use crate::media::server_conf::ServerConf as RtmpServerConf;
use crate::media::workers::Workers;
use crate::module::rtmp::connection::{self, RtmpService};
use crate::net::connections::Connections;
use crate::net::listener::{Accept, Accepted};
use crate::net::proxy_protocol::{self, SourceAddress};
use crate::net::socket::Socket;
use crate::net::speaks::ListenProtocol;
use crate::net::tls::{self, Tls};
use crate::net::{log, moderation};
use crate::task::lifetime::Lifetime;

/// Distributes connections over the workers: in turn, or with `reuseport` as the clients were distributed over the
/// sockets.
pub(super) struct Acceptor {
    pub(super) store: Arc<Store>,
    pub(super) workers: Arc<Workers>,
    pub(super) connections: Arc<Connections>,
    pub(super) tls: Arc<ArcSwap<Tls>>,
    pub(super) lifetime: Lifetime,
    pub(super) rtmp: Arc<RtmpService>,
    pub(super) http: Arc<HttpService>,
}

/// What is done with a connection before its protocol begins.
struct Beginning {
    /// The `listen` address, whose servers may share a wildcard's socket.
    listen: ListenAddr,
    /// How a PROXY header is read, and how long it is waited for.
    proxy_header: Option<(SourceAddress, Option<Duration>)>,
}

impl Accept for Acceptor {
    fn accepted(&self, speaks: ListenProtocol, addr: ListenAddr, worker: Option<usize>, accepted: Accepted) {
        let config = self.store.load();
        let Some(counted) = self.connections.open(config.connection_limit()) else { return };
        let worker = worker.map_or_else(|| self.workers.next(), |number| self.workers.at(number));
        let (runtime, waker) = (worker.runtime.clone(), worker.waker.clone());
        let (tls, rtmp, http) = (self.tls.clone(), self.rtmp.clone(), self.http.clone());
        let (store, lifetime) = (self.store.clone(), self.lifetime.clone());
        runtime.spawn(async move {
            let _counted = counted;
            let Ok(socket) = accepted.register() else { return };
            moderation::is_prompt(socket.descriptor());
            let begin = begin(&store, &tls, &lifetime, (speaks, &addr), socket);
            // The connection does not reserve memory for what precedes it.
            let Some((socket, lacks_tls)) = Box::pin(begin).await else { return };
            match speaks {
                ListenProtocol::Rtmp => connection::serve(rtmp, worker, addr, socket).await,
                ListenProtocol::Http => http::serve(http, worker, addr, socket, lacks_tls).await,
            }
        });
        waker.ring();
    }

    fn only_runtime(&self, worker: Option<usize>) -> Option<Handle> {
        let is_alone = self.workers.count() == 1;
        worker.or(is_alone.then_some(0)).map(|number| self.workers.at(number).runtime)
    }
}

/// Reads the PROXY header and performs the TLS handshake, in this order. `None` ends the connection. An HTTP client may
/// have sent a request instead of the handshake: it is told so, as in nginx.
async fn begin(
    store: &Store,
    tls: &ArcSwap<Tls>,
    lifetime: &Lifetime,
    (speaks, addr): (ListenProtocol, &ListenAddr),
    mut socket: Socket,
) -> Option<(Socket, bool)> {
    let Beginning { listen, proxy_header } = beginning(&store.load(), speaks, addr, &socket)?;
    if let Some((source, timeout)) = proxy_header {
        let peer = socket.peer().ok()?;
        // As in nginx, a connection without its header counts as idle.
        let read = tokio::select! {
            read = proxy_protocol::accept(socket, source, timeout) => read,
            () = lifetime.draining.cancelled() => return None,
            () = lifetime.shutdown.cancelled() => return None,
        };
        socket = read
            .inspect_err(|error| log::proxy_header_failed(&peer, addr, error, error.is_violation()))
            .ok()?;
    }
    let settings = {
        let (tls, key) = (tls.load(), (speaks, listen));
        // Without its certificate nothing is served at an address, although a wildcard's socket accepts.
        if tls.server.is_closed(&key) {
            return None;
        }
        tls.server.of(&key)
    };
    match settings {
        None => Some((socket, false)),
        Some(_) if speaks == ListenProtocol::Http && lacks_handshake(&socket, lifetime).await? => {
            Some((socket, true))
        }
        Some(settings) => {
            let peer = socket.peer().ok()?;
            let accepted = tls::server::accept(socket, &settings).await;
            accepted
                .inspect_err(|error| log::tls_failed(&peer, addr, error))
                .ok()
                .map(|socket| (socket, false))
        }
    }
}

/// Whether the first byte that a client sends does not begin a TLS handshake; `None` if none comes in the time that a
/// handshake may take.
async fn lacks_handshake(socket: &Socket, lifetime: &Lifetime) -> Option<bool> {
    let first = tokio::select! {
        first = tokio::time::timeout(limits::TLS_HANDSHAKE, socket.first_byte()) => first.ok()?.ok()?,
        () = lifetime.draining.cancelled() => return None,
        () = lifetime.shutdown.cancelled() => return None,
    };
    Some(!tls::server::begins_handshake(first))
}

fn beginning(
    config: &Config,
    speaks: ListenProtocol,
    addr: &ListenAddr,
    socket: &Socket,
) -> Option<Beginning> {
    let local = socket.local(addr.clone());
    let ((listen, options), source, timeout) = match speaks {
        ListenProtocol::Rtmp => {
            let rtmp = config.rtmp.as_ref()?;
            let conf = rtmp.servers_at(&local)?.default_server().get::<RtmpServerConf>();
            (rtmp.address_at(&local)?, SourceAddress::Address, conf.timeout.nonzero())
        }
        ListenProtocol::Http => {
            let http = config.http.as_ref()?;
            let conf = http.servers_at(&local)?.default_server().get::<HttpServerConf>();
            (http.address_at(&local)?, SourceAddress::Text, conf.client_header_timeout.nonzero())
        }
    };
    let proxy_header = options.proxy_protocol.then_some((source, timeout));
    Some(Beginning { listen: listen.clone(), proxy_header })
}
