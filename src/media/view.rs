//! A session's view of the configuration.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::conf::Conf;
use super::delivery::main_conf::MainCurrent;
use super::server_conf::ServerConf;
use crate::config::model::{Application, RtmpServer};
use crate::config::store::Store;
use crate::directive::ListenAddr;

/// The application of a session: as it was when the session began, and as it is now.
///
/// Values of class *session* are read from [`AppView::held`], values of class *live* from [`AppView::current`]. A
/// session whose application was removed keeps its values. A view does not keep the other applications of an old
/// configuration in memory.
#[derive(Clone, Debug)]
pub struct AppView {
    store: Arc<Store>,
    listen: ListenAddr,
    host: Bytes,
    app: Bytes,
    server: Arc<ServerConf>,
    base: Arc<Conf>,
    held: Arc<Application>,
    /// The application as it was when it was last asked for, for the time after its removal.
    last: Arc<ArcSwap<Application>>,
}

impl AppView {
    /// Selects the virtual server by the listening address and `host`, and its application. `None` if there is no such
    /// application.
    pub fn choose(store: &Arc<Store>, listen: &ListenAddr, host: &Bytes, app: &Bytes) -> Option<Self> {
        let (server, held) = find(store, listen, host, app)?;
        Some(AppView {
            store: store.clone(),
            listen: listen.clone(),
            host: host.clone(),
            app: app.clone(),
            server: server.share(),
            base: server.base.share(),
            last: Arc::new(ArcSwap::new(held.clone())),
            held,
        })
    }

    /// The virtual server's own values, as they were when the session began.
    pub fn server(&self) -> &ServerConf {
        &self.server
    }

    /// Values of applications at the level of the whole server.
    pub fn base(&self) -> &Conf {
        &self.base
    }

    /// `serverid` of the virtual server, which the file of `dynamic_conf` may change.
    pub fn serverid(&self) -> Bytes {
        let changed = self.store.dynamic().serverid(&self.host);
        changed.unwrap_or_else(|| Bytes::copy_from_slice(&self.server.serverid.0))
    }

    /// The application as it was when the session began.
    pub fn held(&self) -> &Application {
        &self.held
    }

    /// Value of `total_backlog` in bytes, if set.
    pub fn total_backlog(&self) -> Option<usize> {
        let bytes = self.store.load().rtmp.as_ref()?.get::<MainCurrent>().total_backlog?;
        Some(usize::try_from(bytes.0).unwrap_or(usize::MAX))
    }

    /// Number of the configuration in force. Values from [`AppView::current`] may be cached until it changes.
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }

    /// The application as it is now; if a reload has removed it, as it was before.
    pub fn current(&self) -> Arc<Application> {
        let Some((_, held)) = find(&self.store, &self.listen, &self.host, &self.app) else {
            return self.last.load_full();
        };
        if !Arc::ptr_eq(&self.last.load(), &held) {
            self.last.store(held.clone());
        }
        held
    }
}

/// The virtual server and the application in the configuration in force.
fn find(
    store: &Store,
    listen: &ListenAddr,
    host: &[u8],
    app: &[u8],
) -> Option<(Arc<RtmpServer>, Arc<Application>)> {
    let config = store.load();
    let server = config.rtmp.as_ref()?.servers_at(listen)?.find(host).ok()?;
    Some((server.clone(), server.application(app)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::modules::LANGUAGE;

    #[test]
    fn a_session_keeps_its_own_values_and_not_the_configuration_they_came_with() {
        let config = Config::embedded_default(&LANGUAGE);
        let rtmp = config.rtmp.as_ref().unwrap();
        let listen = rtmp.listeners[0].addr.clone();
        let old = Arc::downgrade(&rtmp.servers[0]);
        let app = Bytes::copy_from_slice(&rtmp.servers[0].applications[0].name);
        let store = Arc::new(Store::new(config));
        let view = AppView::choose(&store, &listen, &Bytes::new(), &app).unwrap();
        store.commit(Config::embedded_default(&LANGUAGE));
        assert!(old.upgrade().is_none());
        assert_eq!(view.held().name, view.current().name);
        assert!(!std::ptr::eq(view.held(), &*view.current()));
    }
}
