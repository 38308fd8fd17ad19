//! Sessions that a reload leaves without an application, and the end of all sessions if configured.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bstr::BStr;
use tokio::sync::watch;

use super::parts::Parts;
use super::reload_conf::Orphans;
use crate::config::model::{Config, Rtmp, RtmpServer};
use crate::config::names::NameTable;
use crate::directive::ListenAddr;
use crate::media::server_conf::ServerConf;
use crate::media::session::{Protocol, Reason, Session, millis};
use crate::server::log;
use crate::server::reload_conf;

/// Treats running sessions as the new configuration requires; pending ends of earlier configurations are void.
pub(super) fn release(parts: &Arc<Parts>, config: &Config) {
    let mut sessions = parts.sessions.snapshot();
    let rtmp = config.rtmp.as_ref();
    if rtmp.is_some_and(|rtmp| rtmp.get::<reload_conf::Current>().fast_reload) {
        sessions.iter().for_each(|session| session.close(Reason::ProcessExit));
        return log::released("fast_reload", sessions.len());
    }
    if let Some(rtmp) = rtmp
        && let Orphans::Close(time) = rtmp.get::<reload_conf::Current>().orphans
    {
        // Sessions that were already waiting for their end keep their time.
        sessions.retain(|session| !is_orphan(session, rtmp));
        tokio::spawn(close(parts.clone(), parts.store.watch(), time));
    }
    sessions.iter().for_each(|session| session.orphaned.store(0, Ordering::Relaxed));
}

/// Ends each session that lacked an application for this time. The next reload replaces this task.
async fn close(parts: Arc<Parts>, mut reloaded: watch::Receiver<u64>, time: Duration) {
    while let Some(left) = close_due(&parts, time) {
        tokio::select! {
            biased;
            _ = reloaded.changed() => return,
            () = tokio::time::sleep(left) => {}
        }
    }
}

/// Ends the sessions whose time has elapsed, and returns the remaining time of the next one.
fn close_due(parts: &Parts, time: Duration) -> Option<Duration> {
    let config = parts.store.load();
    let rtmp = config.rtmp.as_ref()?;
    let mut orphans = parts.sessions.snapshot();
    orphans.retain(|session| is_orphan(session, rtmp));
    let now = millis(Instant::now());
    for session in &orphans {
        // Some had not begun when their application was removed; the others are already marked.
        let _ = session.orphaned.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }
    let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let end = |session: &Session| session.orphaned.load(Ordering::Relaxed).saturating_add(time);
    let (over, waiting): (Vec<_>, Vec<_>) = orphans.iter().partition(|session| end(session) <= now);
    over.iter().for_each(|session| session.close(Reason::ProcessExit));
    if !over.is_empty() {
        log::released("reload_orphans", over.len());
    }
    let next = waiting.iter().map(|session| end(session)).min()?;
    Some(Duration::from_millis(next - now))
}

/// Whether no server reachable through its listener, or with its serverid, has its application.
fn is_orphan(session: &Session, rtmp: &Rtmp) -> bool {
    let (identity, peer) = (&session.identity, &session.peer);
    let app = &identity.app[..];
    let has = |servers: &NameTable<RtmpServer>| {
        servers.find(&identity.domain).is_ok_and(|server| server.application(app).is_some())
    };
    if session.protocol == Protocol::Rtmp && peer.local_port != 0 {
        let ip = peer.local_addr.parse::<IpAddr>().ok();
        let own = ip.and_then(|ip| rtmp.servers_on(&ListenAddr::Tcp((ip, peer.local_port).into())));
        if let Some(servers) = own {
            return !has(servers);
        }
        let at = |addr: &ListenAddr| match addr {
            ListenAddr::Tcp(addr) => {
                addr.port() == peer.local_port && (addr.ip().is_unspecified() || Some(addr.ip()) == ip)
            }
            ListenAddr::Unix(_) => false,
        };
        let mut there = rtmp.listeners.iter().filter(|listener| at(&listener.addr)).peekable();
        if there.peek().is_some() {
            return !there.any(|listener| has(&listener.servers));
        }
        return true;
    }
    let id = BStr::new(&identity.serverid);
    let is_meant = |server: &RtmpServer| server.get::<ServerConf>().serverid.0 == id;
    !rtmp.servers.iter().any(|server| is_meant(server) && server.application(app).is_some())
}
