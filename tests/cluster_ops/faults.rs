//! Faults between servers and etcd.

use std::time::{Duration, Instant};

use crate::proxy::{Fault, FaultProxy};
use crate::support::etcd::{Etcd, conf_at};
use crate::support::server::Signal;
use crate::support::wait::until_true;
use crate::support::{Player, Server};
use crate::{BOTH, is_long, publish, shown, until_within};

/// A server that reaches etcd through a proxy.
fn behind(proxy: &FaultProxy, node: &str, live: &str, cluster: &str) -> Server {
    let server = Server::start(&conf_at(&proxy.address(), node, live, cluster));
    server.wait_log("joined as");
    server
}

#[test]
fn faults_on_the_way_to_etcd_end_no_session() {
    let etcd = Etcd::start();
    let (to_a, to_edge) = (FaultProxy::start(etcd.client), FaultProxy::start(etcd.client));
    let a = behind(&to_a, "a", BOTH, "");
    let edge = behind(&to_edge, "edge", "cluster_pull on;", "");
    let feed = publish(&a, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    for fault in [Fault::Cut, Fault::Stall, Fault::Slow, Fault::HalfOpen] {
        to_a.set(fault);
        to_edge.set(fault);
        match fault {
            // The lease ends.
            Fault::Cut | Fault::Stall => {
                until_within("the key ends", Duration::from_secs(60), || {
                    etcd.value("streams/default/live/s").is_empty()
                });
                until_true("that shows", || shown(&a, "status").contains("etcd down"));
            }
            // Answers are late or lost, requests are carried out.
            _ => std::thread::sleep(Duration::from_secs(3)),
        }
        // Media goes on, and what is known is still found.
        let sent = feed.next();
        player.wait_frame(sent);
        let new = Player::start(edge.rtmp, "s");
        new.wait_key();
        let began = Instant::now();
        to_a.set(Fault::None);
        to_edge.set(Fault::None);
        for server in [&a, &edge] {
            until_true("etcd is reached again", || shown(server, "status").contains("etcd up"));
        }
        until_true("the key is right", || {
            etcd.value("streams/default/live/s").contains("\"node\":\"a\"")
                && shown(&edge, "streams").contains("/live/s a epoch ")
        });
        println!("{fault:?}: right {} ms after its end", began.elapsed().as_millis());
        let sent = feed.next();
        player.wait_frame(sent);
        assert!(player.got().end.is_none() && new.got().end.is_none());
    }
    assert!(a.log_lines("is closed, server").is_empty(), "the publisher has stayed");
    feed.stop().leave();
    until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
}

#[test]
fn a_publisher_behind_a_fault_loses_its_name_to_another_and_is_told() {
    let etcd = Etcd::start();
    let to_a = FaultProxy::start(etcd.client);
    let a = behind(&to_a, "a", BOTH, "");
    let b = etcd.server("b", BOTH, "");
    let mut first = publish(&a, "s");
    to_a.set(Fault::Stall);
    until_within("the key ends", Duration::from_secs(60), || etcd.value("streams/default/live/s").is_empty());
    let second = publish(&b, "s").keep_sending();
    first.send(10);
    let claimed = etcd.revision("streams/default/live/s");
    to_a.set(Fault::None);
    first.client.wait_status("NetStream.Publish.BadName");
    first.client.wait_end();
    assert_eq!(etcd.revision("streams/default/live/s"), claimed);
    second.stop().leave();
}

#[test]
fn all_of_etcd_down_ends_no_session() {
    let mut etcd = Etcd::three();
    let addresses: Vec<_> = etcd.iter().map(Etcd::address).collect();
    let conf = |node: &str, live: &str| conf_at(&addresses.join(" "), node, live, "");
    let [a, mut c] = ["a", "c"].map(|node| Server::start(&conf(node, BOTH)));
    let edge = Server::start(&conf("edge", "cluster_pull on;"));
    [&a, &c, &edge].into_iter().for_each(|server| server.wait_log("joined as"));
    let [kept, lost] = [publish(&a, "kept").keep_sending(), publish(&c, "lost").keep_sending()];
    let players: Vec<_> = (0..5).map(|_| Player::start(edge.rtmp, "kept")).collect();
    players.iter().for_each(Player::wait_key);
    until_true("the edge knows both", || shown(&edge, "streams").contains("/live/lost c "));
    let down = Instant::now();
    etcd.iter_mut().for_each(Etcd::kill);
    until_true("that shows", || shown(&a, "status").contains("etcd down"));
    c.signal(Signal::SIGKILL);
    c.wait_exit();
    drop(lost);
    // Longer than the lease.
    let outage = if is_long() { Duration::from_secs(60) } else { Duration::from_secs(4) };
    while down.elapsed() < outage {
        let sent = kept.next();
        players.iter().for_each(|player| player.wait_frame(sent));
        std::thread::sleep(Duration::from_millis(200));
    }
    // Streams that are in the map are played, and new ones are published.
    Player::start(edge.rtmp, "kept").wait_key();
    let new = publish(&a, "new").keep_sending();
    Etcd::start_all_again(&mut etcd);
    let patience = Duration::from_secs(60);
    let right = until_within("the keys of the living are right", patience, || {
        ["kept", "new"]
            .iter()
            .all(|name| etcd[0].value(&format!("streams/default/live/{name}")).contains("\"node\":\"a\""))
    });
    let gone = until_within("those of the dead are gone", patience, || {
        etcd[0].value("streams/default/live/lost").is_empty() && etcd[0].value("nodes/c").is_empty()
    });
    println!(
        "after the return: keys right in {} ms, dead ones gone {} ms later",
        right.as_millis(),
        gone.as_millis()
    );
    let sent = kept.next();
    for player in &players {
        player.wait_frame(sent);
        assert!(player.got().end.is_none(), "a session was lost");
    }
    Player::start(edge.rtmp, "new").wait_key();
    kept.stop().leave();
    new.stop().leave();
}

#[test]
fn a_watch_that_was_compacted_away_begins_anew() {
    let etcd = Etcd::start();
    let to_edge = FaultProxy::start(etcd.client);
    let a = etcd.server("a", BOTH, "");
    let edge = behind(&to_edge, "edge", "cluster_pull on;", "");
    let first = publish(&a, "gone");
    until_true("it is known", || shown(&edge, "streams").contains("/live/gone a "));
    let compacted = || edge.log_lines("etcd has compacted what is to be watched").len();
    let feed = publish(&a, "s").keep_sending();
    first.leave();
    until_true("its watch was too far behind", || {
        // A request to watch is held, and what it asks for is compacted meanwhile.
        let before = to_edge.held();
        to_edge.set(Fault::HoldWatches);
        until_true("a watch is held", || to_edge.held() > before);
        etcd.ctl(&["put", "/pingosd/c/x", "1"]).unwrap();
        etcd.ctl(&["put", "/pingosd/c/x", "2"]).unwrap();
        let text = etcd.ctl(&["get", "-w", "json", "/pingosd/c/x"]).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        etcd.ctl(&["compact", &answer["header"]["revision"].to_string()]);
        to_edge.set(Fault::None);
        std::thread::sleep(Duration::from_millis(500));
        compacted() > 0
    });
    until_true("everything is known again", || {
        let listed = shown(&edge, "streams");
        listed.contains("/live/s a ") && !listed.contains("/live/gone ")
    });
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    // The watch runs again.
    let later = publish(&a, "later");
    until_true("a change is known", || shown(&edge, "streams").contains("/live/later a "));
    later.leave();
    feed.stop().leave();
}
