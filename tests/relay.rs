//! Relays between servers of ours: chains, ends, failures and loops.

mod support;

use std::collections::HashSet;
use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::frame::{GOP, Tracks};
use support::server::free_port;
use support::wait::{until, until_true};
use support::{Answer, Conf, End, NotifyServer, Player, Publisher, RtmpClient, Server};

/// Delays that a test can wait for.
const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 200ms;";

/// A message by which a player acknowledges one byte (RTMP §5.4.3).
const ACKNOWLEDGEMENT: [u8; 16] = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 1];

fn origin() -> Server {
    Server::start(&Conf::live("idle_streams off;").with_flv())
}

/// A server that pulls what it does not have from `port`.
fn pulling_from(port: u16) -> Conf {
    Conf::live(&format!("{QUICK} pull rtmp://127.0.0.1:{port};")).with_flv()
}

fn redirect(location: &str) -> Answer {
    Answer::Raw(
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes(),
    )
}

fn asking(notify: &NotifyServer, lines: &str) -> Server {
    Server::start(&Conf::live(&format!("{QUICK} {lines}")).with_flv().var("callback", notify.url("")))
}

#[test]
fn a_player_at_the_edge_sees_the_origin_through_a_middle_server() {
    let origin = origin();
    let middle = Server::start(&pulling_from(origin.rtmp));
    let edge = Server::start(&pulling_from(middle.rtmp));
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let (over_rtmp, over_http) = (Player::start(edge.rtmp, "s"), Player::http(edge.http, "/flv/s"));
    over_rtmp.wait_key();
    over_http.wait_key();
    // Before the key frame there is audio only.
    let seen = over_rtmp.frames().len() as u64;
    let last = over_rtmp.frames()[0] + seen + 3 * GOP;
    over_rtmp.wait_frame(last);
    over_http.wait_frame(last);
    for player in [&over_rtmp, &over_http] {
        let frames: Vec<u64> = player.frames().into_iter().skip_while(|n| n % GOP != 0).collect();
        let whole: Vec<u64> = (frames[0]..).take(frames.len()).collect();
        assert_eq!(frames, whole, "nothing is lost on the way");
    }
    publisher.stop().leave();
}

#[test]
fn a_publisher_that_returns_to_the_origin_is_seen_again() {
    let origin = origin();
    let middle = Server::start(&pulling_from(origin.rtmp));
    let edge = Server::start(&pulling_from(middle.rtmp));
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    publisher.stop().leave();
    let mut publisher = Publisher::start(origin.rtmp, "s");
    publisher.skip_to(10_000);
    let publisher = publisher.keep_sending();
    until_true("frames of the second publisher", || player.frames().iter().any(|n| *n >= 10_000));
    publisher.stop().leave();
}

#[test]
fn players_recover_when_a_server_in_between_is_killed() {
    let origin = origin();
    let port = free_port();
    let conf = Conf::new(&format!(
        "listen 127.0.0.1:{port}; application live {{ live on; {QUICK} pull rtmp://127.0.0.1:{}; }}",
        origin.rtmp
    ));
    let mut middle = Server::start(&conf);
    let edge = Server::start(&pulling_from(port));
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    middle.signal(Signal::SIGKILL);
    middle.wait_exit();
    let lost = publisher.next();
    let _middle = Server::start(&conf);
    until_true("frames through the new server", || player.frames().iter().any(|n| *n > lost));
    // The publisher has noticed nothing.
    publisher.stop().leave();
}

#[test]
fn the_relay_ends_with_its_last_player() {
    let notify = NotifyServer::start();
    let origin = asking(&notify, "on_play {callback}/origin stage=done;");
    let edge = asking(&notify, "on_pull {callback}/edge stage=start,done;");
    notify.answer(
        "call=pull act=start",
        redirect(&format!("rtmp://127.0.0.1:{}/live/s?from=edge", origin.rtmp)),
    );
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let (first, second) = (Player::start(edge.rtmp, "s"), Player::start(edge.rtmp, "s"));
    first.wait_key();
    second.wait_key();
    drop(first);
    let seen = second.frames().last().copied().unwrap();
    second.wait_frame(seen + GOP);
    assert_eq!(notify.requests_of("call=pull").len(), 1, "one pull for all players");
    assert!(notify.requests_of("call=pull act=done").is_empty());
    drop(second);
    let done = notify.wait("call=pull act=done");
    let start = notify.wait("call=pull act=start");
    assert_eq!(start.value("clientid"), done.value("clientid"));
    notify.wait("call=play act=done");
    publisher.stop().leave();
}

#[test]
fn an_http_origin_is_pulled_from() {
    let notify = NotifyServer::start();
    let origin = origin();
    let edge = asking(&notify, "on_pull {callback}/ stage=start,done;");
    notify.answer("call=pull act=start", redirect(&format!("http://127.0.0.1:{}/flv/s", origin.http)));
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let player = Player::http(edge.http, "/flv/s");
    player.wait_key();
    drop(player);
    notify.wait("call=pull act=done");
    publisher.stop().leave();
}

#[test]
fn a_dead_target_is_tried_until_it_lives() {
    let notify = NotifyServer::start();
    let edge = asking(&notify, "on_pull {callback}/ stage=start,done;");
    let port = free_port();
    notify.answer("call=pull act=start", redirect(&format!("rtmp://127.0.0.1:{port}/live/s")));
    let player = Player::start(edge.rtmp, "s");
    let starts = notify.wait_count("call=pull act=start", 3);
    notify.wait_count("call=pull act=done", 2);
    let ids: HashSet<&str> = starts.iter().map(|start| start.value("clientid")).collect();
    assert_eq!(ids.len(), starts.len(), "each attempt is a session of its own");
    let _origin =
        Server::start(&Conf::new(&format!("listen 127.0.0.1:{port}; application live {{ live on; }}")));
    let publisher = Publisher::start(port, "s").keep_sending();
    player.wait_key();
    publisher.stop().leave();
}

#[test]
fn a_redirect_to_ourselves_is_refused_with_a_log_line() {
    let notify = NotifyServer::start();
    let server = asking(&notify, "on_pull {callback}/ stage=start,done;");
    notify.answer("call=pull act=start", redirect(&format!("rtmp://127.0.0.1:{}/live/s", server.rtmp)));
    let _player = Player::start(server.rtmp, "s");
    server.wait_log("relay loop refused: app='live' name='s'");
    // Over HTTP too, and under another name it is no loop.
    notify.answer("call=pull act=start name=h", redirect(&format!("http://127.0.0.1:{}/flv/h", server.http)));
    let _other = Player::http(server.http, "/flv/h");
    server.wait_log("relay loop refused: app='live' name='h'");
    notify.answer(
        "call=pull act=start name=alias",
        redirect(&format!("rtmp://127.0.0.1:{}/live/real", server.rtmp)),
    );
    let publisher = Publisher::start(server.rtmp, "real").keep_sending();
    Player::start(server.rtmp, "alias").wait_key();
    publisher.stop().leave();
}

#[test]
fn two_servers_that_pull_from_each_other_do_not_go_round() {
    let (a, b) = (free_port(), free_port());
    let conf = |own: u16, other: u16| {
        Conf::new(&format!(
            "listen 127.0.0.1:{own}; application live {{ live on; {QUICK} pull rtmp://127.0.0.1:{other}; }}"
        ))
    };
    let servers = [Server::start(&conf(a, b)), Server::start(&conf(b, a))];
    let player = Player::start(a, "s");
    until_true("a loop is seen", || servers.iter().any(|s| !s.log_lines("relay loop").is_empty()));
    let publisher = Publisher::start(b, "s").keep_sending();
    player.wait_key();
    publisher.stop().leave();
}

#[test]
fn odd_locations_are_named_in_the_log_and_hurt_nobody() {
    let notify = NotifyServer::start();
    let server = asking(&notify, "on_pull {callback}/ stage=start;");
    let long = format!("rtmp://127.0.0.1/{}", "a".repeat(64 * 1024));
    for (n, (location, why)) in [
        ("rtmp://user:pw@127.0.0.1/live/s", "it has a user before the host"),
        ("rtmp://127.0.0.1:0/live/s", "\"0\" is no port"),
        ("rtmp://127.0.0.1:99999/live/s", "\"99999\" is no port"),
        ("rtsp://127.0.0.1/live/s", "it is neither rtmp:// nor http://"),
        ("", "it is neither rtmp:// nor http://"),
        ("rtmp://[::1/live", "it has no valid host"),
        (long.as_str(), "bytes long"),
    ]
    .into_iter()
    .enumerate()
    {
        notify.answer(&format!("call=pull name=n{n}"), redirect(location));
        let player = Player::start(server.rtmp, &format!("n{n}"));
        let line = until("a log line", || {
            let lines = server.log_lines(&format!("'n{n}', unusable Location"));
            lines.into_iter().next()
        });
        assert!(line.contains(why) && line.contains("callback in "), "{line}");
        drop(player);
    }
    let encoded = format!("rtmp://127.0.0.1:{}/live/a%0d%0aX:1", free_port());
    notify.answer("call=pull name=crlf", redirect(&encoded));
    let _player = Player::start(server.rtmp, "crlf");
    server.wait_log("relay pull failed: 'crlf', connect failed");
}

#[test]
fn a_location_may_hold_an_address_of_version_6() {
    let notify = NotifyServer::start();
    let port = free_port();
    let _origin = Server::start(&Conf::new(&format!("listen [::1]:{port}; application live {{ live on; }}")));
    let edge = asking(&notify, "on_pull {callback}/; on_push {callback}/;");
    notify.answer("act=start", redirect(&format!("rtmp://[::1]:{port}/live/copy")));
    let publisher = Publisher::start(edge.rtmp, "s").keep_sending();
    edge.wait_log("relay push started: 's'");
    let player = Player::start(edge.rtmp, "other");
    player.wait_key();
    publisher.stop().leave();
}

#[test]
fn a_push_that_cannot_be_followed_is_asked_again_and_leaves_the_publisher_alone() {
    let notify = NotifyServer::start();
    let server = asking(&notify, "on_push {callback}/ stage=start,done;");
    for location in
        ["http://127.0.0.1/live/s", "rtmp://user@127.0.0.1/", "rtmp://127.0.0.1:99999/", "nonsense"]
    {
        notify.answer("call=push act=start", redirect(location));
        let before = notify.requests_of("call=push act=start").len();
        let mut publisher = Publisher::start(server.rtmp, "s");
        notify.wait_count("call=push act=start", before + 3);
        publisher.send(2);
        publisher.leave();
        server.wait_log("stopped publishing 's'");
    }
    let lines = server.log_lines("relay push failed: 's', unusable Location: ");
    assert!(lines.iter().all(|line| line.contains("callback in ")), "{lines:?}");
    for why in
        ["only rtmp:// and rtmps:// can be pushed to", "a user before the host", "\"99999\" is no port"]
    {
        assert!(lines.iter().any(|line| line.contains(why)), "{why}");
    }
}

#[test]
fn nothing_is_pushed_to_an_http_address() {
    let target = origin();
    let server = Server::start(&Conf::live(&format!(
        "{QUICK} push http://127.0.0.1:{}; push http://127.0.0.1:{} rtmp://127.0.0.1:{} name=copy;",
        target.http, target.http, target.rtmp
    )));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    server.wait_log("relay push failed: 's', only rtmp:// and rtmps:// can be pushed to");
    server.wait_log("relay push started: 's'");
    Player::start(target.rtmp, "copy").wait_key();
    publisher.stop().leave();
}

#[test]
fn a_push_sends_everything_and_ends_with_its_publisher() {
    let notify = NotifyServer::start();
    let target = asking(&notify, "on_publish {callback}/target stage=start,done;");
    let server = asking(
        &notify,
        "on_push {callback}/ stage=start,done groupid=one; on_push {callback}/ stage=start,done groupid=two;",
    );
    notify.answer(
        "call=push act=start groupid=one",
        redirect(&format!("rtmp://127.0.0.1:{}/live/copy", target.rtmp)),
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(target.rtmp, "copy");
    server.wait_log("relay push started: 's'");
    let last = publisher.send(3 * GOP);
    player.wait_frame(last);
    player.assert_whole(Tracks::Both, last);
    publisher.leave();
    notify.wait("call=publish act=done name=copy");
    let done = notify.wait("call=push act=done");
    assert_eq!(done.value("groupid"), "one");
    assert!(notify.requests_of("call=push act=done groupid=two").is_empty(), "a 200 begins nothing");
}

#[test]
fn a_meta_callback_may_redirect_as_a_push_callback() {
    let notify = NotifyServer::start();
    let target = origin();
    let server = asking(&notify, "on_meta {callback}/ stage=start,done;");
    notify.answer("call=meta act=start", redirect(&format!("rtmp://127.0.0.1:{}/live/copy", target.rtmp)));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    notify.wait("call=meta act=start");
    server.wait_log("relay push started: 's'");
    Player::start(target.rtmp, "copy").wait_key();
    publisher.stop().leave();
    notify.wait("call=meta act=done");
    assert_eq!(notify.requests_of("call=meta").len(), 2);
}

#[test]
fn push_and_meta_exclude_each_other() {
    let notify = NotifyServer::start();
    let server = asking(&notify, "on_push {callback}/; on_meta {callback}/;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    player.wait_frame(publisher.send(2 * GOP));
    notify.wait("call=push act=start");
    assert!(notify.requests_of("call=meta").is_empty());
}

#[test]
fn a_publisher_of_our_own_takes_over_when_the_pull_ends() {
    let origin = origin();
    let edge = Server::start(&pulling_from(origin.rtmp));
    let pulled = Publisher::start(origin.rtmp, "s").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    let mut own = Publisher::with(RtmpClient::publish(edge.rtmp, "live", "s"), Tracks::Both);
    own.skip_to(50_000);
    let own = own.keep_sending();
    let seen = player.frames().last().copied().unwrap();
    player.wait_frame(seen + 2 * GOP);
    assert!(player.frames().iter().all(|n| *n < 50_000), "players go on with the pulled stream");
    pulled.stop().leave();
    until_true("frames of our own publisher", || player.frames().iter().any(|n| *n >= 50_000));
    own.stop().leave();
}

#[test]
fn a_reload_starts_and_ends_pushes_of_running_publishers() {
    let target = origin();
    let server = Server::start(&Conf::live(""));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    server.reload(&Conf::live(&format!("{QUICK} push rtmp://127.0.0.1:{} name=copy;", target.rtmp)));
    server.wait_log("relay push started: 's'");
    Player::start(target.rtmp, "copy").wait_key();
    server.reload(&Conf::live(""));
    target.wait_log("stopped publishing 'copy'");
    publisher.stop().leave();
}

#[test]
fn a_stop_tells_the_end_of_relays() {
    let notify = NotifyServer::start();
    let origin = origin();
    let mut edge =
        asking(&notify, "on_pull {callback}/ stage=start,done; on_push {callback}/ stage=start,done;");
    notify.answer("act=start", redirect(&format!("rtmp://127.0.0.1:{}/live/o", origin.rtmp)));
    let publisher = Publisher::start(origin.rtmp, "o").keep_sending();
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    edge.signal(Signal::SIGTERM);
    assert!(edge.wait_exit().success());
    notify.wait("call=pull act=done");
    drop(player);
    publisher.stop().leave();
}

#[test]
fn a_pull_that_is_refused_is_asked_once_for_all_waiting_players() {
    let notify = NotifyServer::start();
    let server = asking(&notify, "on_pull {callback}/ stage=start,done;");
    notify.answer("call=pull act=start", Answer::Late(Duration::from_millis(500), 403));
    let players: Vec<Player> = (0..3).map(|_| Player::start(server.rtmp, "s")).collect();
    for player in &players {
        player.wait_end();
    }
    let count = || notify.requests_of("call=pull act=start name=s").len();
    assert_eq!(count(), 1);
    // A new player is a reason to ask again.
    Player::start(server.rtmp, "s").wait_end();
    assert_eq!(count(), 2);
}

#[test]
fn a_player_whose_pull_is_refused_reads_all_that_it_was_sent() {
    let notify = NotifyServer::start();
    let server = asking(&notify, "on_pull {callback}/ stage=start,done;");
    notify.answer("call=pull act=start", Answer::Late(Duration::from_millis(200), 403));
    for n in 0..3 {
        let mut player = RtmpClient::play(server.rtmp, "live", &format!("s{n}")).wait_started();
        let mut sending = player.socket.try_clone().unwrap();
        // What the server has not read when it closes makes the system reset the connection.
        let acknowledging = thread::spawn(move || while sending.write_all(&ACKNOWLEDGEMENT).is_ok() {});
        assert_eq!(player.wait_end(), End::Closed);
        let _ = player.socket.shutdown(Shutdown::Both);
        acknowledging.join().unwrap();
    }
}

#[test]
fn a_publisher_s_password_does_not_go_to_a_target_that_names_its_stream() {
    let notify = NotifyServer::start();
    let target = asking(&notify, "on_publish {callback}/ args=q=$pargs;");
    let server = Server::start(&Conf::live(&format!(
        "{QUICK} push rtmp://127.0.0.1:{0}/live/one; push rtmp://127.0.0.1:{0} name=two;",
        target.rtmp
    )));
    let client = RtmpClient::publish(server.rtmp, "live", "s?user=me&pass=SECRET");
    let publisher = Publisher::with(client, Tracks::Both).keep_sending();
    for name in ["one", "two"] {
        let told = notify.wait(&format!("call=publish act=start name={name}"));
        assert!(!told.line.contains("SECRET"), "{}", told.line);
    }
    publisher.stop().leave();
}

#[test]
fn two_viewers_of_a_name_without_publisher_do_not_keep_a_ring_of_pulls_from_a_publisher() {
    let (a, b) = (free_port(), free_port());
    let conf = |own: u16, other: u16| {
        Conf::new(&format!(
            "listen 127.0.0.1:{own}; application live {{ live on; {QUICK} pull rtmp://127.0.0.1:{other}; }}"
        ))
    };
    let first = Server::start(&conf(a, b));
    let second = Server::start(&conf(b, a));
    let (here, there) = (Player::start(a, "s"), Player::start(b, "s"));
    first.wait_log("relay pull: 's'");
    second.wait_log("relay pull: 's'");
    let publisher = Publisher::start(a, "s").keep_sending();
    here.wait_key();
    there.wait_key();
    assert!(first.log_lines("relay pull started").is_empty(), "there was no media to relay");
    publisher.stop().leave();
}

/// Servers, each pulling from the next; the last from the first.
struct Ring(Vec<Server>);

impl Ring {
    fn start(count: usize, http: bool) -> Self {
        let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
        let server = |n: usize| {
            let ((rtmp, web), (next, next_web)) = (ports[n], ports[(n + 1) % count]);
            let pull = if http {
                format!("pull http://127.0.0.1:{next_web} app=flv;")
            } else {
                format!("pull rtmp://127.0.0.1:{next};")
            };
            let flv = format!(
                "server {{ listen 127.0.0.1:{web}; location /flv {{ flv_live 127.0.0.1:{rtmp} app=live; }} }}"
            );
            let directives = format!("live on; cache_time 1s; {QUICK} {pull}");
            Server::start(
                &Conf::new(&format!("listen 127.0.0.1:{rtmp}; application live {{ {directives} }}"))
                    .http(&flv),
            )
        };
        Ring((0..count).map(server).collect())
    }

    /// A publisher that drops and returns to the first server is seen by a viewer at each.
    fn outlives_a_publisher(&self) {
        let publisher = Publisher::start(self.0[0].rtmp, "s").keep_sending();
        let players: Vec<Player> = self.0.iter().map(|server| Player::start(server.rtmp, "s")).collect();
        players.iter().for_each(Player::wait_key);
        publisher.stop().leave();
        self.0[0].wait_log("stopped publishing 's'");
        // The first server asks around meanwhile, and comes upon its own stream.
        until_true("a loop is seen", || self.0.iter().any(|s| !s.log_lines("relay loop").is_empty()));
        let mut publisher = Publisher::start(self.0[0].rtmp, "s");
        publisher.skip_to(100_000);
        let publisher = publisher.keep_sending();
        for player in &players {
            until_true("frames of the second publisher", || player.frames().iter().any(|n| *n >= 100_000));
        }
        publisher.stop().leave();
    }
}

#[test]
fn a_pair_and_a_ring_of_pulls_outlive_a_publisher_that_returns() {
    Ring::start(2, false).outlives_a_publisher();
    Ring::start(3, false).outlives_a_publisher();
}

#[test]
fn a_ring_of_pulls_over_http_outlives_a_publisher_that_returns() {
    Ring::start(2, true).outlives_a_publisher();
    Ring::start(3, true).outlives_a_publisher();
}
