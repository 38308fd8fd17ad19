//! Signals: reload without loss, log rotation, and the ways to stop.

mod support;

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use support::frame::{GOP, Tracks};
use support::server::{Signal, free_port};
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http};

/// Whether a process accepts connections there.
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Runs the program with `-s WORD` for this server.
fn tell(server: &Server, word: &str) -> std::process::Output {
    server.prefix().command().args(["-s", word]).output().unwrap()
}

#[test]
fn a_reload_moves_callbacks_and_loses_no_player_and_no_frame() {
    let (old, new) = (NotifyServer::start(), NotifyServer::start());
    let conf = |notify: &NotifyServer| {
        Conf::live("cache_time 1s; on_play {callback}/ stage=update,done update=200ms;")
            .with_flv()
            .var("callback", notify.url(""))
    };
    let server = Server::start(&conf(&old));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let players: Vec<Player> = (0..50)
        .map(|n| match n % 5 {
            0 => Player::http(server.http, "/flv/s"),
            _ => Player::start(server.rtmp, "s"),
        })
        .collect();
    old.wait_count("act=update", 50);
    server.reload(&conf(&new));
    new.wait_count("act=update", 50);
    let asked = old.requests().len();
    let updates = new.requests_of("act=update").len();
    new.wait_count("act=update", updates + 50);
    assert_eq!(old.requests().len(), asked, "the old address is asked no more");
    let last = feed.stop().next() - 1;
    for player in &players {
        player.assert_whole(Tracks::Both, last);
    }
    drop(players);
    new.wait_count("act=done", 50);
    assert!(old.requests_of("act=done").is_empty());
}

#[test]
fn a_broken_file_changes_nothing_and_is_explained() {
    let conf = Conf::live("");
    let mut server = Server::start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let broken = Conf::new("application live { live on;\n no_such_directive on; }");
    server.rewrite(&broken);
    let text = fs::read_to_string(server.prefix().conf()).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("no_such_directive")).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_log("reload refused");
    let place = format!("{}:{line}", server.prefix().conf().display());
    let explained = server.log_lines("[emerg]");
    assert!(
        explained.iter().any(|entry| entry.contains("no_such_directive") && entry.contains(&place)),
        "{explained:?}"
    );
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    Player::start(server.rtmp, "s");
    server.reload(&conf);
    assert!(server.is_running());
}

#[test]
fn a_reload_changes_nothing_for_who_waits_for_an_answer() {
    let notify = NotifyServer::start();
    notify.answer("name=waits act=start", Answer::Late(Duration::from_millis(500), 200));
    let conf = Conf::live("on_publish {callback}/ stage=done;").var("callback", notify.url(""));
    let server = Server::start(&conf);
    let client = std::thread::spawn({
        let port = server.rtmp;
        move || RtmpClient::publish(port, "live", "waits").wait_started()
    });
    notify.wait("name=waits act=start");
    server.reload(&Conf::live(""));
    let client = client.join().unwrap();
    server.wait_log("publishing 'waits'");
    client.leave();
    // The line is removed, but its `done` is still sent.
    notify.wait("name=waits act=done");
}

#[test]
fn an_address_in_use_refuses_the_reload() {
    let server = Server::start(&Conf::live(""));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = free_port();
    let conf = Conf::new("listen {free}; listen 127.0.0.1:{taken}; application live { live on; }")
        .var("free", free)
        .var("taken", taken.local_addr().unwrap().port());
    server.rewrite(&conf);
    server.signal(Signal::SIGHUP);
    server.wait_log("reload refused");
    assert_eq!(server.log_lines("bind() to").len(), 1);
    assert!(!listens(free), "what could be bound is let go");
    Publisher::start(server.rtmp, "s");
}

#[test]
fn listeners_come_and_go() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let (rtmp, http) = (free_port(), free_port());
    let more = Conf::new("listen 127.0.0.1:{more}; application live { live on; }")
        .http("server { listen 127.0.0.1:{web}; return 200 new; }")
        .var("more", rtmp)
        .var("web", http);
    server.reload(&more);
    let player = Player::start(rtmp, "s");
    assert_eq!(http::get(http, "/").text(), "new");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    server.reload(&Conf::live(""));
    until_true("the listeners are gone", || !listens(rtmp) && !listens(http));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn applications_come_and_go() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    RtmpClient::publish(server.rtmp, "new", "s").wait_end();
    server.reload(&Conf::new("application new { live on; }"));
    RtmpClient::publish(server.rtmp, "new", "s").wait_started();
    RtmpClient::play(server.rtmp, "live", "s").wait_end();
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn new_players_reach_old_publishers() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    server.reload(&Conf::live("cache_time 1s; zero_start on;").rtmp("chunk_size 8192;"));
    let player = Player::start(server.rtmp, "s");
    publisher.set_size(20_000);
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn http_locations_change_for_the_next_request() {
    let server = Server::start(&Conf::live("").http_server("return 200 old;"));
    let mut connection = http::Connection::open(server.http);
    connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.response(false).text(), "old");
    server.reload(&Conf::live("").http_server("return 200 new;"));
    connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.response(false).text(), "new");
}

#[test]
fn access_rules_change_for_newcomers_at_once() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.reload(&Conf::live("deny play all;"));
    RtmpClient::play(server.rtmp, "live", "s").wait_end();
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn what_needs_a_restart_is_said() {
    let server = Server::start(&Conf::live(""));
    server.reload(&Conf::live("").main("working_directory /;"));
    server.wait_log("after a restart only");
    let said = server.log_lines("[warn]");
    assert!(
        said.iter().any(|line| line.contains("\"working_directory\"") && line.contains("restart")),
        "{said:?}"
    );
}

#[test]
fn the_number_of_connections_stays_until_a_restart() {
    let conf = |number| Conf::live("").events(&format!("worker_connections {number};"));
    let server = Server::start(&conf(100));
    server.reload(&conf(300));
    server.wait_log("\"worker_connections\"");
    assert_eq!(server.status()["connections_limit"], 200, "two workers");
    assert_eq!(server.again().status()["connections_limit"], 600);
}

#[test]
fn many_reloads_lose_nothing() {
    let server = Server::start(&Conf::live("").with_flv());
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let rtmp = Player::start(server.rtmp, "s");
    let web = Player::http(server.http, "/flv/s");
    web.wait_key();
    let before = server.resident();
    for n in 0..20 {
        server.reload(&Conf::live(&format!("cache_time {n}s;")).with_flv());
    }
    let last = feed.stop().next() - 1;
    rtmp.assert_whole(Tracks::Both, last);
    web.assert_whole(Tracks::Both, last);
    assert!(server.resident() < before + 30 * 1024, "{before} -> {} KiB", server.resident());
}

#[test]
fn usr1_opens_the_log_anew() {
    let server = Server::start(&Conf::live(""));
    let log = server.prefix().path().join("logs/error.log");
    let rotated: PathBuf = log.with_extension("1");
    fs::rename(&log, &rotated).unwrap();
    server.signal(Signal::SIGUSR1);
    until_true("there is a new log", || log.exists());
    Publisher::start(server.rtmp, "rotated");
    server.wait_log("publishing 'rotated'");
    assert!(!fs::read_to_string(rotated).unwrap().contains("rotated"));
}

#[test]
fn the_command_line_reaches_the_running_server() {
    let mut server = Server::start(&Conf::live(""));
    assert!(tell(&server, "reload").status.success());
    server.wait_log(" reloaded, generation ");
    let log = server.prefix().path().join("logs/error.log");
    fs::rename(&log, log.with_extension("1")).unwrap();
    assert!(tell(&server, "reopen").status.success());
    until_true("there is a new log", || log.exists());
    assert!(tell(&server, "stop").status.success());
    assert!(server.wait_exit().success());
    assert!(!server.prefix().path().join("logs/pingosd.pid").exists());
    let nobody = tell(&server, "stop");
    assert!(!nobody.status.success());
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("pingosd.pid"), "{nobody:?}");
}

#[test]
fn the_command_line_refuses_to_reload_a_broken_file() {
    let server = Server::start(&Conf::live(""));
    server.rewrite(&Conf::new("application live { live on; hls_pathh /tmp; }"));
    let output = tell(&server, "reload");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("hls_pathh"), "{output:?}");
    Publisher::start(server.rtmp, "s");
}

#[test]
fn quit_waits_for_the_sessions() {
    let notify = NotifyServer::start();
    let conf = Conf::live("on_play {callback}/ stage=done;").var("callback", notify.url(""));
    let mut server = Server::start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    assert!(tell(&server, "quit").status.success());
    until_true("the listeners are closed", || !listens(server.rtmp) && !listens(server.http));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    assert!(server.is_running());
    drop(player);
    notify.wait("act=done");
    assert!(server.is_running());
    publisher.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn quit_is_cut_short_by_term() {
    let mut server = Server::start(&Conf::live(""));
    let _publisher = Publisher::start(server.rtmp, "s");
    server.signal(Signal::SIGQUIT);
    until_true("the listeners are closed", || !listens(server.rtmp));
    assert!(server.stop().success());
}

#[test]
fn quit_has_a_limit_where_configured() {
    let mut server = Server::start(&Conf::live("").main("worker_shutdown_timeout 200ms;"));
    let _publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.signal(Signal::SIGQUIT);
    player.wait_end();
    assert!(server.wait_exit().success());
}

#[test]
fn quit_ends_a_server_whose_only_connections_are_idle_http_ones() {
    let mut server = Server::start(&Conf::live("").http_server("return 200 x;"));
    let mut connection = http::Connection::open(server.http);
    connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.response(false).text(), "x");
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
}

#[test]
fn winch_stops_accepting_until_the_next_reload() {
    let conf = Conf::live("");
    let server = Server::start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.signal(Signal::SIGWINCH);
    until_true("the listeners are closed", || !listens(server.rtmp) && !listens(server.http));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    server.reload(&conf);
    Player::start(server.rtmp, "s");
}

#[test]
fn term_ends_everything_at_once() {
    let mut server = Server::start(&Conf::live("").with_flv());
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    let web = Player::http(server.http, "/flv/s");
    web.wait_key();
    feed.stop();
    assert!(server.stop().success());
    player.wait_end();
    web.wait_end();
    assert!(!server.prefix().path().join("logs/pingosd.pid").exists());
}

#[test]
fn the_level_of_the_log_is_raised_and_lowered_at_once() {
    let conf = Conf::live("").main("error_log logs/level.log {level};");
    let server = Server::start(&conf.clone().var("level", "warn"));
    // Nothing but the log at hand wants lines of sessions.
    let quiet = |level: &str| {
        let text = conf.clone().var("level", level).text(server.rtmp, server.http, server.prefix().path());
        text.replace("error_log logs/error.log info;", "error_log logs/error.log notice;")
    };
    let put = |level: &str, generation: usize| {
        fs::write(server.prefix().conf(), quiet(level)).unwrap();
        server.signal(Signal::SIGHUP);
        server.wait_log(&format!(" reloaded, generation {generation}"));
    };
    let log = || server.prefix().read("logs/level.log");
    let (mut generation, mut unseen) = (2, Vec::new());
    put("warn", generation);
    for round in 0..2 {
        // It stays: the line of its end could come after the next reload.
        unseen.push(Publisher::start(server.rtmp, &format!("unseen{round}")));
        generation += 1;
        put("info", generation);
        Publisher::start(server.rtmp, &format!("seen{round}")).leave();
        until_true("what is of that level", || log().contains(&format!("stopped publishing 'seen{round}'")));
        generation += 1;
        put("error", generation);
    }
    assert!(!log().contains("publishing 'unseen"), "{}", log());
}

#[test]
fn a_plan_and_a_refused_reload_leave_no_sockets_behind() {
    let server = Server::start(&Conf::live(""));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let unix = server.prefix().path().join("new.sock");
    let with =
        |more: &str| Conf::live("").http(&format!("server {{ listen unix:{{dir}}/new.sock; }} {more}"));
    server.rewrite(&with(""));
    let planned = server.run(&["plan"]);
    assert!(planned.status.success(), "{planned:?}");
    assert!(!unix.exists());
    server.rewrite(&with(&format!("server {{ listen 127.0.0.1:{port}; }}")));
    for words in [&["plan"][..], &["reload"]] {
        for _ in 0..4 {
            // Which one is bound first is left to chance.
            let refused = server.run(words);
            assert!(!refused.status.success(), "{refused:?}");
            assert!(!unix.exists(), "{words:?}");
        }
    }
    server.reload(&with(""));
    assert!(std::os::unix::net::UnixStream::connect(&unix).is_ok());
}
