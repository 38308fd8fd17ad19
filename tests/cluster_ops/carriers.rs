//! Servers that pull a stream and offer it to others.

use serde_json::Value;

use crate::support::etcd::Etcd;
use crate::support::frame::GOP;
use crate::support::server::Signal;
use crate::support::wait::until_true;
use crate::support::{Player, Server, http};
use crate::{BOTH, publish, shown};

const CARRY: &str = "cluster_pull on; cluster_carry on;";

/// Whether the server knows a stream, carried by these servers.
fn is_carried(server: &Server, name: &str, carriers: &str) -> bool {
    let text = shown(server, "streams");
    let line = text.lines().find(|line| line.contains(&format!("/live/{name} "))).unwrap_or_default();
    match carriers {
        "" => !line.is_empty() && !line.contains("carried by"),
        carriers => line.ends_with(&format!(", carried by {carriers}")),
    }
}

/// The claim of `live/s` that a server carries.
fn epoch(etcd: &Etcd, node: &str) -> Option<u64> {
    let entry = etcd.value(&format!("carriers/default/live/s/{node}"));
    serde_json::from_str::<Value>(&entry).ok()?["epoch"].as_u64()
}

/// Number of players, relays among them, that this server has begun to serve.
fn served(server: &Server) -> usize {
    server.log_lines("playing 's', client: ").len()
}

#[test]
fn a_player_s_server_pulls_from_one_of_its_zone_that_carries_the_stream() {
    let etcd = Etcd::start();
    let origin = etcd.server("origin", BOTH, "zone west;");
    let mut carrier = etcd.server("carrier", CARRY, "zone east;");
    let pages = "location /json { rtmp_stat all; rtmp_stat_format json; } \
                 location /xml { rtmp_stat all; rtmp_stat_cluster on; }";
    let edge = Server::start(&etcd.conf("edge", "cluster_pull on;", "zone east;").http_server(pages));
    edge.wait_log("joined as");
    let feed = publish(&origin, "s").keep_sending();
    until_true("the edge knows the stream", || is_carried(&edge, "s", ""));
    // Nothing is carried that has no players.
    let first = Player::start(carrier.rtmp, "s");
    first.wait_key();
    until_true("the edge knows the carrier", || is_carried(&edge, "s", "carrier"));
    assert_eq!(served(&origin), 1);
    let json: Value = serde_json::from_str(&http::get(edge.http, "/json").text()).unwrap();
    assert_eq!(json["rtmp"]["cluster"]["streams"][0]["carriers"], serde_json::json!(["carrier"]));
    let xml = http::get(edge.http, "/xml").text();
    assert!(xml.contains("<carrier>carrier</carrier></stream_entry>"), "{xml}");
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    assert_eq!((served(&origin), served(&carrier)), (1, 2), "the edge has it from the carrier");
    // The carrier's own players need not stay.
    drop(first);
    let sent = feed.next();
    player.wait_frame(sent + GOP);
    assert!(is_carried(&edge, "s", "carrier"));
    // It is gone: the origin serves, before the lease of the carrier ends.
    carrier.signal(Signal::SIGKILL);
    carrier.wait_exit();
    let sent = feed.next();
    player.wait_frame(sent + GOP);
    assert!(player.got().end.is_none());
    until_true("the carrier is forgotten", || is_carried(&edge, "s", ""));
    drop(player);
    feed.stop().leave();
}

#[test]
fn servers_that_carry_make_no_chains_and_no_circles() {
    let etcd = Etcd::start();
    let origin = etcd.server("origin", BOTH, "");
    let [x, y] = ["x", "y"].map(|node| etcd.server(node, CARRY, "zone east;"));
    let feed = publish(&origin, "s").keep_sending();
    let players = [&x, &y].map(|server| Player::start(server.rtmp, "s"));
    players.iter().for_each(Player::wait_key);
    until_true("both carry it", || [&x, &y].iter().all(|server| is_carried(server, "s", "x y")));
    assert_eq!(served(&origin), 2, "both pull from the origin");
    // It moves: both follow, and carry the new claim.
    let before = epoch(&etcd, "x").expect("x carries it");
    let last = feed.next();
    feed.stop().leave();
    let other = etcd.server("other", BOTH, "");
    let mut second = publish(&other, "s");
    second.skip_to(last + 100);
    let second = second.keep_sending();
    for player in &players {
        until_true("frames of the other origin", || player.frames().last().is_some_and(|n| *n > last + 100));
    }
    for node in ["x", "y"] {
        until_true("the new claim is carried", || epoch(&etcd, node).is_some_and(|epoch| epoch > before));
    }
    assert_eq!(served(&other), 2, "both pull from the other origin");
    // Without players nothing is carried, and nothing without the directive.
    let [first, kept] = players;
    drop(first);
    until_true("x carries it no more", || is_carried(&origin, "s", "y"));
    y.reload(&etcd.conf("y", "cluster_pull on;", "zone east;"));
    until_true("y carries it no more", || is_carried(&origin, "s", ""));
    let sent = second.next();
    kept.wait_frame(sent);
    second.stop().leave();
}
