//! Servers that share stream names through a real etcd.
#![cfg(feature = "cluster")]

mod support;

use std::time::{Duration, Instant};

use pingosd::wire::rtmp::client_session::ClientEvent;
use support::etcd::Etcd;
use support::frame::Tracks;
use support::server::Signal;
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server};

const BOTH: &str = "cluster_publish on; cluster_pull on;";

fn publish(server: &Server, name: &str) -> Publisher {
    Publisher::with(RtmpClient::publish(server.rtmp, "live", name), Tracks::Both)
}

/// Whether a publisher is accepted.
fn is_accepted(mut client: RtmpClient) -> (bool, RtmpClient) {
    let event = client.wait_event("an answer to publish", |event| match event {
        ClientEvent::Started => true,
        ClientEvent::Status { level, .. } => level == "error",
        _ => false,
    });
    (event == ClientEvent::Started, client)
}

#[test]
fn one_of_two_publishers_of_a_name_is_accepted_each_time() {
    let etcd = Etcd::start();
    let servers = ["a", "b"].map(|node| etcd.server(node, BOTH, ""));
    // As many as fit into the time; the long form has all of them.
    let is_long = std::env::var_os("PINGOSD_CLUSTER_LONG").is_some();
    let began = Instant::now();
    let mut rounds = 0;
    for round in 0..1000 {
        if !is_long && round >= 20 && began.elapsed() > Duration::from_secs(20) {
            break;
        }
        rounds += 1;
        let name = format!("s{round}");
        let clients = [0, 1].map(|n| RtmpClient::publish(servers[(n + round) % 2].rtmp, "live", &name));
        let answers = clients.map(is_accepted);
        let accepted = answers.iter().filter(|(accepted, _)| *accepted).count();
        assert_eq!(accepted, 1, "round {round}");
    }
    println!("{rounds} races in {} ms", began.elapsed().as_millis());
    until_true("no key is left", || etcd.value("streams/default/live/s0").is_empty());
}

#[test]
fn an_edge_finds_the_origin_and_follows_it() {
    let (etcd, callbacks) = (Etcd::start(), NotifyServer::start());
    let hook = format!("on_publish {} stage=start,done;", callbacks.url("/cb"));
    let [a, b] = ["a", "b"].map(|node| etcd.server(node, &format!("{BOTH} {hook}"), ""));
    let edge = etcd.server("edge", "cluster_pull on;", "");
    // The player comes before the publisher.
    let player = Player::start(edge.rtmp, "s");
    let first = publish(&a, "s").keep_sending();
    player.wait_key();
    assert!(etcd.value("streams/default/live/s").contains("\"node\":\"a\""));
    // The name is taken in the whole cluster.
    let (accepted, refused) = is_accepted(RtmpClient::publish(b.rtmp, "live", "s"));
    assert!(!accepted);
    drop(refused);
    b.wait_log("server \"a\" of the cluster publishes it");
    // It moves.
    let last = first.next();
    first.stop().leave();
    until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
    let mut second = publish(&b, "s");
    second.skip_to(last + 100);
    let second = second.keep_sending();
    until_true("frames of the second origin", || player.frames().last().is_some_and(|n| *n > last + 100));
    let listed = edge.run(&["ctl", "cluster", "streams"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("/live/s b epoch "), "{listed}");
    let nodes = edge.run(&["ctl", "cluster", "nodes"]);
    assert_eq!(String::from_utf8_lossy(&nodes.stdout).lines().count(), 3);
    second.stop().leave();
    let epochs: Vec<u64> = callbacks
        .wait_count("act=done", 3)
        .iter()
        .filter_map(|done| done.value("epoch").parse().ok())
        .collect();
    assert!(epochs.len() == 2 && epochs[0] < epochs[1], "{epochs:?}");
}

#[test]
fn an_origin_that_was_stopped_never_overwrites_its_successor() {
    let etcd = Etcd::start();
    let [a, b] = ["a", "b"].map(|node| etcd.server(node, BOTH, ""));
    let edge = etcd.server("edge", "cluster_pull on;", "");
    let first = publish(&a, "s");
    a.signal(Signal::SIGSTOP);
    until_true("the lease ends", || etcd.value("streams/default/live/s").is_empty());
    let second = publish(&b, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    a.signal(Signal::SIGCONT);
    a.wait_log("server \"b\" of the cluster has its name");
    assert!(etcd.value("streams/default/live/s").contains("\"node\":\"b\""));
    let seen = player.frames().len();
    until_true("more frames", || player.frames().len() > seen);
    drop((first, second));
}

#[test]
fn an_origin_that_was_killed_is_found_elsewhere() {
    let etcd = Etcd::start();
    let (mut a, b) = (etcd.server("a", BOTH, ""), etcd.server("b", BOTH, ""));
    let edge = etcd.server("edge", "cluster_pull on;", "");
    let first = publish(&a, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    let last = first.next();
    a.signal(Signal::SIGKILL);
    a.wait_exit();
    drop(first);
    let listed = || String::from_utf8_lossy(&edge.run(&["ctl", "cluster", "streams"]).stdout).into_owned();
    until_true("the edge forgets it", || listed().is_empty());
    let mut second = publish(&b, "s");
    second.skip_to(last + 100);
    let _second = second.keep_sending();
    until_true("frames of the second origin", || player.frames().last().is_some_and(|n| *n > last + 100));
}

#[test]
fn sessions_stay_without_etcd_and_names_are_right_after_its_return() {
    let mut etcd = Etcd::start();
    let accepting = etcd.server("a", BOTH, "");
    let refusing = etcd.server("b", BOTH, "registry_down refuse;");
    let edge = etcd.server("edge", "cluster_pull on;", "");
    let first = publish(&accepting, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    etcd.kill();
    accepting.wait_log("etcd cannot be reached");
    refusing.wait_log("etcd cannot be reached");
    let seen = player.frames().len();
    until_true("more frames", || player.frames().len() > seen);
    // A name that the map has is still found.
    Player::start(edge.rtmp, "s").wait_key();
    let new = publish(&accepting, "new");
    assert!(!is_accepted(RtmpClient::publish(refusing.rtmp, "live", "other")).0);
    etcd.start_again();
    for name in ["s", "new"] {
        until_true("the key is there", || {
            etcd.value(&format!("streams/default/live/{name}")).contains("\"node\":\"a\"")
        });
    }
    until_true("a publisher is accepted again", || {
        is_accepted(RtmpClient::publish(refusing.rtmp, "live", "other")).0
    });
    assert!(first.next() > 0);
    drop(new);
}

#[test]
fn a_publisher_takes_a_name_over_where_that_is_configured() {
    let etcd = Etcd::start();
    let a = etcd.server("a", BOTH, "");
    let b = etcd.server("b", &format!("{BOTH} cluster_takeover after 100ms;"), "");
    let first = publish(&a, "s");
    until_true("b may take it", || is_accepted(RtmpClient::publish(b.rtmp, "live", "s")).0);
    a.wait_log("server \"b\" of the cluster has its name");
    drop(first);
}

#[test]
fn a_reload_joins_anew_and_publishers_keep_their_names() {
    let etcd = Etcd::start();
    let a = etcd.server("a", BOTH, "");
    let mut first = publish(&a, "s");
    until_true("the name is claimed", || etcd.value("streams/default/live/s").contains("\"node\":\"a\""));
    a.reload(&etcd.conf("z", BOTH, "lease 3s; zone x;"));
    until_true("it is claimed anew", || etcd.value("streams/default/live/s").contains("\"node\":\"z\""));
    assert!(etcd.value("nodes/z").contains("\"zone\":\"x\""));
    first.send(1);
    // Without `cluster_publish` names are not claimed.
    a.reload(&etcd.conf("z", "", "lease 3s; zone x;"));
    let second = publish(&a, "t");
    second.leave();
    assert!(etcd.value("streams/default/live/t").is_empty());
    first.leave();
    until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
}

#[test]
fn a_server_whose_name_is_taken_does_not_join() {
    let etcd = Etcd::start();
    let _a = etcd.server("a", BOTH, "");
    let other = Server::start(&etcd.conf("a", BOTH, ""));
    other.wait_log("another server of the cluster has the name \"a\"");
    assert!(other.log_lines("joined as").is_empty());
}

#[test]
fn servers_go_over_to_another_etcd() {
    for fault in [Signal::SIGKILL, Signal::SIGSTOP] {
        let mut members = Etcd::three();
        let etcd: Vec<_> = members.iter().map(|etcd| format!("http://127.0.0.1:{}", etcd.client)).collect();
        let conf = |node: &str| {
            Conf::live(BOTH).main(&format!(
                "cluster c {{ etcd {}; node {node}; advertise rtmp://127.0.0.1:{{rtmp_port}}; lease 10s; }}",
                etcd.join(" ")
            ))
        };
        let [a, edge] = ["a", "edge"].map(|node| Server::start(&conf(node)));
        [&a, &edge].into_iter().for_each(|server| server.wait_log("joined as"));
        let _kept = publish(&a, "kept");
        members[0].signal(fault);
        // The other two have a majority, and the edge's watch goes over to one of them.
        let _new = publish(&a, "new").keep_sending();
        until_true("the new name is known", || {
            String::from_utf8_lossy(&edge.run(&["ctl", "cluster", "streams"]).stdout)
                .contains("/live/new a epoch")
        });
        Player::start(edge.rtmp, "new").wait_key();
        assert!(members[1].value("streams/default/live/kept").contains("\"node\":\"a\""));
        assert!(a.log_lines("the lease in etcd has ended").is_empty(), "a lease of 10 s lasts");
        members[0].kill();
    }
}
