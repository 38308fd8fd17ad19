//! Passes accepted connections to workers.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::store::Store;
use crate::directive::ListenAddr;
use crate::http::{self, HttpService};
use crate::media::workers::Workers;
use crate::module::rtmp::connection::{self, RtmpService};
use crate::net::connections::Connections;
use crate::net::listener::{Accept, Accepted};
use crate::net::speaks::ListenProtocol;
use crate::net::tls::{self, Tls};
use crate::net::{log, moderation};

/// Distributes connections over the workers in turn.
pub(super) struct Acceptor {
    pub(super) store: Arc<Store>,
    pub(super) workers: Arc<Workers>,
    pub(super) connections: Arc<Connections>,
    pub(super) tls: Arc<ArcSwap<Tls>>,
    pub(super) rtmp: Arc<RtmpService>,
    pub(super) http: Arc<HttpService>,
}

impl Accept for Acceptor {
    fn accepted(&self, speaks: ListenProtocol, addr: &ListenAddr, socket: Accepted) {
        let config = self.store.load();
        let Some(counted) = self.connections.open(config.connection_limit()) else { return };
        let worker = self.workers.next();
        let (addr, runtime, waker) = (addr.clone(), worker.runtime.clone(), worker.waker.clone());
        let (tls, rtmp, http) = (self.tls.clone(), self.rtmp.clone(), self.http.clone());
        runtime.spawn(async move {
            let _counted = counted;
            let Ok(mut socket) = socket() else { return };
            moderation::is_prompt(socket.descriptor());
            let config = tls.load().server.of(&(speaks, addr.clone()));
            if let Some(config) = config {
                match tls::server::accept(socket, config).await {
                    Ok(encrypted) => socket = encrypted,
                    Err(error) => return log::tls_failed(&addr, &error),
                }
            }
            match speaks {
                ListenProtocol::Rtmp => connection::serve(rtmp, worker, addr, socket).await,
                ListenProtocol::Http => http::serve(http, worker, addr, socket).await,
            }
        });
        waker.ring();
    }
}
