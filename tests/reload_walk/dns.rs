//! Host names: the servers queried, and the frequency of queries.

use std::net::IpAddr;

use crate::support::frame::Tracks;
use crate::support::server::free_port;
use crate::support::wait::until_true;
use crate::support::{DnsServer, Feed, Player, Publisher, Records, RtmpClient};
use crate::walk::{Around, Case, Place, Walk, walk_each};

/// Pulls from this server, which can be reached there at 127.0.0.1 only.
const EDGE: &str = "listen 127.0.0.1:{origin}; application edge { live on; failed_reconnect 20ms; \
                    relay_reconnect {reconnect}; pull rtmp://origin.test:{origin} app=live; }";

pub const CASES: &[Case] = &[
    Case {
        row: "resolver/resolver",
        place: Place::Events,
        before: "resolver {dns};",
        after: "resolver {other};",
        look: |walk| {
            walk.dns.set("origin.test", Records::Withheld(ips(&["127.0.0.2"]), 3600));
            let player = play(walk);
            walk.dns.wait_questions("origin.test", 0);
            let feed = feed(walk);
            Box::new(move || {
                // This query is obsolete, and its result must not be cached.
                walk.dns.release();
                player.wait_key();
                feed.stop().leave();
            })
        },
    },
    Case {
        row: "resolver/resolver_timeout",
        place: Place::Events,
        before: "resolver {dns}; resolver_timeout 60s;",
        after: "resolver {dns}; resolver_timeout 100ms;",
        look: |walk| {
            walk.dns.set("origin.test", Records::Silent);
            let player = play(walk);
            walk.dns.wait_questions("origin.test", 0);
            Box::new(move || {
                walk.server.wait_log("host \"origin.test\" not looked up within 100 ms");
                drop(player);
            })
        },
    },
    Case {
        row: "resolver/dynamic_refresh_interval",
        place: Place::Events,
        before: "resolver {dns}; dynamic_refresh_interval 1h;",
        after: "resolver {dns}; dynamic_refresh_interval 100ms;",
        look: |walk| {
            walk.dns.set("origin.test", Records::Addresses(ips(&["127.0.0.1"]), 1));
            let (feed, player) = (feed(walk), play(walk));
            player.wait_key();
            Box::new(move || {
                // The relay keeps running, so only the background refresh sends queries.
                let before = walk.dns.questions("origin.test");
                walk.dns.wait_questions("origin.test", before + 2);
                assert_eq!(walk.server.log_lines("relay pull ended").len(), 0);
                feed.stop().leave();
                drop(player);
            })
        },
    },
];

/// Beside a name server that is given in `events`.
pub const KEEPING: &[Case] = &[Case {
    row: "client/dynamic_resolver",
    place: Place::Main,
    before: "dynamic_resolver on;",
    after: "dynamic_resolver off;",
    look: |walk| {
        // No server listens there, so the relay is retried.
        walk.dns.set("origin.test", Records::Addresses(ips(&["127.0.0.2"]), 3600));
        let player = play(walk);
        let attempts =
            |walk: &Walk<'_>| walk.server.prefix().read("logs/debug.log").matches("relay pull: ").count();
        until_true("attempts", || attempts(walk) > 8);
        // A lost packet may have cost a second question.
        assert!(walk.dns.questions("origin.test") < 4);
        Box::new(move || {
            let before = walk.dns.questions("origin.test");
            walk.dns.wait_questions("origin.test", before + 8);
            drop(player);
        })
    },
}];

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A player of `edge`.
#[track_caller]
fn play(walk: &Walk<'_>) -> Player {
    let player = Player::rtmp(RtmpClient::play(walk.server.rtmp, "edge", "s"));
    player.wait("play was accepted", |got| got.started.then_some(()));
    player
}

/// A publisher of what it plays.
fn feed(walk: &Walk<'_>) -> Feed {
    Publisher::with(RtmpClient::publish(walk.server.rtmp, "live", "s"), Tracks::Both).keep_sending()
}

#[track_caller]
fn walk_names(cases: &[Case], events: &str, reconnect: &str) {
    let other = DnsServer::start();
    other.set("origin.test", Records::Addresses(ips(&["127.0.0.1"]), 3600));
    let vars = [
        ("other", format!("127.0.0.1:{}", other.port)),
        ("origin", free_port().to_string()),
        ("reconnect", reconnect.to_owned()),
    ];
    let main = "error_log logs/debug.log debug;";
    walk_each(cases, Around { main, events, server: EDGE, vars: &vars });
}

#[test]
fn names() {
    walk_names(CASES, "", "1s");
}

#[test]
fn names_that_are_kept() {
    walk_names(KEEPING, "resolver {dns};", "100ms");
}
