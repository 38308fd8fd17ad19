//! What a reload leaves behind: sessions whose application is gone, and all of them where the configuration wants
//! that.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bstr::BStr;

use super::context::Context;
use super::event;
use super::session::{Protocol, Reason, Session};
use crate::conf::ListenAddr;
use crate::config::model::{Config, Rtmp};
use crate::module::rtmp::reload_conf::Orphans;

/// Treats running sessions as the configuration, which has just come into force, wants it.
pub fn release(context: &Arc<Context>, config: &Config) {
    let Some(rtmp) = &config.rtmp else { return };
    if rtmp.reload.fast_reload {
        let sessions = context.sessions.snapshot();
        sessions.iter().for_each(|session| session.close(Reason::ProcessExit));
        return event::control::released("fast_reload", sessions.len());
    }
    if let Orphans::Close(time) = rtmp.reload.orphans
        && context.sessions.snapshot().iter().any(|session| is_orphan(session, rtmp))
    {
        tokio::spawn(close(context.clone(), time));
    }
}

/// Ends those that are still without an application after that time.
async fn close(context: Arc<Context>, after: Duration) {
    tokio::time::sleep(after).await;
    let config = context.store.load();
    let Some(rtmp) = &config.rtmp else { return };
    let mut sessions = context.sessions.snapshot();
    sessions.retain(|session| is_orphan(session, rtmp));
    sessions.iter().for_each(|session| session.close(Reason::ProcessExit));
    event::control::released("reload_orphans", sessions.len());
}

/// Whether no server that its listener leads to, or that has its id, has its application.
fn is_orphan(session: &Session, rtmp: &Rtmp) -> bool {
    let (identity, peer) = (&session.identity, &session.peer);
    let app = &identity.app[..];
    if session.protocol == Protocol::Rtmp && peer.local_port != 0 {
        let ip = peer.local_addr.parse::<IpAddr>().ok();
        let at = |addr: &ListenAddr| match addr {
            ListenAddr::Tcp(addr) => {
                addr.port() == peer.local_port && (addr.ip().is_unspecified() || Some(addr.ip()) == ip)
            }
            ListenAddr::Unix(_) => false,
        };
        let mut there = rtmp.listeners.iter().filter(|listener| at(&listener.addr)).peekable();
        if there.peek().is_some() {
            return !there.any(|listener| listener.server_for(&identity.domain).application(app).is_some());
        }
        return true;
    }
    let id = BStr::new(&identity.serverid);
    !rtmp.servers.iter().any(|server| server.serverid == id && server.application(app).is_some())
}
