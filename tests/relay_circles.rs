//! Servers that pull from each other or push to each other in a circle, and clients that pretend to come from one.

mod support;

use std::io::Write;
use std::time::Instant;

use bytes::Bytes;
use pingosd::limits;
use pingosd::media::trail;
use pingosd::wire::rtmp::client_session::{ClientPurpose, ClientSettings};
use support::frame::{GOP, Tracks};
use support::server::free_port;
use support::wait::until_true;
use support::{Conf, Player, Publisher, RtmpClient, Server, http};
use tempfile::NamedTempFile;

/// Delays that a test can wait for.
const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 200ms;";
const STAT: &str = "location /flv { flv_live {rtmp_port} app=live; } location /stat { rtmp_stat all; }";

/// A secret that servers share, or none.
struct Cluster(Option<NamedTempFile>);

impl Cluster {
    fn with_secret() -> Self {
        let secret = NamedTempFile::new().unwrap();
        secret.as_file().write_all(b"not to be told\n").unwrap();
        Cluster(Some(secret))
    }

    fn server(&self, server: &str) -> Server {
        let secret = self.0.as_ref().map(|file| format!("relay_secret {};", file.path().display()));
        Server::start(&Conf::new(server).rtmp(&secret.unwrap_or_default()).http_server(STAT))
    }

    /// One application `live`.
    fn live(&self, directives: &str) -> Server {
        self.server(&format!("application live {{ live on; cache_time 1s; {QUICK} {directives} }}"))
    }

    /// Servers, each of which pulls from the next, the last from the first.
    fn ring(&self, count: usize, over_http: bool) -> Vec<Server> {
        self.circle(count, |port, web| match over_http {
            true => format!("pull http://127.0.0.1:{web} app=flv;"),
            false => format!("pull rtmp://127.0.0.1:{port};"),
        })
    }

    /// Servers, each with a line for the next, which is on this port for RTMP and that for HTTP.
    fn circle(&self, count: usize, line: impl Fn(u16, u16) -> String) -> Vec<Server> {
        let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
        let secret = self.0.as_ref().map(|file| format!("relay_secret {};", file.path().display()));
        let start = |n: usize| {
            let ((own, own_web), (next, next_web)) = (ports[n], ports[(n + 1) % count]);
            let line = line(next, next_web);
            let web = format!(
                "server {{ listen 127.0.0.1:{own_web}; location /flv {{ flv_live 127.0.0.1:{own} app=live; }} }}"
            );
            let live = format!("application live {{ live on; cache_time 1s; {QUICK} {line} }}");
            let conf = Conf::new(&format!("listen 127.0.0.1:{own}; {live}")).http(&web).http_server(STAT);
            Server::start(&conf.rtmp(secret.as_deref().unwrap_or_default()))
        };
        (0..count).map(start).collect()
    }
}

/// Whether a server has no stream: neither players nor relays.
fn is_empty(server: &Server) -> bool {
    !http::get(server.http, "/stat").text().contains("<stream>")
}

/// Nothing is left of any stream, on all of them at once.
#[track_caller]
fn wait_empty(servers: &[Server]) {
    until_true("the end of all relays", || servers.iter().all(is_empty));
}

/// As many hops as fit into a trail of the longest length.
fn invented() -> String {
    (0..15).map(|n| format!("{n:016x}")).collect::<Vec<_>>().join(",")
}

fn forger(server: &Server, purpose: fn(Bytes) -> ClientPurpose) -> RtmpClient {
    let tc_url = format!("rtmp://127.0.0.1:{}/live", server.rtmp);
    let extra = vec![(Bytes::from_static(trail::CONNECT_MEMBER.as_bytes()), Bytes::from(invented()).into())];
    let name = Bytes::from_static(b"s");
    RtmpClient::open(
        server.rtmp,
        ClientSettings { extra, ..ClientSettings::new("live", tc_url, purpose(name)) },
    )
}

/// A player at an edge sees the origin by way of a middle server, where a client with an invented trail has come first.
fn an_invented_trail_disturbs_nobody(cluster: &Cluster) {
    for over_http in [false, true] {
        let origin = cluster.live("");
        let middle = match over_http {
            true => cluster.live(&format!("pull http://127.0.0.1:{} app=flv;", origin.http)),
            false => cluster.live(&format!("pull rtmp://127.0.0.1:{};", origin.rtmp)),
        };
        let edge = cluster.live(&format!("pull rtmp://127.0.0.1:{};", middle.rtmp));
        let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
        let forgers = [
            Player::rtmp(forger(&middle, |name| ClientPurpose::Play { name })),
            Player::http_request(
                middle.http,
                &format!("GET /flv/s HTTP/1.1\r\nHost: h\r\nX-Pingosd-Trail: {}\r\n\r\n", invented()),
            ),
        ];
        middle.wait_log("playing 's'");
        Player::start(edge.rtmp, "s").wait_key();
        assert!(origin.log_lines("relay loop").is_empty());
        drop(forgers);
        publisher.stop().leave();
    }
}

#[test]
fn an_invented_trail_costs_nobody_else_the_picture() {
    an_invented_trail_disturbs_nobody(&Cluster(None));
    an_invented_trail_disturbs_nobody(&Cluster::with_secret());
}

#[test]
fn an_invented_trail_of_a_publisher_is_not_passed_on() {
    for cluster in [Cluster(None), Cluster::with_secret()] {
        let target = cluster.live("");
        let server = cluster.live(&format!("push rtmp://127.0.0.1:{};", target.rtmp));
        let player = Player::start(target.rtmp, "s");
        let client = forger(&server, |name| ClientPurpose::Publish { name });
        let publisher = Publisher::with(client, Tracks::Both).keep_sending();
        player.wait_key();
        publisher.stop().leave();
    }
}

#[test]
fn a_trail_that_is_too_long_is_refused_to_the_session_that_claims_it() {
    let server = Cluster(None).live("");
    let long = format!("{},{:016x}", invented(), 99);
    let head = format!("X-Pingosd-Trail: {long}\r\n");
    assert_eq!(http::get_with(server.http, "/flv/s", &head).status(), 508);
    server.wait_log("relay loop refused");
}

#[test]
fn a_proved_ring_refuses_the_relay_that_would_close_it_and_ends() {
    for over_http in [false, true] {
        let ring = Cluster::with_secret().ring(3, over_http);
        let player = Player::start(ring[0].rtmp, "s");
        ring[0].wait_log("relay loop refused: app='live' name='s'");
        // The middle server of the three gets a publisher, and the player sees it.
        let mut publisher = Publisher::start(ring[1].rtmp, "s");
        until_true("a picture", || {
            publisher.send(GOP);
            !player.frames().is_empty()
        });
        for server in &ring {
            assert!(server.log_lines("is not believed").is_empty(), "all trails are proved");
        }
        publisher.leave();
        drop(player);
        wait_empty(&ring);
    }
}

#[test]
fn a_trail_proved_with_another_secret_is_not_believed_and_hurts_nobody() {
    let origin = Cluster::with_secret().live("");
    let other = NamedTempFile::new().unwrap();
    other.as_file().write_all(b"another").unwrap();
    let edge = Cluster(Some(other)).live(&format!("pull rtmp://127.0.0.1:{};", origin.rtmp));
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    Player::start(edge.rtmp, "s").wait_key();
    origin.wait_log("relay trail of 's' is not accepted: its signature was made with another relay_secret");
    publisher.stop().leave();
}

#[test]
fn a_ring_without_a_secret_ends_with_its_players() {
    for (count, over_http) in [(2, false), (3, false), (2, true), (3, true)] {
        let ring = Cluster(None).ring(count, over_http);
        let players: Vec<Player> = ring.iter().map(|server| Player::start(server.rtmp, "s")).collect();
        // The circle is detected before any media has come.
        until_true("a circle is seen", || ring.iter().any(|s| !s.log_lines("relay loop").is_empty()));
        drop(players);
        wait_empty(&ring);
    }
}

#[test]
fn two_applications_that_pull_from_each_other_find_a_publisher_and_end() {
    let pull = |app: &str| format!("live on; {QUICK} pull rtmp://127.0.0.1:{{rtmp_port}} app={app};");
    let applications = format!("application a {{ {} }} application b {{ {} }}", pull("b"), pull("a"));
    let server = [Cluster(None).server(&applications)];
    let play = |app: &str| Player::rtmp(RtmpClient::play(server[0].rtmp, app, "s"));
    let players = [play("a"), play("b")];
    server[0].wait_log("relay loop");
    for app in ["a", "b"] {
        let client = RtmpClient::publish(server[0].rtmp, app, "s");
        let mut publisher = Publisher::with(client, Tracks::Both);
        let first = if app == "a" { 0 } else { 100_000 };
        publisher.skip_to(first);
        let (publisher, began) = (publisher.keep_sending(), Instant::now());
        for player in &players {
            until_true("a picture", || player.frames().iter().any(|n| *n >= first));
        }
        assert!(app == "a" || began.elapsed() < limits::RELAY_SILENCE / 2, "{:?}", began.elapsed());
        publisher.stop().leave();
    }
    drop(players);
    wait_empty(&server);
}

#[test]
fn a_publisher_takes_the_place_of_a_relay_that_has_fallen_silent() {
    let cluster = Cluster(None);
    for over_http in [false, true] {
        let origin = cluster.live("");
        let edge = match over_http {
            true => cluster.live(&format!("pull http://127.0.0.1:{} app=flv;", origin.http)),
            false => cluster.live(&format!("pull rtmp://127.0.0.1:{};", origin.rtmp)),
        };
        let pulled = Publisher::start(origin.rtmp, "s").keep_sending();
        let player = Player::start(edge.rtmp, "s");
        player.wait_key();
        // The origin keeps the relay: another publisher may come.
        pulled.stop().leave();
        let mut own = Publisher::with(RtmpClient::publish(edge.rtmp, "live", "s"), Tracks::Both);
        own.skip_to(100_000);
        let (own, began) = (own.keep_sending(), Instant::now());
        until_true("frames of our own publisher", || player.frames().iter().any(|n| *n >= 100_000));
        // The origin has reported that no media will come.
        assert!(began.elapsed() < limits::RELAY_SILENCE / 2, "{:?}", began.elapsed());
        own.stop().leave();
    }
}

#[test]
fn a_ring_of_pushes_serves_its_players_and_ends_with_its_publisher() {
    for cluster in [Cluster(None), Cluster::with_secret()] {
        let ring = cluster.circle(3, |port, _| format!("push rtmp://127.0.0.1:{port};"));
        for (from, first) in [(0, 0), (1, 100_000)] {
            let mut publisher = Publisher::start(ring[from].rtmp, "s");
            publisher.skip_to(first);
            let publisher = publisher.keep_sending();
            let players: Vec<Player> = ring.iter().map(|server| Player::start(server.rtmp, "s")).collect();
            for player in &players {
                until_true("a picture", || player.frames().iter().any(|n| *n >= first));
            }
            publisher.stop().leave();
            drop(players);
            wait_empty(&ring);
        }
    }
}
