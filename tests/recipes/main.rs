//! Recipes of `docs/recipes`: the server runs each configuration with the test's ports and directories, and does what the
//! recipe's page says.

#[path = "../ts_hls/media.rs"]
mod media;
mod operation;
mod recipe;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use media::Source;
use pingosd::wire::rtmp::client_session::ClientPurpose;
use recipe::{Recipe, is_installed, program, project, serve, target};
use support::frame::Tracks;
use support::notify::NotifyServer;
use support::pebble::{self, Pebble, patiently};
use support::rtmp::settings;
use support::server::free_port;
use support::tool::{Background, clip, publish_clip, run};
use support::wait::{until, until_true};
use support::{Conf, Player, Publisher, RtmpClient, Server, http, tls};

#[test]
fn every_recipe_has_a_page_and_a_test() {
    let tests = concat!(include_str!("main.rs"), include_str!("operation.rs"));
    for entry in fs::read_dir(project().join("docs/recipes")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(path.join("index.md").exists(), "{name} has a page");
            assert!(tests.contains(&format!("\"{name}/")), "{name} has a test");
        }
    }
}

#[test]
fn live_flv_hls_serves_one_stream_in_three_protocols() {
    let server = Recipe::new("live-flv-hls/pingosd.conf").start();
    let mut publisher = Publisher::start(server.rtmp, "demo");
    let last = publisher.send(30);
    Player::start(server.rtmp, "demo").wait_frame(last);
    let web = Player::http(server.http, "/live/demo.flv");
    web.wait_frame(last);
    let mut source = Source::start(&server, "picture");
    source.send_to(9_000);
    let list = until("a media playlist", || {
        let response = http::get(server.http, "/hls/picture.m3u8");
        let master = response.text();
        let url = master.lines().find(|line| line.starts_with("http")).map(str::to_owned)?;
        let list = http::get(server.http, target(&url)).text();
        list.contains("#EXTINF").then_some(list)
    });
    let segment = list.lines().find(|line| !line.starts_with('#')).expect("a segment");
    let path = if segment.contains("://") { target(segment).to_owned() } else { format!("/hls/{segment}") };
    let response = http::get(server.http, &path);
    assert_eq!((response.status(), response.body.first()), (200, Some(&0x47)), "{path}");
}

/// The program of the callback recipe in one language admits and refuses as its page says. `start` gets its file and port.
fn check_callback(name: &str, start: impl FnOnce(&str, u16) -> Background) {
    let port = free_port();
    let recipe = Recipe::new("callback-auth/pingosd.conf").with("6080", port);
    let path = program(&recipe.prefix, name, &[("6080", port.to_string())]);
    let _backend = start(&path, port);
    let server = recipe.start();
    for refused in ["room1", "room1?token=wrong", "room2?token=secret"] {
        RtmpClient::publish(server.rtmp, "live", refused).wait_status("NetStream.Publish.Forbidden");
    }
    let mut publisher = Publisher::start(server.rtmp, "room1?token=secret");
    let last = publisher.send(10);
    assert_eq!(http::get(server.http, "/live/room1.flv?token=secret").status(), 403);
    Player::http(server.http, "/live/room1.flv?token=view").wait_frame(last);
    RtmpClient::play(server.rtmp, "live", "room1?token=view").wait_started().leave();
}

#[test]
fn origin_checks_tokens_and_serves_hls_and_recordings() {
    let port = free_port();
    let recipe = Recipe::new("origin/pingosd.conf").with("6080", port);
    recipe.prefix.write("viewers", "viewer:{PLAIN}secret\n");
    let path = program(&recipe.prefix, "callback-auth/auth.py", &[("6080", port.to_string())]);
    let _backend = serve("python3", &[&path], port);
    let server = recipe.start();
    RtmpClient::publish(server.rtmp, "live", "room1?token=wrong").wait_status("NetStream.Publish.Forbidden");
    let mut source = Source::start(&server, "room1?token=secret");
    source.send_to(10_000);
    for (arguments, status) in [("?token=wrong", 403), ("?token=view", 200)] {
        let master = http::get(server.http, &format!("/hls/room1.m3u8{arguments}")).text();
        let playlist = master.lines().last().expect("a session").to_owned();
        assert_eq!(http::get(server.http, target(&playlist)).status(), status, "{arguments}");
        // A player that is admitted stays connected, so only the refused one is looked at.
        if status == 403 {
            let path = format!("/live/room1.flv{arguments}");
            assert_eq!(http::get(server.http, &path).status(), status, "{arguments}");
        }
    }
    source.leave();
    server.wait_log("recorded 'room1'");
    assert_eq!(http::get(server.http, "/recordings/").status(), 401);
    // viewer:secret
    let list =
        http::get_with(server.http, "/recordings/", "Authorization: Basic dmlld2VyOnNlY3JldA==\r\n").text();
    assert!(list.contains(">room1-20") && list.contains(".flv"), "{list}");
}

#[test]
fn callback_auth_in_python() {
    check_callback("callback-auth/auth.py", |path, port| serve("python3", &[path], port));
}

#[test]
fn callback_auth_in_go() {
    if is_installed("go", &["version"]) {
        check_callback("callback-auth/auth.go", |path, port| {
            // `go run` would leave the program behind when it is killed.
            let built = format!("{path}.bin");
            let output = run("go", &["build", "-o", &built, path]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serve(&built, &[], port)
        });
    }
}

#[test]
fn callback_auth_in_php() {
    if is_installed("php", &["--version"]) {
        check_callback("callback-auth/auth.php", |path, port| {
            serve("php", &["-S", &format!("127.0.0.1:{port}"), path], port)
        });
    }
}

#[test]
fn origin_edge_pulls_while_there_are_players() {
    let origin = Recipe::new("origin-edge/origin.conf").start();
    let port = free_port();
    let edge = Recipe::new("origin-edge/edge.conf").with("6080", port);
    let by = [("6080", port.to_string()), ("1935", origin.rtmp.to_string())];
    let path = program(&edge.prefix, "origin-edge/backend.py", &by);
    let _backend = serve("python3", &[&path], port);
    let rtmp = edge.rtmp;
    let edge = edge.start_on("1936", rtmp);
    let mut publisher = Publisher::start(origin.rtmp, "demo");
    publisher.send(30);
    let player = Player::http(edge.http, "/live/demo.flv");
    player.wait_key();
    let last = publisher.send(10);
    player.wait_frame(last);
    assert_eq!(edge.status()["streams"], 1);
    drop(player);
    until_true("the relay ends with its last player", || edge.status()["streams"] == 0);
}

#[test]
fn push_sends_a_stream_to_two_servers() {
    let calls = NotifyServer::start();
    let conf = Conf::new(
        "application live2 { live on; on_publish {callback}; }
         application app { live on; on_publish {callback} args=$pargs; }",
    )
    .var("callback", calls.url("/"));
    let (one, two) = (Server::start(&conf), Server::start(&conf));
    let server = Recipe::new("push/pingosd.conf").with("1936", one.rtmp).with("1937", two.rtmp).start();
    let mut publisher = Publisher::start(server.rtmp, "demo");
    publisher.send(10);
    calls.wait("call=publish app=live2 name=abcd-efgh-ijkl");
    let second = calls.wait("call=publish app=app name=stream1");
    assert_eq!((second.value("token"), second.value("expires")), ("xyz", "1800000000"));
    let player = Player::rtmp(RtmpClient::play(one.rtmp, "live2", "abcd-efgh-ijkl").wait_started());
    // The second connection may begin after any of the frames.
    let _feed = publisher.keep_sending();
    player.wait_key();
}

#[test]
fn recording_is_served_over_http() {
    let server = Recipe::new("recording/pingosd.conf").start();
    let mut source = Source::start(&server, "demo");
    source.send_to(3_000);
    source.leave();
    let name = until("a recording", || {
        let list = http::get(server.http, "/recordings/").text();
        let list: serde_json::Value = serde_json::from_str(&list).ok()?;
        Some(list[0]["name"].as_str()?.to_owned())
    });
    assert!(name.starts_with("demo-20") && name.ends_with(".flv"), "{name}");
    server.wait_log("recorded");
    let whole = http::get(server.http, &format!("/recordings/{name}"));
    assert!(whole.status() == 200 && whole.body.starts_with(b"FLV"));
    let part = http::get(server.http, &format!("/recordings/{name}?start=500"));
    assert!(part.status() == 200 && part.body.starts_with(b"FLV") && part.body.len() < whole.body.len());
}

#[test]
fn hls_keys_are_only_for_viewers_with_a_password() {
    let recipe = Recipe::new("hls-keys/pingosd.conf");
    let hash = match is_installed("openssl", &["version"]) {
        true => String::from_utf8(run("openssl", &["passwd", "-apr1", "secret"]).stdout).unwrap(),
        false => "{PLAIN}secret\n".to_owned(),
    };
    recipe.prefix.write("viewers", format!("viewer:{hash}"));
    let server = recipe.start();
    let mut source = Source::start(&server, "demo");
    source.send_to(10_000);
    let key = until("a playlist with a key", || {
        let list = http::get(server.http, "/hls/demo.m3u8").text();
        let (_, rest) = list.split_once("METHOD=AES-128,URI=\"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    assert!(key.starts_with("/keys/demo-"), "{key}");
    assert_eq!(http::get(server.http, &key).status(), 401);
    // viewer:secret
    let response = http::get_with(server.http, &key, "Authorization: Basic dmlld2VyOnNlY3JldA==\r\n");
    assert_eq!((response.status(), response.body.len()), (200, 16));
}

#[test]
fn variants_stand_in_one_master_playlist() {
    let server = Recipe::new("variants/pingosd.conf").start();
    let mut low = Source::start(&server, "demo_low");
    let mut high = Source::start(&server, "demo_high");
    low.send_to(7_000);
    high.send_to(7_000);
    let master = until("a master playlist", || {
        let response = http::get(server.http, "/hls/demo.m3u8");
        (response.status() == 200).then(|| response.text())
    });
    for (name, bandwidth) in [("demo_low", "BANDWIDTH=500000"), ("demo_high", "BANDWIDTH=2500000")] {
        assert!(master.contains(bandwidth), "{master}");
        let path = format!("{name}/index.m3u8");
        assert!(master.contains(&path), "{master}");
        until_true("a media playlist", || http::get(server.http, &format!("/hls/{path}")).status() == 200);
    }
}

#[test]
fn tls_for_publishers_and_players() {
    let server = Recipe::new("tls/pingosd.conf")
        .with("/etc/letsencrypt/live/example.com/fullchain.pem", tls::file("callback.crt"))
        .with("/etc/letsencrypt/live/example.com/privkey.pem", tls::file("callback.key"))
        .start();
    let _encoder = publish_clip(&format!("rtmps://localhost:{}/live/demo", server.rtmp));
    server.wait_log("publishing 'demo'");
    let mut client = tls::connect(server.http, "ca", &[&rustls::version::TLS13], &[]).unwrap();
    client.write_all(b"GET /live/demo.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    until_true("an FLV stream", || {
        let count = client.read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..count]);
        got.windows(4).any(|part| part == b"FLV\x01")
    });
}

#[test]
fn client_certificates_admit_encoders() {
    let clients = |name: &str| tls::file(&format!("clients/{name}"));
    let server = Recipe::new("client-certificates/pingosd.conf")
        .with("/etc/pingosd/tls/server.crt", tls::file("callback.crt"))
        .with("/etc/pingosd/tls/server.key", tls::file("callback.key"))
        .with("/etc/pingosd/tls/ca.crt", clients("ca.crt"))
        .start();
    let (certificate, key) = (clients("client.crt"), clients("client.key"));
    let status = |more: &[&str]| {
        let url = format!("https://127.0.0.1:{}/stat", server.http);
        let output =
            run("curl", &[&["-sk", "-o", "/dev/null", "-w", "%{http_code}"], more, &[&url]].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(status(&[]), "403");
    assert_eq!(status(&["--cert", &certificate, "--key", &key]), "200");
    // An RTMP client without a certificate cannot even connect.
    let address = format!("rtmps://127.0.0.1:{}/live/demo", server.rtmp);
    let clip = clip().to_str().unwrap();
    let refused = run("ffmpeg", &["-v", "error", "-i", clip, "-c", "copy", "-f", "flv", &address]);
    assert!(!refused.status.success());
    assert!(server.log_lines("publishing 'demo'").is_empty());
}

#[test]
fn hls_cache_fetches_each_file_once() {
    let origin = Recipe::new("hls-cache/origin.conf").start();
    let mut source = Source::start(&origin, "demo");
    source.send_to(9_000);
    until_true("a playlist", || http::get(origin.http, "/hls/demo.m3u8").status() == 200);
    let edge = Recipe::new("hls-cache/edge.conf").with("8081", origin.http).launch(0);
    let list = http::get(edge.http, "/hls/demo.m3u8");
    assert_eq!((list.status(), list.header("x-cache")), (200, Some("MISS")));
    let list = list.text();
    let segment = format!("/hls/{}", list.lines().find(|line| line.ends_with(".ts")).expect("a segment"));
    for found in ["MISS", "HIT", "HIT"] {
        let response = http::get(edge.http, &segment);
        assert_eq!((response.status(), response.header("x-cache")), (200, Some(found)), "{segment}");
        assert_eq!(response.body.first(), Some(&0x47));
    }
}

#[test]
fn low_latency_names_parts() {
    let server = Recipe::new("low-latency/pingosd.conf").start();
    let mut source = Source::start(&server, "demo");
    source.send_to(9_000);
    let master = http::get(server.http, "/hls/demo.m3u8").text();
    let url = master.lines().find(|line| line.starts_with("http")).expect("a media playlist");
    let list = until("parts", || {
        let list = http::get(server.http, target(url)).text();
        list.contains("#EXT-X-PART:DURATION=").then_some(list)
    });
    assert!(list.contains("CAN-BLOCK-RELOAD=YES") && list.contains("#EXT-X-MAP:"), "{list}");
}

#[test]
fn acme_orders_the_certificate_of_publishers_and_players() {
    let (web, secure) = (free_port(), free_port());
    let pebble = Pebble::new(web, secure, "").started();
    let server = Recipe::new("acme/pingosd.conf")
        .with("https://acme-v02.api.letsencrypt.org/directory;", pebble.issuer())
        .with("listen 80;", format!("listen 127.0.0.1:{web};"))
        .with("listen 443 ssl;", format!("listen 127.0.0.1:{secure} ssl;"))
        .start();
    patiently("the certificate is shown", || pebble::shown(secure).ok());
    assert_eq!(pebble::shown(secure).unwrap(), pebble::shown(server.rtmp).unwrap(), "one for both");
    assert_eq!(pebble.orders(), 1);
}

/// A connection as a load balancer opens it for this client.
fn through_balancer(port: u16, client: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(format!("PROXY TCP4 {client} 192.0.2.1 40000 {port}\r\n").as_bytes()).unwrap();
    socket
}

#[test]
fn load_balancer_reports_the_addresses_of_clients() {
    let balancer = project().join("docs/recipes/load-balancer/haproxy.cfg");
    if is_installed("haproxy", &["-v"]) {
        let output = run("haproxy", &["-c", "-f", balancer.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
    }
    let server = Recipe::new("load-balancer/pingosd.conf").start();
    let publish = |client| {
        let purpose = ClientPurpose::Publish { name: Bytes::from_static(b"demo") };
        RtmpClient::over(through_balancer(server.rtmp, client), settings(server.rtmp, "live", purpose))
    };
    publish("198.51.100.1").wait_status("NetStream.Publish.Forbidden");
    let mut publisher = Publisher::with(publish("203.0.113.7"), Tracks::Both);
    let last = publisher.send(10);
    let request = "GET /live/demo.flv HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let player = Player::http_over(through_balancer(server.http, "198.51.100.9"), request);
    player.wait_frame(last);
    drop(player);
    until_true("the player's address in the log", || {
        server.prefix().read("logs/access.log").contains("198.51.100.9 ")
    });
}
