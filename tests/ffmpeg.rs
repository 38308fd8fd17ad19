//! Third-party programs: ffmpeg publishes, ffprobe, rtmpdump and curl watch.

mod support;

use std::fs;
use std::process::Output;

use bytes::Bytes;
use pingosd::wire::{MediaKind, flv};
use support::frame::{Frame, GOP, Tracks};
use support::player::Media;
use support::tool::{Background, codecs, publish_clip, run};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server};

fn start(server: &str, http_server: &str) -> Server {
    Server::start(&Conf::live(server).http_server(http_server))
}

/// Starts an ffmpeg that publishes `live/clip`, and waits until it does.
fn publish(server: &Server) -> Background {
    let publisher = publish_clip(&format!("rtmp://127.0.0.1:{}/live/clip", server.rtmp));
    server.wait_log("publishing 'clip'");
    publisher
}

/// The tags of an FLV file; its end may be cut off.
fn tags(file: &[u8]) -> Vec<Media> {
    let mut reader = flv::FlvReader::new(1 << 24);
    let mut input = file;
    std::iter::from_fn(|| reader.read(&mut input).unwrap())
        .map(|tag| Media { kind: tag.kind, timestamp: tag.timestamp, payload: tag.payload })
        .collect()
}

#[test]
fn ffprobe_finds_both_tracks_of_ffmpeg_over_rtmp_and_http() {
    let server = start("cache_time 2s;", "location /flv { flv_live {rtmp_port} app=live; }");
    let _publisher = publish(&server);
    assert_eq!(codecs(&format!("rtmp://127.0.0.1:{}/live/clip", server.rtmp)), ["aac", "h264"]);
    assert_eq!(codecs(&format!("http://127.0.0.1:{}/flv/clip.flv", server.http)), ["aac", "h264"]);
}

#[test]
fn what_ffmpeg_publishes_arrives_byte_by_byte() {
    let server = start("cache_time 2s;", "");
    let player = Player::start(server.rtmp, "clip");
    let publisher = publish(&server);
    player.wait("three seconds", |got| {
        got.media.iter().any(|media| media.kind == MediaKind::Video && media.timestamp >= 3000).then_some(())
    });
    publisher.interrupt();
    let sent = tags(&fs::read(support::tool::clip()).unwrap());
    let got = player.got();
    for kind in [MediaKind::Audio, MediaKind::Video] {
        // Wherever ffmpeg ends it says so with an end of sequence.
        let ours = |media: &&Media| media.kind == kind && !media.payload.starts_with(b"\x17\x02");
        let got: Vec<&Bytes> = got.media.iter().filter(ours).map(|media| &media.payload).collect();
        let sent: Vec<&Bytes> = sent.iter().filter(ours).map(|media| &media.payload).collect();
        assert!(got.len() > 20);
        let changed = got.iter().zip(&sent).position(|(got, sent)| got != sent);
        assert_eq!(changed, None, "{kind:?}");
    }
}

#[test]
fn both_forms_of_hevc_reach_the_player_unchanged() {
    let server = start("cache_time 1s;", "location /flv { flv_live {rtmp_port} app=live; }");
    for (name, header, key, inter) in [
        ("legacy", &b"\x1C\0\0\0\0\x01\x01\x60"[..], &b"\x1C\x01\0\0\0key"[..], &b"\x2C\x01\0\0\0inter"[..]),
        ("enhanced", b"\x90hvc1\x01\x01\x60", b"\x93hvc1key", b"\xA3hvc1inter"),
    ] {
        let mut publisher = Publisher::start(server.rtmp, name);
        let mut time = 0;
        let mut send = |payload: &'static [u8]| {
            let payload = Bytes::from_static(payload);
            publisher.send_frame(&Frame { kind: MediaKind::Video, timestamp: time, payload });
            time += 40;
        };
        // Another codec than the one announced first: its header takes the place of that one's.
        send(header);
        [key, inter, inter, key, inter].into_iter().for_each(&mut send);
        let early = Player::start(server.rtmp, name);
        let web = Player::http(server.http, &format!("/flv/{name}"));
        web.wait("a frame", |got| (!got.media.is_empty()).then_some(()));
        send(inter);
        for player in [&early, &web] {
            player.wait("the last frame", |got| {
                (got.media.iter().filter(|media| media.payload == inter).count() >= 2).then_some(())
            });
            let got = player.got();
            let video: Vec<&[u8]> = got
                .media
                .iter()
                .filter(|media| media.kind == MediaKind::Video)
                .map(|media| &media.payload[..])
                .collect();
            assert_eq!(video[0], header, "{name}");
            assert_eq!(video[1], key, "{name}: the first frame is a key frame");
        }
    }
}

#[test]
fn rtmpdump_plays() {
    let server = start("cache_time 2s;", "");
    let _publisher = publish(&server);
    let file = server.prefix().path().join("dump.flv");
    let url = format!("rtmp://127.0.0.1:{}/live/clip", server.rtmp);
    let player = Background::start("rtmpdump", &["-q", "-v", "-r", &url, "-o", file.to_str().unwrap()]);
    until_true("rtmpdump has got something", || fs::metadata(&file).is_ok_and(|file| file.len() > 20_000));
    player.interrupt();
    assert_eq!(codecs(file.to_str().unwrap()), ["aac", "h264"]);
}

/// Runs curl without its progress output, for at most this many seconds.
fn curl(args: &[&str]) -> Output {
    run("curl", &[&["-s", "-S", "--max-time", "3"], args].concat())
}

#[test]
fn curl_gets_the_stream_over_tcp_and_unix_sockets() {
    let server = start(
        "cache_time 1s;",
        "listen unix:{dir}/http.sock;
         location /flv { flv_live {rtmp_port} app=live; }
         location /off { flv_live {rtmp_port} app=live; chunked_transfer_encoding off; }",
    );
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_frame(GOP);
    let socket = server.prefix().path().join("http.sock");
    let base = format!("http://127.0.0.1:{}", server.http);
    let (flv, off) = (format!("{base}/flv/s.flv"), format!("{base}/off/s.flv"));
    let unix = ["--unix-socket", socket.to_str().unwrap(), "http://localhost/flv/s.flv"];
    let ways: [&[&str]; 4] = [&[&flv], &["--http1.0", &flv], &[&off], &unix];
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let runs = ways.map(|args| scope.spawn(move || curl(args)));
        runs.map(|run| run.join().unwrap()).into()
    });
    feed.stop();
    for (args, output) in ways.iter().zip(outputs) {
        let tags = tags(&output.stdout);
        let numbers: Vec<u64> = tags.iter().filter_map(|tag| support::frame::number(&tag.payload)).collect();
        assert!(numbers.len() > 100, "{args:?}: {} frames", numbers.len());
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{args:?}: {numbers:?}");
        for tag in &tags {
            if let Some(n) = support::frame::number(&tag.payload) {
                assert_eq!(tag.payload, Tracks::Both.frame(n, tag.payload.len()).payload);
            }
        }
    }
}

#[test]
fn curl_asks_for_answers_and_files_on_one_connection() {
    let server = start("", "location /text { return 200 text; } location / { root html; }");
    server.prefix().write("html/file", "file");
    let base = format!("http://127.0.0.1:{}", server.http);
    let (text, file, none) = (format!("{base}/text"), format!("{base}/file"), format!("{base}/none"));
    let urls = [&text[..], &file, &text, &file, &none];
    let output = curl(&[&["-w", " %{http_version} %{response_code} %{num_connects}\n"][..], &urls].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..4], ["text 1.1 200 1", "file 1.1 200 0", "text 1.1 200 0", "file 1.1 200 0"]);
    assert!(lines.last().unwrap().ends_with(" 1.1 404 0"), "{lines:?}");
    let old = curl(&["--http1.0", "-w", " %{http_version} %{response_code}", &file]);
    // As nginx, the server answers with its own version.
    assert_eq!(String::from_utf8_lossy(&old.stdout), "file 1.1 200");
}

#[test]
fn ffmpeg_may_be_killed_and_start_again() {
    let server = start("cache_time 1s;", "");
    let player = Player::start(server.rtmp, "clip");
    for round in 1..=2 {
        let seen = player.got().media.len();
        let publisher = publish(&server);
        player.wait("media", |got| (got.media.len() > seen + 20).then_some(()));
        drop(publisher);
        until_true("the server has seen the end", || {
            server.log_lines("stopped publishing 'clip'").len() == round
        });
    }
    let times: Vec<u32> = player
        .got()
        .media
        .iter()
        .filter(|media| media.kind == MediaKind::Video)
        .map(|media| media.timestamp)
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn ffmpeg_decodes_parts_of_files_it_has_made() {
    let server = start("", "root html; location /mp4/ { mp4; } location /flv/ { flv; }");
    let clip = support::tool::clip().to_str().unwrap();
    let at = |name: &str| server.prefix().write(name, "").to_str().unwrap().to_owned();
    // The description before the data, and behind it.
    for (name, flags) in [("front", "+faststart"), ("back", "0")] {
        let file = at(&format!("html/mp4/{name}.mp4"));
        let made = run("ffmpeg", &["-v", "error", "-y", "-i", clip, "-c", "copy", "-movflags", flags, &file]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // The clip has a key frame each second.
        for (query, seconds) in [("start=1", None), ("start=1&end=3", Some(2.0)), ("end=2", Some(2.0))] {
            let part = at("part.mp4");
            let response = support::http::get(server.http, &format!("/mp4/{name}.mp4?{query}"));
            assert_eq!(response.status(), 200);
            fs::write(&part, &response.body).unwrap();
            assert_eq!(codecs(&part), ["aac", "h264"]);
            let decoded = run("ffmpeg", &["-v", "error", "-i", &part, "-f", "null", "-"]);
            assert_eq!(String::from_utf8_lossy(&decoded.stderr), "", "{name} {query}");
            let shown =
                run("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", &part]);
            let found: f64 = String::from_utf8_lossy(&shown.stdout).trim().parse().unwrap();
            assert!(
                seconds.is_none_or(|seconds: f64| (found - seconds).abs() < 0.2),
                "{name} {query}: {found}"
            );
        }
    }
    // The offset of a tag, as players know it from the metadata.
    let file = fs::read(clip).unwrap();
    fs::write(at("html/flv/clip.flv"), &file).unwrap();
    let first = 13 + 15 + u32::from_be_bytes([0, file[14], file[15], file[16]]) as usize;
    let response = support::http::get(server.http, &format!("/flv/clip.flv?start={first}"));
    assert_eq!(response.body[13..], file[first..]);
    let tags = tags(&response.body);
    assert!(tags.len() > 20 && tags.iter().all(|tag| tag.kind != MediaKind::Data));
}
