//! `static_pull`: streams that are pulled permanently, with or without players.
//!
//! Each stream is held by a session that is not a client; to the pull it looks like a player that never leaves. No
//! callbacks are sent for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::conf::Current;
use super::pull::PullUse;
use crate::config::model::Config;
use crate::directive::ListenAddr;
use crate::directive::address::literal_addr;
use crate::media::extension::OnStream;
use crate::media::listen::DEFAULT_PORT;
use crate::media::session::{Identity, Protocol, Role, Session, SessionMoments};
use crate::media::static_pull::StaticPull;
use crate::media::stream_events::StreamPresence;
use crate::media::view::AppView;
use crate::module::relay::relays::Relays;
use crate::net::socket::Peer;

/// The lines in force.
#[derive(Default)]
pub struct StaticPulls {
    held: HashMap<StaticPull, StaticPullHold>,
}

/// Holds a stream pulled. The pull ends before the stream is released.
struct StaticPullHold {
    _pull: PullUse,
    _stream: StreamPresence,
    /// Address of the application; if the application changes, the stream is set up again.
    listen: ListenAddr,
    serverid: Bytes,
}

impl StaticPulls {
    /// Applies these lines and ends removed ones. Returns the streams that cannot be pulled, with reasons.
    pub fn apply(&mut self, relays: &Arc<Relays>, lines: &[StaticPull]) -> Vec<String> {
        let config = relays.store.load();
        let mut complaints = Vec::new();
        let mut wanted = HashMap::new();
        for line in lines {
            match choose(relays, &config, line) {
                Some((listen, view)) => drop(wanted.insert(line, (listen, view))),
                None => complaints.push(format!(
                    "static_pull: no rtmp server for domain \"{}\" has an application \"{}\"",
                    line.domain, line.app
                )),
            }
        }
        self.held.retain(|line, held| {
            let place = wanted.get(line);
            place.is_some_and(|(listen, view)| *listen == held.listen && view.serverid() == held.serverid)
        });
        for (line, (listen, view)) in wanted {
            if !self.held.contains_key(line) {
                self.held.insert(line.clone(), hold(relays, &view, listen, line));
            }
        }
        complaints
    }
}

/// Application of the stream: at the address of `static_pull_port`, otherwise at the first address that has it.
fn choose(relays: &Relays, config: &Config, line: &StaticPull) -> Option<(ListenAddr, AppView)> {
    let (host, app) = (Bytes::copy_from_slice(&line.domain), Bytes::copy_from_slice(&line.app));
    config.rtmp.iter().flat_map(|rtmp| rtmp.addresses()).find_map(|listen| {
        let view = AppView::choose(&relays.store, listen, &host, &app)?;
        let port = &view.held().get::<Current>().static_pull_port;
        let here = match port.as_ref().filter(|port| !port.is_empty()) {
            Some(port) => literal_addr(port.as_bstr(), DEFAULT_PORT).is_ok_and(|addr| addr == *listen),
            None => true,
        };
        here.then(|| (listen.clone(), view))
    })
}

fn hold(relays: &Arc<Relays>, view: &AppView, listen: ListenAddr, line: &StaticPull) -> StaticPullHold {
    let copy = |text: &[u8]| Bytes::copy_from_slice(text);
    let identity = Identity {
        domain: copy(&line.domain),
        app: copy(&line.app),
        name: copy(&line.name),
        tc_url: Bytes::from([b"rtmp://", &line.domain[..], b"/", &line.app[..]].concat()),
        serverid: view.serverid(),
        scheme: "rtmp",
        ..Identity::default()
    };
    let no_client = Peer {
        addr: "static_pull".into(),
        ip: None,
        port: 0,
        local_addr: String::new(),
        local_port: 0,
        declared: None,
    };
    let session = Arc::new(Session::new(
        relays.sessions.next_session_id(),
        no_client,
        Protocol::Rtmp,
        Role::Player,
        identity,
        Instant::now(),
        SessionMoments::default(),
    ));
    let stream = relays.stream_events.enter(&session.key, view.server().chunk_size.0 as usize);
    session.set_stream(stream.stream().clone());
    let serverid = session.identity.serverid.clone();
    let pull = PullUse::stand(
        relays,
        OnStream { view, session: &session, stream: stream.stream() },
        line.line.clone(),
    );
    StaticPullHold { _pull: pull, _stream: stream, listen, serverid }
}
