//! Which server has a name.

use std::time::Duration;

use bytes::Bytes;
use pingosd::media::trail;
use pingosd::wire::rtmp::client_session::{ClientEvent, ClientPurpose};

use crate::support::etcd::{Etcd, conf_at};
use crate::support::frame::{GOP, STEP};
use crate::support::rtmp::settings;
use crate::support::server::Signal;
use crate::support::wait::{until, until_true};
use crate::support::{Player, RtmpClient, Server};
use crate::{BOTH, is_long, publish, shown, until_within};

#[test]
fn publishers_from_before_a_reload_are_claimed() {
    let etcd = Etcd::start();
    // In no cluster at first.
    let a = Server::start(&crate::support::Conf::live(""));
    let edge = etcd.server("edge", "cluster_pull on;", "");
    let feed = publish(&a, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    a.reload(&etcd.conf("a", "", ""));
    a.wait_log("joined as");
    assert!(etcd.value("streams/default/live/s").is_empty(), "its application claims no names");
    a.reload(&etcd.conf("a", BOTH, ""));
    player.wait_key();
    assert!(etcd.value("streams/default/live/s").contains("\"node\":\"a\""));
    // Given up, and claimed again.
    let before = etcd.revision("streams/default/live/s");
    a.reload(&etcd.conf("a", "", ""));
    until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
    a.reload(&etcd.conf("a", BOTH, ""));
    until_true("it is claimed again", || etcd.value("streams/default/live/s").contains("\"node\":\"a\""));
    assert!(etcd.revision("streams/default/live/s") > before);
    feed.stop().leave();
    until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
}

#[test]
fn a_publisher_that_loses_its_name_is_told() {
    let etcd = Etcd::start();
    let a = etcd.server("a", BOTH, "");
    let b = etcd.server("b", &format!("{BOTH} cluster_takeover after 100ms;"), "");
    let accepted = |name: &str| {
        let mut client = RtmpClient::publish(b.rtmp, "live", name);
        let event = client.wait_event("an answer to publish", |event| match event {
            ClientEvent::Started => true,
            ClientEvent::Status { level, .. } => level == "error",
            _ => false,
        });
        (event == ClientEvent::Started).then_some(client)
    };
    let mut able = settings(a.rtmp, "live", ClientPurpose::Publish { name: "able".into() });
    able.extra.push(("capsEx".into(), 1.0.into()));
    let mut able = RtmpClient::open(a.rtmp, able).wait_started();
    let mut other = RtmpClient::publish(a.rtmp, "live", "other").wait_started();
    let _able_there = until("it is taken over", || accepted("able"));
    let _other_there = until("it is taken over", || accepted("other"));
    able.wait_status("NetConnection.Connect.ReconnectRequest");
    able.wait_end();
    other.wait_status("NetStream.Publish.BadName");
    other.wait_end();
    let status: serde_json::Value =
        serde_json::from_slice(&b.run(&["ctl", "cluster", "status", "--json"]).stdout).unwrap_or_default();
    let text = shown(&b, "status");
    assert!(text.contains("taken over: 2") || status["taken_over"] == 2, "{text}");
    assert!(shown(&a, "status").contains("lost: 2"));
    // A server that has had the name for less than `cluster_takeover` keeps it.
    let c = etcd.server("c", &format!("{BOTH} cluster_takeover after 1h;"), "");
    let mut late = RtmpClient::publish(c.rtmp, "live", "able");
    late.wait_status("NetStream.Publish.BadName");
}

#[test]
fn a_stream_that_moves_has_continuous_timestamps() {
    let etcd = Etcd::start();
    let [a, b] = ["a", "b"].map(|node| etcd.server(node, BOTH, ""));
    let edge = etcd.server("edge", "cluster_pull on; cache_time 1s;", "");
    let player = Player::start(edge.rtmp, "s");
    let mut first = publish(&a, "s");
    first.skip_to(100_000 - 100_000 % GOP);
    let first = first.keep_sending();
    player.wait_key();
    let last = first.next();
    until_true("more frames", || player.frames().last().is_some_and(|n| *n > last));
    first.stop().leave();
    // The next one counts from 0.
    let second = publish(&b, "s").keep_sending();
    until_true("frames of the second origin", || player.frames().last().is_some_and(|n| *n < 50_000));
    let end = second.next();
    until_true("more of them", || player.frames().last().is_some_and(|n| *n > end && *n < 50_000));
    let times: Vec<u32> = player
        .got()
        .media
        .iter()
        .filter(|media| crate::support::frame::number(&media.payload).is_some())
        .map(|media| media.timestamp)
        .collect();
    for two in times.windows(2) {
        // Audio and video are interleaved to within a step.
        let ahead = i64::from(two[1]) - i64::from(two[0]);
        assert!(ahead >= -i64::from(STEP), "back from {} to {}", two[0], two[1]);
        assert!(ahead < 60_000, "a jump from {} to {}", two[0], two[1]);
    }
}

#[test]
fn servers_that_pull_from_the_cluster_form_no_chain() {
    let etcd = Etcd::start();
    let servers = ["a", "b", "c"].map(|node| etcd.server(node, BOTH, ""));
    // All servers have players before there is a publisher: no server pulls from another.
    let players = servers.each_ref().map(|server| Player::start(server.rtmp, "s"));
    let owners = |at: usize| {
        let feed = publish(&servers[at], "s").keep_sending();
        let from = feed.next();
        for player in &players {
            let seen = player.frames().len();
            until_true("new frames", || player.frames()[seen..].iter().any(|n| *n >= from));
        }
        let way = format!("relay pull: 's' by 127.0.0.1:{}", servers[at].rtmp);
        for (other, server) in servers.iter().enumerate() {
            let pulls = server.log_lines("relay pull: 's' by ");
            match other == at {
                true => assert!(pulls.iter().all(|line| !line.contains(&way)), "it pulls from itself"),
                false => assert!(pulls.last().is_some_and(|line| line.contains(&way)), "{pulls:?}"),
            }
        }
        feed.stop().leave();
        until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
    };
    (0..3).for_each(owners);
}

#[test]
fn an_origin_stopped_for_longer_than_its_lease_leaves_its_successor_alone() {
    let etcd = Etcd::start();
    let lease = if is_long() { "lease 10s;" } else { "" };
    let [a, b] = ["a", "b"].map(|node| etcd.server(node, BOTH, lease));
    let first = publish(&a, "s");
    let stopped = std::time::Instant::now();
    a.signal(Signal::SIGSTOP);
    until_within("the lease ends", Duration::from_secs(60), || {
        etcd.value("streams/default/live/s").is_empty()
    });
    let second = publish(&b, "s").keep_sending();
    until_true("b has the name", || etcd.value("streams/default/live/s").contains("\"node\":\"b\""));
    let claimed = etcd.revision("streams/default/live/s");
    if is_long() {
        std::thread::sleep(Duration::from_secs(30).saturating_sub(stopped.elapsed()));
    }
    println!("stopped for {} ms", stopped.elapsed().as_millis());
    a.signal(Signal::SIGCONT);
    a.wait_log("server \"b\" of the cluster has its name");
    until_true("a is back", || shown(&a, "status").contains("etcd up"));
    assert_eq!(etcd.revision("streams/default/live/s"), claimed, "nobody has written the key");
    drop((first, second));
}

#[test]
fn an_origin_that_was_killed_is_gone_and_its_stream_found_elsewhere() {
    let etcd = Etcd::start();
    // In the long form with the default lease of 10 s.
    let lease = if is_long() { "lease 10s;" } else { "" };
    let (mut a, b) = (etcd.server("a", BOTH, lease), etcd.server("b", BOTH, lease));
    let edge = etcd.server("edge", "cluster_pull on;", lease);
    let first = publish(&a, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    let last = first.next();
    a.signal(Signal::SIGKILL);
    let gone = until_within("the edge forgets it", Duration::from_secs(60), || {
        !shown(&edge, "streams").contains("/live/s a ")
    });
    a.wait_exit();
    drop(first);
    let mut second = publish(&b, "s");
    second.skip_to(last + 100 - (last + 100) % GOP);
    let second = second.keep_sending();
    let found = until_within("the edge finds it", Duration::from_secs(20), || {
        shown(&edge, "streams").contains("/live/s b ")
    });
    let picture = until_within("frames of the second origin", Duration::from_secs(20), || {
        player.frames().last().is_some_and(|n| *n > last + 100)
    });
    println!(
        "gone from the edge {} ms after the kill; found {} ms after the publish, picture {} ms later",
        gone.as_millis(),
        found.as_millis(),
        picture.as_millis()
    );
    second.stop().leave();
}

#[test]
fn a_relay_that_knows_a_later_claim_is_refused() {
    let etcd = Etcd::start();
    let a = etcd.server("a", BOTH, "");
    let feed = publish(&a, "s").keep_sending();
    let epoch = etcd.revision("streams/default/live/s");
    let ask = |epoch: i64, is_relay: bool| {
        let mut settings =
            settings(a.rtmp, "live", ClientPurpose::Play { name: format!("s?epoch={epoch}").into() });
        if is_relay {
            settings
                .extra
                .push((trail::CONNECT_MEMBER.into(), Bytes::from_static(b"0123456789abcdef").into()));
        }
        RtmpClient::open(a.rtmp, settings)
    };
    for known in [epoch - 1, epoch] {
        Player::rtmp(ask(known, true)).wait_key();
    }
    ask(epoch + 1, true).wait_status("NetStream.Play.Forbidden");
    a.wait_log(&format!("epoch {} is not this server's", epoch + 1));
    // A player is no relay, whatever its arguments.
    Player::rtmp(ask(epoch + 1, false)).wait_key();
    feed.stop().leave();
    until_true("the name is free", || etcd.value("streams/default/live/s").is_empty());
    ask(epoch, true).wait_status("NetStream.Play.Forbidden");
}

#[test]
fn a_conf_without_a_reachable_etcd_serves() {
    // Nothing listens there.
    let server = Server::start(&conf_at("http://127.0.0.1:1", "a", BOTH, ""));
    server.wait_log("etcd cannot be reached");
    let feed = publish(&server, "s").keep_sending();
    Player::start(server.rtmp, "s").wait_key();
    feed.stop().leave();
}
