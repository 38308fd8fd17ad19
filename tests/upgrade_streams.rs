//! While the processes of an upgrade run side by side, they serve the streams of both.

#[path = "ts_hls/media.rs"]
mod media;
mod support;

use bytes::Bytes;
use media::Source;
use pingosd::wire::amf0::AmfValue;
use pingosd::wire::rtmp::client_session::ClientPurpose;
use support::frame::{GOP, Tracks};
use support::rtmp::{RtmpClient, settings};
use support::server::Signal;
use support::upgrade::{Successor, old_pid_file, publish_when_free, start};
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, Server, http};

/// Starts the new process. New connections are its own from then on.
fn upgrade(server: &Server) -> Successor {
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(server);
    server.signal(Signal::SIGWINCH);
    server.wait_log("accepting no more connections");
    successor
}

/// Whether a publisher is refused because of another one.
fn is_taken(server: &Server, name: &str) {
    let mut client = RtmpClient::publish(server.rtmp, "live", name);
    client.wait_status("NetStream.Publish.BadName");
}

/// Media playlist of a new viewer.
fn playlist(server: &Server) -> String {
    let master = http::get(server.http, "/hls/s.m3u8").text();
    let address = master.lines().find(|line| line.starts_with("http")).unwrap();
    address[address.find("/hls").unwrap()..].to_owned()
}

fn web(more: &str) -> String {
    format!(
        "location /flv {{ flv_live {{rtmp_port}} app=live; }} location /ts {{ ts_live {{rtmp_port}} app=live; }}
         location /hls {{ hls2_live {{rtmp_port}} app=live; }} {more}"
    )
}

#[test]
fn a_stream_of_the_old_process_is_found_by_players_of_the_new_one() {
    let notify = NotifyServer::start();
    let conf = Conf::live(
        "cache_time 2s; hls2 on; hls2_fragment 200ms; hls2_timeout 3s; mpegts_cache_time 2s; on_publish {url} stage=start,done; on_play {url};
         on_pull {url}; on_stream {url}; idle_streams off;",
    )
    .var("url", notify.url("/"))
    .http_server(&web(""));
    let (mut server, _) = start(&conf);
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let before = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    before.iter().for_each(Player::wait_key);
    let viewer = playlist(&server);
    assert!(http::get(server.http, &viewer).text().contains(".ts"));
    let _successor = upgrade(&server);
    let after = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    let mut ts = http::Connection::open(server.http);
    ts.send(b"GET /ts/s HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(ts.head().status, 200);
    assert!(http::get(server.http, &playlist(&server)).text().contains(".ts"));
    // A viewer that began in the old process goes on there, through the new one.
    let text = http::get(server.http, &viewer).text();
    let fragment = text.lines().rfind(|line| line.contains(".ts")).unwrap();
    let sent = http::get(server.http, &format!("/hls/{fragment}"));
    assert_eq!((sent.status(), sent.header("content-type")), (200, Some("video/mp2t")));
    assert!(!sent.body.is_empty() && sent.body.len().is_multiple_of(188));
    assert_eq!(http::get(server.http, "/hls/s-1.ts?session=other").status(), 404);
    after.iter().for_each(Player::wait_key);
    let last = feed.next() + GOP;
    until_true("more frames", || feed.next() > last);
    before.iter().chain(&after).for_each(|player| player.assert_whole(Tracks::Both, last));
    // The callback server was asked once for each session, and not for the relay between the processes.
    let asked = |fits: &str| notify.requests_of(fits).len();
    assert_eq!((asked("call=publish act=start"), asked("call=pull")), (1, 0));
    assert_eq!(asked("call=play act=start"), 7);
    feed.stop().leave();
    before.iter().chain(&after).for_each(|player| drop(player.wait_end()));
    notify.wait("call=publish act=done");
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
}

#[test]
fn a_viewer_goes_on_over_an_upgrade_and_its_publisher_s_move() {
    let notify = NotifyServer::start();
    let conf = Conf::live("hls2 on; hls2_fragment 1s; hls2_timeout 6s; on_play {url} stage=start,done;")
        .var("url", notify.url("/"))
        .http_server(&web(""));
    let (mut server, _) = start(&conf);
    let mut source = Source::start(&server, "s");
    let mut sent = 4_100;
    source.send_to(sent);
    let viewer = playlist(&server);
    let mut newest = 0;
    // Each request finds what is newer than before, in playlists that never begin anew.
    let mut goes_on = |source: &mut Source, sent: &mut u32| {
        until_true("a newer fragment", || {
            *sent += 1_000;
            source.send_to(*sent);
            let response = http::get(server.http, &viewer);
            assert_eq!(response.status(), 200);
            let text = response.text();
            let fragment = text.lines().rfind(|line| line.contains(".ts")).unwrap();
            let number: u64 = fragment[2..fragment.find(".ts").unwrap()].parse().unwrap();
            assert!(number >= newest, "{text}");
            let body = http::get(server.http, &format!("/hls/{fragment}")).body;
            assert!(body.len() > 188 && body.len().is_multiple_of(188));
            number > std::mem::replace(&mut newest, number)
        });
    };
    goes_on(&mut source, &mut sent);
    let successor = upgrade(&server);
    goes_on(&mut source, &mut sent);
    source.leave();
    let mut source = Source::beginning(publish_when_free(server.rtmp, "s"));
    successor.wait_log(&server, "publishing 's'");
    let mut sent = 0;
    goes_on(&mut source, &mut sent);
    goes_on(&mut source, &mut sent);
    assert_eq!(notify.requests_of("call=play act=start").len(), 1);
    server.signal(Signal::SIGQUIT);
    // It leaves with its last request.
    assert!(server.wait_exit().success());
    notify.wait("call=play act=done");
    assert_eq!(notify.requests().len(), 2);
}

#[test]
fn a_name_has_one_publisher_in_both_processes() {
    let (server, _) = start(&Conf::live("cache_time 2s;").with_flv());
    let mut first = Publisher::start(server.rtmp, "s");
    let old_player = Player::start(server.rtmp, "s");
    let successor = upgrade(&server);
    let new_player = Player::start(server.rtmp, "s");
    is_taken(&server, "s");
    // Those that are refused leave the stream as it is.
    let last = first.send(2 * GOP);
    old_player.assert_whole(Tracks::Both, last);
    new_player.assert_whole(Tracks::Both, last);
    // The publisher moves, and the players of both processes go on with it.
    first.leave();
    let mut second = Publisher::over(publish_when_free(server.rtmp, "s"), Tracks::Both);
    second.skip_to(last + 1);
    successor.wait_log(&server, "publishing 's'");
    let last = second.send(2 * GOP);
    new_player.assert_whole(Tracks::Both, last);
    old_player.wait_frame(last);
    // The old process accepts again: there, too, the name is taken.
    server.signal(Signal::SIGHUP);
    server.wait_log("accepting connections again");
    for _ in 0..8 {
        is_taken(&server, "s");
    }
    successor.signal(Signal::SIGTERM);
    server.wait_log("new binary process has ended");
    Publisher::start(server.rtmp, "s").leave();
    old_player.wait_frame(last);
}

#[test]
fn a_publisher_that_reconnects_when_asked_loses_no_player() {
    let (mut server, _) = start(&Conf::live("idle_streams on;"));
    let old = {
        let purpose = ClientPurpose::Publish { name: Bytes::from_static(b"s") };
        let mut settings = settings(server.rtmp, "live", purpose);
        settings.extra.push((Bytes::from_static(b"capsEx"), AmfValue::Number(1.0)));
        RtmpClient::open(server.rtmp, settings)
    };
    let mut old = Publisher::with(old, Tracks::Both);
    let player = Player::start(server.rtmp, "s");
    player.assert_whole(Tracks::Both, old.send(GOP));
    server.signal(Signal::SIGUSR2);
    let _successor = Successor::of(&server);
    server.signal(Signal::SIGQUIT);
    old.client.wait_status("NetConnection.Connect.ReconnectRequest");
    // It connects anew before it leaves.
    let mut new = Publisher::start(server.rtmp, "s");
    new.skip_to(old.next());
    let late = Player::start(server.rtmp, "s");
    let last = new.send(2 * GOP);
    player.wait_frame(last);
    late.assert_whole(Tracks::Both, last);
    drop(player);
    assert!(server.wait_exit().success());
}

#[test]
fn statistics_and_control_are_those_of_both() {
    let conf = Conf::live("cache_time 2s;")
        .http_server("location /stat { rtmp_stat all; } location /control { rtmp_control all; }");
    let (mut server, _) = start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let old_players = [Player::start(server.rtmp, "s"), Player::start(server.rtmp, "t")];
    publisher.send(GOP);
    let port = server.http;
    let value = |name: &str| -> u64 {
        let text = http::get(port, "/stat").text();
        let at = text.find(&format!("<{name}>")).unwrap() + name.len() + 2;
        text[at..].split('<').next().unwrap().parse().unwrap()
    };
    until_true("its bytes are counted", || value("bytes_in") > 1000);
    let (accepted, received) = (value("naccepted"), value("bytes_in"));
    let successor = upgrade(&server);
    let new_player = Player::start(server.rtmp, "s");
    let last = publisher.send(GOP);
    new_player.wait_frame(last);
    let text = http::get(server.http, "/stat").text();
    assert_eq!(text.matches("<stream>").count(), 2, "{text}");
    let s = text.split("<stream>").find(|stream| stream.contains("<name>s</name>")).unwrap();
    assert!(s.contains("<nclients>3</nclients>") && s.contains("<active/>"), "{s}");
    assert_eq!(text.matches("<publishing/>").count(), 2, "the publisher and its stream: {text}");
    assert!(value("naccepted") > accepted && value("bytes_in") > received);
    let ids: std::collections::BTreeSet<&str> =
        text.split("<id>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(ids.len(), 4, "no number is given twice: {text}");
    // Dropped in both.
    let dropped = http::get(server.http, "/control/drop/subscriber?srv=default&app=live&name=s").text();
    assert_eq!(dropped, "2");
    old_players[0].wait_end();
    new_player.wait_end();
    let before = (value("naccepted"), value("bytes_in"));
    publisher.leave();
    drop(old_players);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    until_true("the new process is alone", || !old_pid_file(&server).exists());
    successor.wait_log(&server, "the other process of the upgrade has ended");
    assert!(value("naccepted") > before.0 && value("bytes_in") >= before.1);
}

#[test]
fn a_stream_event_lasts_as_long_as_either_process_has_sessions() {
    let notify = NotifyServer::start();
    let conf =
        Conf::live("on_stream {url} stage=start,update,done update=200ms;").var("url", notify.url("/"));
    let (mut server, _) = start(&conf);
    let publisher = Publisher::start(server.rtmp, "s");
    let brief = Player::start(server.rtmp, "brief");
    let long = Publisher::start(server.rtmp, "long");
    notify.wait_count("call=stream act=start", 3);
    let successor = upgrade(&server);
    let player = Player::start(server.rtmp, "s");
    successor.wait_log(&server, "playing 's'");
    drop(brief);
    notify.wait("call=stream act=done name=brief");
    // The old process has no session of it any more, the new one continues the event. The old one goes on for another
    // stream.
    publisher.leave();
    server.wait_log("stopped publishing 's'");
    let updates = || notify.requests_of("call=stream act=update name=s");
    let ids = |requests: &[support::notify::Request]| -> std::collections::BTreeSet<String> {
        requests.iter().map(|request| request.value("clientid").to_owned()).collect()
    };
    let before = updates().len();
    notify.wait_count("call=stream act=update name=s", before + 4);
    assert_eq!(notify.requests_of("call=stream act=done name=s").len(), 0);
    long.leave();
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    let before = updates().len();
    notify.wait_count("call=stream act=update name=s", before + 2);
    assert_eq!(notify.requests_of("call=stream act=done name=s").len(), 0);
    drop(player);
    notify.wait("call=stream act=done name=s");
    assert_eq!(ids(&notify.requests_of("call=stream name=s")).len(), 1, "all stages name the same session");
    successor.signal(Signal::SIGTERM);
    until_true("it ends", || !support::process::is_running(successor.0));
    for name in ["s", "brief", "long"] {
        for act in ["start", "done"] {
            assert_eq!(notify.requests_of(&format!("call=stream act={act} name={name}")).len(), 1);
        }
    }
}

#[test]
fn what_a_killed_process_had_goes_on_in_the_other() {
    let notify = NotifyServer::start();
    let conf = Conf::live("cache_time 1s; on_stream {url} stage=start,done;").var("url", notify.url("/"));
    let (mut server, _) = start(&conf);
    server.may_panic();
    let _publisher = Publisher::start(server.rtmp, "s");
    notify.wait("call=stream act=start");
    let successor = upgrade(&server);
    let player = Player::start(server.rtmp, "s");
    successor.wait_log(&server, "playing 's'");
    server.signal(Signal::SIGKILL);
    successor.wait_log(&server, "the other process of the upgrade has ended");
    // The name is free, and the event lasts until the player leaves.
    let mut publisher = Publisher::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    publisher.leave();
    drop(player);
    notify.wait("call=stream act=done");
    assert_eq!(notify.requests_of("call=stream").len(), 2);
}

#[test]
fn a_stopped_process_is_given_up_and_found_again() {
    let (server, _) = start(&Conf::live(""));
    let first = Publisher::start(server.rtmp, "s");
    let successor = upgrade(&server);
    server.signal(Signal::SIGSTOP);
    // Its answer does not come; then it does not count any more.
    let mut publisher = Publisher::start(server.rtmp, "other");
    // The log as it is: the stopped process can't complete it.
    // Both go on together when it runs again.
    until_true("it is given up", || {
        let log = server.prefix().read("logs/error.log");
        log.lines().any(|line| {
            line.contains(&format!(" {}#", successor.0))
                && line.contains("the other process of the upgrade has ended")
        })
    });
    let player = Player::start(server.rtmp, "other");
    let last = publisher.send(GOP);
    player.assert_whole(Tracks::Both, last);
    server.signal(Signal::SIGCONT);
    let feed = first.keep_sending();
    Player::start(server.rtmp, "s").wait_key();
    drop(feed);
}

#[test]
fn logs_of_both_are_reopened() {
    let (server, _) = start(&Conf::live(""));
    let successor = upgrade(&server);
    let (log, moved) = (server.prefix().path().join("logs/error.log"), server.prefix().path().join("moved"));
    std::fs::rename(&log, moved).unwrap();
    successor.signal(Signal::SIGUSR1);
    let of = |pid: i32| format!(" {pid}#");
    until_true("both write to the new file", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        [server.pid(), successor.0]
            .into_iter()
            .all(|pid| text.lines().any(|line| line.contains(&of(pid)) && line.contains("reopening logs")))
    });
}
