//! Control requests over HTTP and over the control socket: what they do to sessions, who may send them, what they say.

mod support;

use std::process::Output;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pingosd::modules::CONTROL_VERBS;
use pingosd::wire::MediaKind;
use support::frame::{GOP, is_key, number};
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http};

const CONTROL: &str = "location /control { rtmp_control all; }
    location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }";

fn control(server: &Server, target: &str) -> (u16, String) {
    let response = http::get(server.http, &format!("/control/{target}"));
    (response.status(), response.text())
}

fn ctl(server: &Server, words: &[&str]) -> Output {
    server.run(&[&["ctl"], words].concat())
}

fn json(server: &Server, words: &[&str]) -> serde_json::Value {
    let output = ctl(server, &[&["--json"], words].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn media_of_a_paused_publisher_is_dropped_and_goes_on_with_a_key_frame() {
    let server = Server::start(&Conf::live("").http_server(CONTROL));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    assert_eq!(control(&server, "pause/publisher?srv=default&app=live&name=s"), (200, "1".into()));
    let paused = feed.next();
    until_true("frames are held back", || feed.next() > paused + 5 * GOP);
    assert_eq!(control(&server, "resume/publisher?srv=default&app=live&name=s"), (200, "1".into()));
    player.wait_frame(feed.next() + 2 * GOP);
    let got = player.got();
    let frames: Vec<(u64, bool)> = got
        .media
        .iter()
        .filter(|media| media.kind == MediaKind::Video)
        .filter_map(|media| Some((number(&media.payload)?, is_key(&media.payload))))
        .collect();
    let gaps: Vec<_> = frames.windows(2).filter(|pair| pair[1].0 > pair[0].0 + 2).collect();
    let [gap] = gaps[..] else { panic!("{gaps:?}") };
    assert!(gap[1].0 > gap[0].0 + GOP && gap[1].1, "{gap:?}");
    drop(got);
    // As in PingOS, players are counted and go on.
    assert_eq!(control(&server, "pause/subscriber?srv=default&app=live&name=s"), (200, "1".into()));
    player.wait_frame(feed.next() + GOP);
    feed.stop().leave();
}

#[test]
fn players_and_publishers_move_to_another_name() {
    let notify = NotifyServer::start();
    let conf = Conf::live("on_publish {url} stage=start,done; on_play {url} stage=start,done;")
        .http_server(CONTROL)
        .var("url", notify.url("/"));
    let server = Server::start(&conf);
    let one = Publisher::start(server.rtmp, "one").keep_sending();
    let mut two = Publisher::start(server.rtmp, "two");
    two.set_size(3_000);
    let two = two.keep_sending();
    let player = Player::start(server.rtmp, "one");
    let web = Player::http(server.http, "/flv/one");
    let mut ts = http::Connection::open(server.http);
    ts.send(b"GET /ts/one HTTP/1.1\r\nHost: h\r\n\r\n");
    player.wait_key();
    web.wait_key();
    notify.wait_count("call=play act=start name=one", 3);
    server.wait_log("playing 'one'");
    until_true("all play", || server.log_lines(" playing 'one'").len() == 3);
    assert_eq!(control(&server, "redirect/subscriber?srv=default&app=live&name=one").0, 500);
    let target = "redirect/subscriber?srv=default&app=live&name=one&newname=two%3Fkey=1";
    assert_eq!(control(&server, target), (200, "3".into()));
    for player in [&player, &web] {
        player.wait("media of the other stream", |got| {
            got.media.iter().any(|media| media.payload.len() > 2_500).then_some(())
        });
        assert!(player.got().end.is_none());
    }
    notify.wait_count("call=play act=done name=one", 3);
    notify.wait_count("call=play act=start name=two", 3);
    assert_eq!(json(&server, &["drop", "subscriber", "name=one"])["sessions"], 0);
    assert!(!server.log().contains("key=1"), "values of arguments stay out of the log");

    // A name that has a publisher is refused, and nothing changes.
    let (status, why) = control(&server, "redirect/publisher?srv=default&name=one&newname=two");
    assert_eq!(status, 500);
    assert!(why.contains("has a publisher"), "{why}");
    assert_eq!(control(&server, "redirect/publisher?srv=default&name=one&newname=three"), (200, "1".into()));
    notify.wait("call=publish act=done name=one");
    notify.wait("call=publish act=start name=three");
    let late = Player::start(server.rtmp, "three");
    late.wait_key();
    late.wait("the codec header", |got| {
        got.media.iter().any(|media| media.payload.starts_with(&[0x17, 0])).then_some(())
    });
    one.stop().leave();
    notify.wait("call=publish act=done name=three");
    drop(two);
    drop(ts);
}

#[test]
fn a_move_that_is_refused_ends_the_session() {
    let notify = NotifyServer::start();
    notify.answer("name=closed", support::Answer::Status(403));
    let conf = Conf::live("on_play {url};").http_server(CONTROL).var("url", notify.url("/"));
    let server = Server::start(&conf);
    let _publisher = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    let web = Player::http(server.http, "/flv/s");
    player.wait_key();
    web.wait_key();
    assert_eq!(json(&server, &["redirect", "client", "newname=closed", "name=s", "app=live"])["sessions"], 3);
    player.wait_status("NetStream.Play.Forbidden");
    player.wait_end();
    web.wait_end();
}

#[test]
fn requests_that_cannot_be_carried_out_say_why() {
    let server = Server::start(&Conf::live("").http_server(CONTROL));
    for (target, why) in [
        ("drop/xyz?srv=default", "drop knows publisher, subscriber and client"),
        ("pause/xyz?srv=default", "pause knows publisher, subscriber and client"),
        ("drop/client?app=live", "srv= is missing"),
        ("redirect/client?srv=default", "newname= is missing"),
        ("redirect/client?srv=default&newname=%3Fa=b", "newname= is missing"),
        ("record/pause?srv=default", "record knows start and stop"),
        ("record/start?srv=default&rec=none", "has such a recorder"),
    ] {
        let (status, text) = control(&server, target);
        assert_eq!(status, 500, "{target}");
        assert!(text.contains(why), "{target}: {text}");
        let words = target.split_once('?').unwrap().0;
        server.wait_log(&format!(", request: {words}?"));
    }
    assert!(!server.log_lines("client: 127.0.0.1").is_empty(), "the caller is named");
    assert_eq!(control(&server, "ban/127.0.0.1?srv=default").0, 404, "not over HTTP");
}

#[test]
fn locations_serve_the_sections_that_they_name_to_whom_they_allow() {
    let server = Server::start(&Conf::live("").http_server(
        "location /all { rtmp_control all; } location /some { rtmp_control drop pause; }
         location /closed { rtmp_control all; deny all; }",
    ));
    let status = |target: &str| http::get(server.http, target).status();
    for section in ["drop", "pause", "resume", "redirect"] {
        let target = format!("{section}/client?srv=default&newname=n");
        assert_eq!(status(&format!("/all/{target}")), 200, "{section}");
        let served = matches!(section, "drop" | "pause");
        assert_eq!(status(&format!("/some/{target}")), if served { 200 } else { 404 }, "{section}");
        assert_eq!(status(&format!("/closed/{target}")), 403, "{section}");
    }
}

#[test]
fn sections_and_statistics_of_a_server_are_served_in_its_locations_only() {
    let server = Server::start(&Conf::live("").http_server(
        "rtmp_control all; rtmp_stat all; location /some { rtmp_control drop; } location /stat { rtmp_stat all; }",
    ));
    let status = |target: &str| http::get(server.http, target).status();
    assert_eq!(status("/some/drop/client?srv=default"), 200);
    assert_eq!(status("/stat"), 200);
    for target in ["/drop/client?srv=default", "/x/drop/client?srv=default", "/x"] {
        assert_eq!(status(target), 404, "{target}");
    }
}

#[test]
fn ctl_reaches_the_same_sections_and_names_its_caller() {
    let server = Server::start(&Conf::live(""));
    let feed = Publisher::start(server.rtmp, "a&b=c").keep_sending();
    let player = Player::start(server.rtmp, "a&b=c");
    player.wait_key();
    assert_eq!(json(&server, &["pause", "publisher", "name=a&b=c"]), serde_json::json!({ "sessions": 1 }));
    assert_eq!(json(&server, &["resume", "publisher", "name", "a&b=c"])["sessions"], 1);
    let dropped = ctl(&server, &["drop", "client", "app=live"]);
    assert_eq!(text(&dropped.stdout), "dropped 2 sessions\n", "{dropped:?}");
    player.wait_end();
    let user = nix::unistd::geteuid();
    server.wait_log(&format!(
        "control: dropped 2 sessions, request: app=live, method: client, control socket, user: {user}"
    ));
    for (words, why) in [
        (&["drop", "client"][..], "must say which sessions are meant"),
        (&["drop", "all", "app=live"], "drop knows publisher"),
        (&["explode"], "is not a control request; there are: "),
        (
            &["drpo", "client", "app=live"],
            "\"drpo\" is not a control request, did you mean \"drop\"?; there are: ",
        ),
        (&["drop", "client", "app"], "usage: pingosd ctl"),
    ] {
        let output = ctl(&server, words);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
    drop(feed);
}

#[test]
fn every_verb_of_the_program_is_known_to_the_server() {
    let mut server = Server::start(&Conf::live(""));
    let listed = text(&ctl(&server, &[]).stdout);
    for verb in CONTROL_VERBS {
        assert!(listed.contains(&format!("{} {}", verb.name, verb.takes)), "{listed}");
        let output = ctl(&server, &[verb.name]);
        assert!(!text(&output.stderr).contains("no such control request"), "{output:?}");
    }
    server.stop();
    let alone = ctl(&server, &["drop", "client", "app=live"]);
    assert!(text(&alone.stderr).contains("no server answers on"), "{alone:?}");
}

#[test]
fn a_moved_publisher_is_whole_for_who_waits_for_it() {
    let server = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(GOP);
    let waiting = Player::start(server.rtmp, "t");
    assert_eq!(json(&server, &["redirect", "publisher", "newname=t", "name=s"])["sessions"], 1);
    publisher.client.wait_status("NetStream.Publish.Start");
    server.wait_log("publishing 't'");
    let last = publisher.send(2 * GOP);
    waiting.wait_frame(last);
}

#[test]
fn what_is_banned_is_refused_over_every_protocol_until_the_ban_ends() {
    let locations =
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }
        location /hls2 { hls2_live {rtmp_port} app=live; } location /text { return 200 text; }";
    let conf = Conf::live("hls2 on; mpegts_cache_time 1s; cache_time 1s;").http_server(locations);
    let server = Server::start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let mut other = Publisher::start(server.rtmp, "other");
    other.send(2 * GOP);
    let player = Player::start(server.rtmp, "s");
    let web = Player::http(server.http, "/flv/s");
    until_true("both play", || {
        publisher.send(GOP);
        [&player, &web].iter().all(|player| player.got().media.iter().any(|media| is_key(&media.payload)))
    });
    until_true("two players", || server.status()["sessions"]["players"] == 2);
    let banned = json(&server, &["ban", "live/s", "for", "1h"]);
    assert_eq!(banned["sessions"], 3);
    player.wait_end();
    web.wait_end();
    server.wait_log("session of 's' ends, 'live/s' is banned, client: 127.0.0.1");
    server.wait_log(
        "control: banned, dropped 3 sessions, request: for=1h, method: live/s, control socket, user: ",
    );
    publisher.client.wait_end();
    let mut client = RtmpClient::publish(server.rtmp, "live", "s");
    client.wait_status("NetStream.Publish.Forbidden");
    let mut client = RtmpClient::play(server.rtmp, "live", "s");
    client.wait_status("NetStream.Play.Forbidden");
    let status = |target: &str| http::get(server.http, target).status();
    assert_eq!((status("/flv/s"), status("/ts/s"), status("/text")), (403, 403, 200));
    assert_eq!(hls2_status(&server, "s"), 403);
    server.wait_log("publish: 's' refused, 'live/s' is banned, client: 127.0.0.1");
    Player::http(server.http, "/flv/other").wait_key();

    // Kept over reloads, and taken back.
    server.reload(&Conf::live("hls2 on; mpegts_cache_time 1s; cache_time 2s;").http_server(locations));
    let bans = json(&server, &["bans"]);
    assert_eq!(bans["bans"][0]["stream"], "live/s");
    assert!(bans["bans"][0]["seconds_left"].as_u64().unwrap() > 3_000, "{bans}");
    assert!(text(&ctl(&server, &["bans"]).stdout).starts_with("'live/s' for "));
    assert!(ctl(&server, &["unban", "live/s"]).status.success());
    assert!(text(&ctl(&server, &["unban", "live/s"]).stderr).contains("'live/s' is not banned"));
    assert_eq!(json(&server, &["bans"]), serde_json::json!({ "bans": [] }));
    drop(Publisher::start(server.rtmp, "s"));

    // An address, over HTTP for whatever it asks.
    assert_eq!(json(&server, &["ban", "127.0.0.0/8"])["sessions"], 1);
    assert_eq!((status("/text"), status("/flv/other")), (403, 403));
    RtmpClient::play(server.rtmp, "live", "other").wait_status("NetStream.Play.Forbidden");
    server.wait_log("access forbidden, 127.0.0.0/8 is banned, client: 127.0.0.1");
    json(&server, &["unban", "127.0.0.0/8"]);
    assert_eq!(status("/text"), 200);
    json(&server, &["ban", "127.0.0.1", "for", "300ms"]);
    until_true("the ban is over", || status("/text") == 200);
    for (words, why) in [
        (&["ban"][..], "is missing"),
        (&["ban", "s", "for", "ever"], "is not a time such as 10m"),
        (&["ban", "s", "until=1h"], "is not a time such as 10m"),
        (&["unban"], "is missing"),
        (&["bans", "all"], "takes no arguments"),
    ] {
        let output = ctl(&server, words);
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
}

/// The status of the media playlist of a new viewer.
fn hls2_status(server: &Server, name: &str) -> u16 {
    let master = http::get(server.http, &format!("/hls2/{name}.m3u8"));
    if master.status() != 200 {
        return master.status();
    }
    let master = master.text();
    let media = master.lines().find(|line| !line.starts_with('#')).expect("a media playlist");
    http::get(server.http, &format!("/hls2/{}", media.trim_start_matches("/hls2/"))).status()
}

#[test]
fn the_new_process_of_an_upgrade_takes_bans_over() {
    let (mut server, _) = support::upgrade::start(&Conf::live(""));
    json(&server, &["ban", "s", "for", "1h"]);
    json(&server, &["ban", "10.0.0.0/8"]);
    server.signal(support::server::Signal::SIGUSR2);
    let _successor = support::upgrade::Successor::of(&server);
    until_true("both bans are known", || json(&server, &["bans"])["bans"].as_array().unwrap().len() == 2);
    // Given to the new one, carried out by both.
    json(&server, &["ban", "t"]);
    server.signal(support::server::Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    RtmpClient::publish(server.rtmp, "live", "s").wait_status("NetStream.Publish.Forbidden");
    RtmpClient::publish(server.rtmp, "live", "t").wait_status("NetStream.Publish.Forbidden");
}

#[test]
fn files_and_pictures_of_a_banned_stream_are_refused_too() {
    let prefix = support::server::Prefix::new();
    for (name, text) in [
        ("hls/s.m3u8", "list"),
        ("hls/s-0.ts", "segment"),
        ("hls/s-1.ts", "segment"),
        ("hls/s-1-7.ts", "of s-1"),
        ("hls/in/s.m3u8", "of in/s"),
        ("hls/t.m3u8", "other"),
        ("hls/notes.txt", "no output"),
        ("keys/s-0.key", "key"),
        ("nested/s/index.m3u8", "list"),
        ("nested/s/3.m4s", "segment"),
        ("dash/s.mpd", "manifest"),
        ("dash/s-init.m4v", "segment"),
        ("dash/t.mpd", "other"),
        ("rec/s-1750000000.flv", "recording"),
        ("rec/t-1750000000.flv", "other"),
        ("ts/default/live/s/20260101/s_1767225600.ts", "recording"),
        ("ts/default/live/t/20260101/t_1767225600.ts", "other"),
        ("plain/s.m3u8", "no directory of an output"),
    ] {
        prefix.write(name, text);
    }
    std::os::unix::fs::symlink("hls", prefix.path().join("link")).unwrap();
    let dir = prefix.path().display();
    let live = format!(
        "hls on; hls_path {dir}/hls; hls_keys on; hls_key_path {dir}/keys; hls_cleanup off; dash on; dash_path {dir}/dash; dash_cleanup off;
         record all manual; record_path {dir}/rec; record_unique on; record_suffix .flv; live_record_path {dir}/ts; deny publish all;"
    );
    let nested = format!(
        "application nested {{ live on; hls on; hls_path {dir}/nested; hls_nested on; hls_type live fmp4; hls_cleanup off; }}"
    );
    let conf = Conf::new(&format!("application live {{ live on; {live} }} {nested}")).http_server(&format!(
        "location / {{ root {dir}; }} location /other/ {{ alias {dir}/hls/; }} location /try {{ root {dir}; try_files /hls/s.m3u8 =404; }}
         location /moved {{ rewrite ^ /hls/s.m3u8 last; }} location /shot {{ rtmp_snapshot; }}"
    ));
    let server = Server::start_in(prefix, &conf);
    let status = |target: &str| http::get(server.http, target).status();
    let of_live = [
        "/hls/s.m3u8",
        "/hls/s-0.ts",
        "/hls//s-1.ts",
        "/hls/%73.m3u8",
        "/link/s.m3u8",
        "/other/s.m3u8",
        "/try",
        "/moved",
        "/keys/s-0.key",
        "/dash/s.mpd",
        "/dash/s-init.m4v",
        "/rec/s-1750000000.flv",
        "/ts/default/live/s/20260101/s_1767225600.ts",
    ];
    let of_nested = ["/nested/s/index.m3u8", "/nested/s/3.m4s"];
    let of_others = [
        "/hls/s-1-7.ts",
        "/hls/in/s.m3u8",
        "/hls/t.m3u8",
        "/hls/notes.txt",
        "/dash/t.mpd",
        "/rec/t-1750000000.flv",
        "/ts/default/live/t/20260101/t_1767225600.ts",
        "/plain/s.m3u8",
    ];
    let all = || of_live.iter().chain(&of_nested).chain(&of_others);
    let check = |refused: &[&str]| {
        for target in all() {
            let want = if refused.contains(target) { 403 } else { 200 };
            assert_eq!(status(target), want, "{target}");
        }
    };
    check(&[]);
    json(&server, &["ban", "live/s"]);
    check(&of_live);
    server.wait_log("access forbidden, 'live/s' is banned, client: 127.0.0.1");
    assert_eq!(status("/hls/missing.m3u8"), 404);
    json(&server, &["unban", "live/s"]);
    check(&[]);
    json(&server, &["ban", "s"]);
    check(&[&of_live[..], &of_nested].concat());
    json(&server, &["unban", "s"]);
    // The directories of the configuration in force count.
    json(&server, &["ban", "nested/s"]);
    check(&of_nested);
    json(&server, &["unban", "nested/s"]);
}

#[test]
fn no_picture_is_made_of_a_banned_stream_that_a_relay_brings() {
    let origin = Server::start(&Conf::live(""));
    let feed = Publisher::start(origin.rtmp, "s").keep_sending();
    let prefix = support::server::Prefix::new();
    let pull =
        format!("static_pull rtmp://127.0.0.1:{}/live/s domain=127.0.0.1 app=live name=s;", origin.rtmp);
    let dynamic = prefix.write("dynamic.conf", format!("rtmp {{ {pull} }}\n"));
    let conf =
        Conf::live("failed_reconnect 20ms;").main(&format!("dynamic_conf {} 100ms;", dynamic.display()));
    let server = Server::start_in(prefix, &conf.http_server("location /shot { rtmp_snapshot; }"));
    let status = |target: &str| http::get(server.http, target).status();
    until_true("the relay brings it", || status("/shot/live/s.jpg") != 404);
    json(&server, &["ban", "live/s"]);
    until_true("it is refused", || status("/shot/live/s.jpg") == 403);
    server.wait_log("access forbidden, 's' is banned");
    json(&server, &["unban", "live/s"]);
    assert_ne!(status("/shot/live/s.jpg"), 403);
    feed.stop().leave();
}

#[test]
fn a_master_playlist_is_refused_as_its_media_playlists_are() {
    let locations = "location /hls2 { hls2_live {rtmp_port} app=live; }";
    let server = Server::start(&Conf::live("hls2 on; deny play 127.0.0.0/8;").http_server(locations));
    assert_eq!(http::get(server.http, "/hls2/s.m3u8").status(), 403);
    assert_eq!(http::get(server.http, "/hls2/s.m3u8?session=a").status(), 403);
    server.reload(&Conf::live("hls2 on;").http_server(locations));
    assert_eq!(http::get(server.http, "/hls2/s.m3u8").status(), 200);
    json(&server, &["ban", "s"]);
    assert_eq!(http::get(server.http, "/hls2/s.m3u8").status(), 403);
    assert_eq!(http::get(server.http, "/hls2/t.m3u8").status(), 200);
}

#[test]
fn a_client_holds_a_bounded_number_of_sessions_of_streams_that_are_not_there() {
    let locations = "location /hls2 { hls2_live {rtmp_port} app=live; }";
    // Each request is a socket here, and one in the server.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let server = Server::start(
        &Conf::live("hls2 on; hls2_timeout 10m;").events("worker_connections 8192;").http_server(locations),
    );
    let ask = |n: usize| {
        let mut raw = support::raw::Raw::open(server.http);
        raw.send(format!("GET /hls2/none.m3u8?session=x{n} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        raw
    };
    let refused = "the client has 2048 sessions of streams that are not published, client: 127.0.0.1";
    let waiting: Vec<_> = (0..pingosd::limits::HLS2_ABSENT_VIEWERS + 64).map(ask).collect();
    server.wait_log(refused);
    let players = || server.status()["sessions"]["players"].as_u64().unwrap();
    assert!(players() <= pingosd::limits::HLS2_ABSENT_VIEWERS as u64);
    // They end soon after their requests, although hls2_timeout is longer, and another one may come.
    let count = waiting.len();
    drop(waiting);
    until_true("they have ended", || players() == 0);
    let before = server.log_lines(refused).len();
    let another = ask(count);
    until_true("another one has come", || players() == 1);
    assert_eq!(server.log_lines(refused).len(), before);
    drop(another);
}

#[test]
fn names_of_10_kb_mean_what_they_say_or_are_refused() {
    let server = Server::start(&Conf::live("").http_server(CONTROL));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let (long, fits) = ("n".repeat(10_000), "n".repeat(6_000));
    let drop = |name: &str| control(&server, &format!("drop/client?srv=default&app=live&name={name}"));
    // A request line longer than a buffer of large_client_header_buffers is refused, as by nginx.
    assert_eq!(drop(&long).0, 414);
    assert_eq!(drop(&fits), (200, "0".into()));
    let dropped = ctl(&server, &["drop", "client", "app=live", &format!("name={long}")]);
    assert_eq!(text(&dropped.stdout), "dropped 0 sessions\n", "{dropped:?}");
    assert!(ctl(&server, &["ban", &format!("live/{long}"), "for", "1m"]).status.success());
    let sent = feed.next();
    until_true("the publisher goes on", || feed.next() > sent + GOP);
}
