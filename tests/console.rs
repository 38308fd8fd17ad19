//! The console and snapshots, against the running server.

mod support;

use std::io::{Read, Write};

use support::http::{get, get_with, request};
use support::raw::Raw;
use support::tool;
use support::wait::{PATIENCE, until_true};
use support::{Conf, Player, Publisher, RtmpClient, Server};

const LOCATIONS: &str = "location / { rtmp_console flv=/flv control; } location /plain/ { rtmp_console; } \
     location /shot { rtmp_snapshot; } location /none { rtmp_snapshot; rtmp_snapshot_ffmpeg /nonexistent; }";

fn start() -> Server {
    Server::start(&Conf::live("cache_time 10s;").http_server(LOCATIONS))
}

/// A connection that has asked for events.
fn events(server: &Server) -> Raw {
    let mut raw = Raw::open(server.http);
    raw.0.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    raw
}

/// Reads events until one has this text.
fn wait_for(raw: &mut Raw, text: &str, is_wanted: bool) {
    let (mut received, mut bytes) = (String::new(), [0; 65536]);
    let began = std::time::Instant::now();
    while began.elapsed() < PATIENCE {
        let length = raw.0.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "the events have ended: {received}");
        received.push_str(&String::from_utf8_lossy(&bytes[..length]));
        let mut whole: Vec<&str> = received.split("\n\n").collect();
        whole.pop();
        if whole.iter().any(|event| event.contains("data:") && event.contains(text) == is_wanted) {
            return;
        }
    }
    panic!("no such event: {received}");
}

#[test]
fn this_machine_sees_everything_and_others_the_player() {
    let server = start();
    let page = get(server.http, "/");
    assert_eq!(page.status(), 200);
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    for (name, kind) in
        [("main.js", "text/javascript"), ("console.css", "text/css"), ("mpegts.js", "text/javascript")]
    {
        let asset = get(server.http, &format!("/assets/{name}"));
        assert_eq!(asset.status(), 200, "{name}");
        assert!(asset.header("content-type").unwrap().starts_with(kind), "{name}");
        let tag = asset.header("etag").unwrap().to_owned();
        let again = get_with(server.http, &format!("/assets/{name}"), &format!("If-None-Match: {tag}\r\n"));
        assert_eq!(again.status(), 304, "{name}");
    }
    assert_eq!(get(server.http, "/assets/none.js").status(), 404);
    assert_eq!(get(server.http, "/assets/../main.js").status(), 404);
    assert_eq!(get(server.http, "/conf.json").status(), 200);
    for header in ["X-Forwarded-For: 1.2.3.4", "Via: 1.1 proxy", "Host: evil.example"] {
        for target in ["/conf.json", "/events", "/plan.json"] {
            let refused = get_with(server.http, target, &format!("{header}\r\n"));
            assert_eq!(refused.status(), 403, "{header} {target}");
        }
        assert_eq!(get_with(server.http, "/", &format!("{header}\r\n")).status(), 200);
    }
    assert_eq!(get(server.http, "/plain/conf.json").status(), 403, "without `control`");
}

#[test]
fn only_the_page_itself_may_change_something() {
    let server = start();
    for headers in
        ["", "Origin: http://evil.example\r\n", "Origin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n"]
    {
        assert_eq!(request(server.http, "POST", "/control/reload", headers).status(), 403, "{headers}");
    }
    let own = "Origin: http://localhost\r\n";
    assert_eq!(request(server.http, "POST", "/plain/control/reload", own).status(), 403);
    assert_eq!(get_with(server.http, "/control/reload", own).status(), 405);
    assert_eq!(request(server.http, "POST", "/control/reload", own).status(), 200);

    let mut publisher = RtmpClient::publish(server.rtmp, "live", "s").wait_started();
    let dropped = request(server.http, "POST", "/control/drop?srv=default&app=live&name=s", own);
    assert_eq!(dropped.status(), 200, "{}", dropped.text());
    publisher.wait_end();
}

#[test]
fn streams_appear_in_the_events_and_disappear() {
    let server = start();
    let name = "<script>alert(1)</script>\"'\n";
    let mut watcher = events(&server);
    let publisher = Publisher::start(server.rtmp, name);
    // Control characters are shown, not passed on.
    wait_for(&mut watcher, r#"<script>alert(1)</script>\"'\\u{a}"#, true);
    publisher.leave();
    wait_for(&mut watcher, "<script>", false);
}

#[test]
fn event_streams_are_bounded() {
    let server = start();
    let mut opened: Vec<Raw> = (0..64).map(|_| events(&server)).collect();
    assert!(opened.iter_mut().all(is_open));
    // A thousand in all, which read nothing: those beyond the bound are refused.
    assert!((0..936).all(|_| get(server.http, "/events").status() == 503));
    assert_eq!(get(server.http, "/").status(), 200);
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    player.wait_frame(publisher.next() + 100);
    drop(opened);
    until_true("there is a place again", || is_open(&mut events(&server)));
}

/// Whether events were granted.
fn is_open(raw: &mut Raw) -> bool {
    let mut first = [0; 12];
    raw.0.read_exact(&mut first).unwrap();
    first == *b"HTTP/1.1 200"
}

#[test]
fn snapshots_are_pictures() {
    let server = start();
    assert_eq!(get(server.http, "/shot/live/clip.jpg").status(), 404);
    let encoder = tool::publish_clip(&format!("rtmp://127.0.0.1:{}/live/clip", server.rtmp));
    until_true("there is a picture", || get(server.http, "/shot/live/clip.jpg").status() == 200);
    let jpeg = get(server.http, "/shot/live/clip.jpg");
    assert_eq!((jpeg.header("content-type"), &jpeg.body[..2]), (Some("image/jpeg"), &b"\xff\xd8"[..]));
    let webp = get(server.http, "/shot/live/clip.webp");
    assert_eq!((webp.header("content-type"), &webp.body[8..12]), (Some("image/webp"), &b"WEBP"[..]));
    let missing = get(server.http, "/none/live/clip.jpg");
    assert_eq!(missing.status(), 503);
    assert!(missing.text().starts_with("ffmpeg is missing"), "{}", missing.text());
    encoder.interrupt();
}
