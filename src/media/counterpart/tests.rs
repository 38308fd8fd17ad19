use std::time::Instant;

use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::config::Config;
use crate::config::store::Store;
use crate::media::session::{Identity, Protocol, Role, SessionMoments};
use crate::modules::LANGUAGE;
use crate::net::socket::Peer;

fn publisher(id: u64, addr: &str) -> (AppView, Arc<Session>) {
    let config = Config::embedded_default(&LANGUAGE);
    let rtmp = config.rtmp.as_ref().unwrap();
    let listen = rtmp.listeners[0].addr.clone();
    let app = bytes::Bytes::copy_from_slice(&rtmp.servers[0].applications[0].name);
    let view = AppView::choose(&Arc::new(Store::new(config)), &listen, &bytes::Bytes::new(), &app).unwrap();
    let identity = Identity { app, name: "s".into(), scheme: "rtmp", ..Identity::default() };
    let peer = Peer {
        addr: addr.into(),
        ip: None,
        port: 0,
        local_addr: String::new(),
        local_port: 0,
        declared: None,
    };
    let (protocol, role, moments) = (Protocol::Rtmp, Role::Publisher, SessionMoments::default());
    let session = Session::new(id, peer, protocol, role, identity, Instant::now(), moments);
    (view, Arc::new(session))
}

/// Both processes of an upgrade; messages between them are delivered by the test.
struct Pair {
    older: Arc<Counterpart>,
    newer: Arc<Counterpart>,
    to_newer: UnboundedReceiver<CounterpartMessage>,
    to_older: UnboundedReceiver<CounterpartMessage>,
}

impl Pair {
    fn new(older: Arc<Counterpart>) -> Pair {
        let newer: Arc<Counterpart> = Arc::default();
        let to_newer = older.attach(Side::Older, "new".into(), None).unwrap();
        let to_older = newer.attach(Side::Newer, "old".into(), None).unwrap();
        let mut pair = Pair { older, newer, to_newer, to_older };
        pair.deliver();
        pair
    }

    fn deliver(&mut self) {
        loop {
            if let Ok(message) = self.to_newer.try_recv() {
                self.newer.handle(&message);
            } else if let Ok(message) = self.to_older.try_recv() {
                self.older.handle(&message);
            } else {
                return;
            }
        }
    }

    /// The result of a claim, once it is certain.
    async fn settle(
        &mut self,
        claim: impl Future<Output = Option<StreamClaim>> + Send + 'static,
    ) -> Option<StreamClaim> {
        let claim = tokio::spawn(claim);
        while !claim.is_finished() {
            tokio::task::yield_now().await;
            self.deliver();
        }
        claim.await.unwrap()
    }
}

fn claim(
    at: &Arc<Counterpart>,
    publisher: &(AppView, Arc<Session>),
) -> impl Future<Output = Option<StreamClaim>> + Send + use<> {
    let (at, (view, session)) = (at.clone(), publisher.clone());
    async move { at.claim(&view, &session).await }
}

#[tokio::test]
async fn a_name_has_one_publisher_in_both_processes() {
    let (a, b, c) = (publisher(1, "a"), publisher(2, "b"), publisher(3, "c"));
    let key = a.1.key.clone();
    let older: Arc<Counterpart> = Arc::default();
    let first = claim(&older, &a).await.unwrap();
    assert!(claim(&older, &b).await.is_none(), "alone, a process refuses the second itself");
    let mut pair = Pair::new(older);
    assert!(pair.newer.holds(&key), "the newer process is told of the publishers so far");
    let newer = pair.newer.clone();
    assert!(pair.settle(claim(&newer, &b)).await.is_none());
    assert!(pair.newer.publisher(&key).is_none());
    drop(first);
    pair.deliver();
    assert!(!pair.newer.holds(&key));
    let second = pair.settle(claim(&newer, &b)).await.unwrap();
    assert!(pair.older.holds(&key) && pair.newer.publisher(&key).is_some());
    let older = pair.older.clone();
    assert!(pair.settle(claim(&older, &c)).await.is_none());
    drop(second);
    pair.deliver();
    assert!(pair.settle(claim(&older, &c)).await.is_some());
}

#[tokio::test]
async fn of_two_that_claim_at_once_the_older_process_s_wins() {
    let mut pair = Pair::new(Arc::default());
    let (a, b) = (publisher(1, "a"), publisher(2, "b"));
    let (old, new) = (tokio::spawn(claim(&pair.older, &a)), tokio::spawn(claim(&pair.newer, &b)));
    // Both have claimed before either is told.
    tokio::task::yield_now().await;
    while !old.is_finished() || !new.is_finished() {
        pair.deliver();
        tokio::task::yield_now().await;
    }
    let (old, new) = (old.await.unwrap(), new.await.unwrap());
    pair.deliver();
    assert!(old.is_some() && new.is_none());
    assert!(pair.newer.holds(&a.1.key) && !pair.older.holds(&a.1.key));
}

#[tokio::test]
async fn a_publisher_that_was_asked_to_reconnect_gives_way_to_its_own_address() {
    let mut pair = Pair::new(Arc::default());
    let (a, b, stranger) = (publisher(1, "a"), publisher(2, "a"), publisher(3, "b"));
    let (older, newer) = (pair.older.clone(), pair.newer.clone());
    let mut first = pair.settle(claim(&older, &a)).await;
    assert!(pair.settle(claim(&newer, &b)).await.is_none(), "it was not asked yet");
    a.1.asked_to_reconnect.store(true, Ordering::Relaxed);
    assert!(pair.settle(claim(&newer, &stranger)).await.is_none());
    let second = tokio::spawn(claim(&newer, &b));
    while first.is_some() {
        tokio::task::yield_now().await;
        pair.deliver();
        if timeout(std::time::Duration::ZERO, a.1.closed()).await.is_ok() {
            assert!(!second.is_finished());
            first = None;
        }
    }
    pair.deliver();
    assert!(second.await.unwrap().is_some());
    assert!(pair.older.holds(&b.1.key) && !pair.newer.holds(&b.1.key));
}

#[tokio::test]
async fn without_a_counterpart_its_claims_are_gone() {
    let mut pair = Pair::new(Arc::default());
    let (a, b) = (publisher(1, "a"), publisher(2, "b"));
    let newer = pair.newer.clone();
    let _first = pair.settle(claim(&newer, &a)).await.unwrap();
    assert!(pair.older.holds(&a.1.key));
    let waiting = tokio::spawn(claim(&pair.older, &b));
    tokio::task::yield_now().await;
    pair.older.detach();
    assert!(!pair.older.holds(&a.1.key));
    assert!(waiting.await.unwrap().is_some());
    assert!(pair.older.attach(Side::Older, "next".into(), None).is_some());
    assert!(pair.older.attach(Side::Older, "one more".into(), None).is_none());
}
