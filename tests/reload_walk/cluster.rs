//! Servers that share stream names.

#[cfg(feature = "cluster")]
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use pingosd::wire::rtmp::client_session::ClientEvent;

use crate::support::etcd;
#[cfg(feature = "cluster")]
use crate::support::etcd::Etcd;
use crate::support::frame::Tracks;
use crate::support::wait::until_true;
use crate::support::{Conf, Player, Publisher, RtmpClient, Server, http};
use crate::walk::{After, Case, Place, Walk};
#[cfg(feature = "cluster")]
use crate::walk::{Around, walk_each};

/// Port of the etcd of the cases that run.
static ETCD: AtomicU16 = AtomicU16::new(0);

macro_rules! cluster {
    ($lines:literal) => {
        concat!("cluster c { ", $lines, " }")
    };
}

/// Rows of the block.
pub const CASES: &[Case] = &[
    Case {
        row: "cluster/etcd",
        place: Place::Main,
        before: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s;"
        ),
        after: cluster!(
            "etcd http://localhost:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s;"
        ),
        look: |walk| shows(walk, "status", "etcd up (http://127.0.0.1:", "etcd up (http://localhost:"),
    },
    Case {
        row: "cluster/etcd_tls",
        place: Place::Main,
        before: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s;"
        ),
        after: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s; \
             etcd_tls ca={dir}/none.pem;"
        ),
        look: |walk| cannot_join_any_more(walk, "none.pem"),
    },
    Case {
        row: "cluster/etcd_user",
        place: Place::Main,
        before: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s;"
        ),
        after: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s; \
             etcd_user u {dir}/none.txt;"
        ),
        look: |walk| cannot_join_any_more(walk, "none.txt"),
    },
    Case {
        row: "cluster/node",
        place: Place::Main,
        before: cluster!(
            "etcd http://127.0.0.1:{etcd}; node first; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s;"
        ),
        after: cluster!(
            "etcd http://127.0.0.1:{etcd}; node second; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s;"
        ),
        look: |walk| shows(walk, "nodes", "first rtmp:", "second rtmp:"),
    },
    Case {
        row: "cluster/advertise",
        place: Place::Main,
        before: cluster!("etcd http://127.0.0.1:{etcd}; node n; advertise rtmp://127.0.0.1:1; lease 2s;"),
        after: cluster!("etcd http://127.0.0.1:{etcd}; node n; advertise rtmp://127.0.0.1:2; lease 2s;"),
        look: |walk| shows(walk, "nodes", "n rtmp://127.0.0.1:1 ", "n rtmp://127.0.0.1:2 "),
    },
    Case {
        row: "cluster/zone",
        place: Place::Main,
        before: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n; advertise rtmp://127.0.0.1:1; lease 2s; zone x;"
        ),
        after: cluster!(
            "etcd http://127.0.0.1:{etcd}; node n; advertise rtmp://127.0.0.1:1; lease 2s; zone y;"
        ),
        look: |walk| shows(walk, "nodes", ", zone x,", ", zone y,"),
    },
    Case {
        row: "cluster/lease",
        place: Place::Main,
        before: cluster!("etcd http://127.0.0.1:{etcd}; node n; advertise rtmp://127.0.0.1:1; lease 2s;"),
        after: cluster!("etcd http://127.0.0.1:{etcd}; node n; advertise rtmp://127.0.0.1:1; lease 3s;"),
        look: |walk| shows(walk, "status", "lease of 2 s", "lease of 3 s"),
    },
    Case {
        row: "cluster/registry_down",
        place: Place::Main,
        before: cluster!(
            "etcd http://127.0.0.1:1; node n; advertise rtmp://127.0.0.1:1; registry_down accept;"
        ),
        after: cluster!(
            "etcd http://127.0.0.1:1; node n; advertise rtmp://127.0.0.1:1; registry_down refuse;"
        ),
        look: |walk| {
            until_true("etcd is down", || shown(walk.server, "status").contains("etcd down"));
            let first = RtmpClient::publish(walk.port, "claimed", "first").wait_started();
            Box::new(move || {
                until_true("another one is refused", || !accepts(walk.port, "claimed", "second"));
                first.leave();
            })
        },
    },
];

/// Rows of applications, and what shows the cluster.
pub const STREAMS: &[Case] = &[
    Case {
        row: "cluster streams/cluster_publish",
        place: Place::Application,
        before: "cluster_publish off;",
        after: "cluster_publish on;",
        look: |walk| {
            let publisher = walk.publish("s");
            let listed = format!("/{}/s n{} epoch ", walk.app, walk.server.rtmp);
            assert!(!shown(walk.server, "streams").contains(&listed));
            Box::new(move || {
                until_true("it is claimed", || shown(walk.server, "streams").contains(&listed));
                publisher.leave();
            })
        },
    },
    Case {
        row: "cluster streams/cluster_pull",
        place: Place::Application,
        before: "failed_reconnect 20ms; cluster_pull off;",
        after: "failed_reconnect 20ms; cluster_pull on;",
        look: |walk| {
            of_another(walk, "s");
            let player = Player::rtmp(RtmpClient::play(walk.port, &walk.app, "s"));
            player.wait("play was accepted", |got| got.started.then_some(()));
            assert!(walk.server.log_lines("relay pull failed: 's'").is_empty());
            Box::new(move || {
                walk.server.wait_log("relay pull failed: 's'");
                drop(player);
            })
        },
    },
    Case {
        row: "cluster streams/cluster_carry",
        place: Place::Application,
        before: "failed_reconnect 20ms; cluster_pull on; cluster_carry off;",
        after: "failed_reconnect 20ms; cluster_pull on; cluster_carry on;",
        look: |walk| {
            let owner = owner(walk);
            let feed = Publisher::with(RtmpClient::publish(owner.rtmp, &walk.app, "s"), Tracks::Both);
            let feed = feed.keep_sending();
            let player = Player::rtmp(RtmpClient::play(walk.port, &walk.app, "s"));
            player.wait_key();
            let carried = format!("/{}/s owner epoch ", walk.app);
            let is_carried = move || {
                let text = shown(walk.server, "streams");
                let line = text.lines().find(|line| line.contains(&carried)).unwrap_or_default().to_owned();
                line.contains(", carried by n")
            };
            assert!(!is_carried());
            Box::new(move || {
                until_true("it is carried", is_carried);
                drop(player);
                feed.stop().leave();
                drop(owner);
            })
        },
    },
    Case {
        row: "cluster streams/cluster_takeover",
        place: Place::Application,
        before: "cluster_publish on; cluster_takeover off;",
        after: "cluster_publish on; cluster_takeover after 100ms;",
        look: |walk| {
            joined(walk);
            of_another(walk, "s");
            assert!(!accepts(walk.port, &walk.app, "s"));
            Box::new(|| until_true("it may take the name", || accepts(walk.port, &walk.app, "s")))
        },
    },
    Case {
        row: "stat/rtmp_stat_cluster",
        place: Place::Locations,
        before: "location /{app} { rtmp_stat all; }",
        after: "location /{app} { rtmp_stat all; rtmp_stat_cluster on; }",
        look: |walk| {
            let page = format!("/{}", walk.own_app);
            assert!(!http::get(walk.web, &page).text().contains("<cluster>"));
            Box::new(move || {
                let text = http::get(walk.web, &page).text();
                assert!(
                    text.contains("<cluster>")
                        && text.contains(&format!("<node>n{}</node>", walk.server.rtmp)),
                    "{text}"
                );
            })
        },
    },
];

/// What `pingosd ctl cluster` prints.
fn shown(server: &Server, what: &str) -> String {
    String::from_utf8_lossy(&server.run(&["ctl", "cluster", what]).stdout).into_owned()
}

/// `pingosd ctl cluster` prints one text before, and the other one afterwards.
fn shows<'w>(walk: &'w Walk<'w>, what: &'static str, before: &'static str, after: &'static str) -> After<'w> {
    until_true(before, || shown(walk.server, what).contains(before));
    Box::new(move || until_true(after, || shown(walk.server, what).contains(after)))
}

/// The cluster is joined, and afterwards a file is missing.
fn cannot_join_any_more<'w>(walk: &'w Walk<'w>, file: &'static str) -> After<'w> {
    until_true("it has joined", || shown(walk.server, "status").contains("etcd up"));
    let refused = move || {
        walk.server
            .log_lines("the cluster cannot be joined")
            .iter()
            .filter(|line| line.contains(file))
            .count()
    };
    let before = refused();
    Box::new(move || until_true("it cannot be joined", || refused() > before))
}

/// Whether a publisher is accepted; it leaves again.
fn accepts(port: u16, app: &str, name: &str) -> bool {
    let mut client = RtmpClient::publish(port, app, name);
    let event = client.wait_event("an answer to publish", |event| match event {
        ClientEvent::Started => true,
        ClientEvent::Status { level, .. } => level == "error",
        _ => false,
    });
    client.leave();
    event == ClientEvent::Started
}

/// The server has joined: until then publishers are accepted.
fn joined(walk: &Walk<'_>) {
    until_true("it has joined", || shown(walk.server, "status").contains("etcd up"));
}

/// A server that does not answer has this stream of the case's application.
fn of_another(walk: &Walk<'_>, name: &str) {
    let value = r#"{"node":"other","run":"r","session":1,"since":0,"advertise":[{"addresses":["rtmp://127.0.0.1:1"]}]}"#;
    let address = format!("http://127.0.0.1:{}", ETCD.load(Ordering::Relaxed));
    etcd::ctl(&address, &["put", &format!("/pingosd/c/streams/default/{}/{name}", walk.app), value]).unwrap();
    let listed = format!("/{}/{name} other epoch ", walk.app);
    until_true("the entry is known", || shown(walk.server, "streams").contains(&listed));
}

/// A server that publishes streams of the case's application.
fn owner(walk: &Walk<'_>) -> Server {
    let server = Server::start(
        &Conf::new(&format!("application {} {{ live on; cluster_publish on; }}", walk.app)).main(&format!(
            "cluster c {{ etcd http://127.0.0.1:{}; node owner; advertise rtmp://127.0.0.1:{{rtmp_port}}; lease 2s; }}",
            ETCD.load(Ordering::Relaxed)
        )),
    );
    server.wait_log("joined as");
    server
}

/// One etcd at a time, which the cases find.
#[cfg(feature = "cluster")]
static TURN: Mutex<()> = Mutex::new(());

#[cfg(feature = "cluster")]
#[test]
fn rows_of_the_cluster_block() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let etcd = Etcd::start();
    ETCD.store(etcd.client, Ordering::Relaxed);
    let vars = [("etcd", etcd.client.to_string())];
    let server = "application claimed { live on; cluster_publish on; }";
    walk_each(CASES, Around { server, vars: &vars, ..Around::default() });
}

#[cfg(feature = "cluster")]
#[test]
fn rows_of_streams_in_the_cluster() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let etcd = Etcd::start();
    ETCD.store(etcd.client, Ordering::Relaxed);
    let vars = [("etcd", etcd.client.to_string())];
    let main = "cluster c { etcd http://127.0.0.1:{etcd}; node n{rtmp_port}; advertise rtmp://127.0.0.1:{rtmp_port}; lease 2s; }";
    walk_each(STREAMS, Around { main, vars: &vars, ..Around::default() });
}
