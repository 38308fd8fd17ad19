//! What a session sees of the configuration.

use std::sync::Arc;

use bytes::Bytes;

use crate::conf::ListenAddr;
use crate::config::model::{Application, RtmpServer};
use crate::config::store::Store;

/// The application of a session: as it was when the session began, and as it is now.
///
/// Values of class *session* are read from [`AppView::held`], values of class *live* from
/// [`AppView::current`]. A session whose application was removed keeps what it had.
#[derive(Clone, Debug)]
pub struct AppView {
    store: Arc<Store>,
    listen: ListenAddr,
    host: Bytes,
    app: Bytes,
    server: Arc<RtmpServer>,
    held: Arc<Application>,
}

impl AppView {
    /// Chooses the virtual server by the listening address and `host`, and its application. `None`: no such
    /// application.
    pub fn choose(store: &Arc<Store>, listen: &ListenAddr, host: &Bytes, app: &Bytes) -> Option<Self> {
        let config = store.load();
        let server = config.rtmp.as_ref()?.listener(listen)?.server_for(host);
        let held = server.application(app)?.clone();
        Some(AppView {
            store: store.clone(),
            listen: listen.clone(),
            host: host.clone(),
            app: app.clone(),
            server: server.clone(),
            held,
        })
    }

    /// The virtual server as it was when the session began.
    pub fn server(&self) -> &RtmpServer {
        &self.server
    }

    /// The virtual server's identity, which the file of `dynamic_conf` may change.
    pub fn serverid(&self) -> Bytes {
        let changed = self.store.dynamic().serverid(&self.host);
        changed.unwrap_or_else(|| Bytes::copy_from_slice(&self.server.serverid))
    }

    /// The application as it was when the session began.
    pub fn held(&self) -> &Application {
        &self.held
    }

    /// Number of the configuration in force: what [`AppView::current`] says may be kept until it changes.
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }

    /// The application as it is now.
    pub fn current(&self) -> Arc<Application> {
        match AppView::choose(&self.store, &self.listen, &self.host, &self.app) {
            Some(view) => view.held,
            None => self.held.clone(),
        }
    }
}
