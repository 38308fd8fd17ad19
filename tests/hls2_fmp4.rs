//! HLS from memory as fragmented MP4, and Low-Latency HLS: parts, requests that wait, delta updates.

mod support;

#[path = "ts_hls/media.rs"]
mod media;

use std::thread::{self, JoinHandle};

use media::Source;
use nix::sys::signal::Signal;
use pingosd::wire::hls::MediaPlaylist;
use support::http::{self, Connection, Response};
use support::playlist::checked;
use support::tool::run;
use support::wait::until_true;
use support::{Conf, Server};

const HLS2: &str = "hls2 on; hls2_fragment 1s; hls2_minfrags 2;";
const LOW_LATENCY: &str = "hls2_low_latency on; hls2_playlist_length 20s;";

fn start(more: &str) -> Server {
    let location = "location /hls2 { hls2_live {rtmp_port} app=live; } location /status { stub_status; }";
    Server::start(&Conf::live(&format!("{HLS2} {more}")).http_server(location))
}

#[track_caller]
fn get(server: &Server, target: &str) -> Response {
    http::get(server.http, target)
}

/// The media playlist with further arguments.
#[track_caller]
fn playlist(server: &Server, more: &str) -> Response {
    get(server, &format!("/hls2/s.m3u8?session=a{more}"))
}

#[track_caller]
fn piece(server: &Server, uri: &str) -> Vec<u8> {
    let response = get(server, &format!("/hls2/{uri}"));
    assert_eq!((response.status(), response.header("content-type")), (200, Some("video/mp4")), "{uri}");
    response.body
}

/// A request that is answered later.
fn later(server: &Server, target: &str) -> JoinHandle<Response> {
    let (port, target) = (server.http, target.to_owned());
    thread::spawn(move || http::get(port, &target))
}

/// Values of `URI="…"` and `DURATION=` in the lines that begin with this tag, with the segment that they precede.
fn parts(text: &str) -> Vec<(String, u64)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:DURATION="));
    let read = |line: &str| {
        let (seconds, rest) = line.split_once(',').unwrap();
        let uri = rest.split('"').nth(1).unwrap().to_owned();
        (uri, (seconds.parse::<f64>().unwrap() * 1_000.0).round() as u64)
    };
    lines.map(read).collect()
}

/// A stream of which parts of 4,400 ms are listed.
fn begun(server: &Server) -> Source {
    let mut source = Source::start(server, "s");
    source.send_to(4_500);
    until_true("the third part of the fifth fragment is hinted at", || {
        playlist(server, "").text().contains("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s-4.2.m4s?")
    });
    source
}

fn parse(text: &str) -> MediaPlaylist {
    MediaPlaylist::parse(text.as_bytes()).unwrap()
}

#[test]
fn fragments_and_initialisation_segments_are_served() {
    let server = start("hls2_format fmp4;");
    let mut source = Source::start(&server, "s");
    source.send_to(4_500);
    let text = playlist(&server, "").text();
    assert!(text.contains("#EXT-X-VERSION:7\n") && !text.contains("PART"), "{text}");
    let listed = parse(&text);
    let map = listed.segments[0].map.clone().unwrap();
    assert_eq!(&piece(&server, &map)[4..8], b"ftyp");
    assert_eq!(&piece(&server, &listed.segments[0].uri)[4..8], b"moof");
    assert_eq!(get(&server, &format!("/hls2/{}", map.replace("-0.", "-9."))).status(), 404);
    assert_eq!(
        get(&server, &format!("/hls2/{}", listed.segments[0].uri.replace(".m4s", ".ts"))).status(),
        404
    );
    let master = get(&server, "/hls2/s.m3u8").text();
    assert!(master.contains("CODECS=\"avc1."), "{master}");
}

#[test]
fn parts_one_after_another_are_the_segment() {
    let server = start(LOW_LATENCY);
    let _source = begun(&server);
    let text = playlist(&server, "").text();
    assert!(
        text.contains(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6.000,PART-HOLD-BACK=0.600\n\
             #EXT-X-PART-INF:PART-TARGET=0.200\n"
        ),
        "{text}"
    );
    // A player that has come early has more than three, and the parts of those are more than three target durations old.
    let segments = parse(&text).segments;
    assert!(!segments.is_empty(), "{text}");
    for segment in segments.iter().rev().take(3) {
        let number = segment.uri.split(['-', '.']).nth(1).unwrap();
        let begin = format!("s-{number}.");
        let parts: Vec<_> = parts(&text).into_iter().filter(|(uri, _)| uri.starts_with(&begin)).collect();
        assert_eq!(parts.len(), 5, "{text}");
        assert_eq!(parts.iter().map(|(_, ms)| ms).sum::<u64>(), segment.duration_ms, "{text}");
        let joined: Vec<u8> = parts.iter().flat_map(|(uri, _)| piece(&server, uri)).collect();
        assert_eq!(joined, piece(&server, &segment.uri));
    }
}

#[test]
fn a_request_for_a_later_part_is_answered_when_the_part_is_there() {
    let server = start(LOW_LATENCY);
    let mut source = begun(&server);
    let text = playlist(&server, "").text();
    let hint =
        text.lines().find_map(|line| line.strip_prefix("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"")).unwrap();
    assert!(hint.starts_with("s-4.2.m4s?"), "{text}");
    let reload = later(&server, "/hls2/s.m3u8?session=a&_HLS_msn=4&_HLS_part=2");
    let hinted = later(&server, &format!("/hls2/{}", hint.trim_end_matches('"')));
    source.send_to(4_560);
    assert!(!reload.is_finished() && !hinted.is_finished());
    source.send_to(4_700);
    let (reload, hinted) = (reload.join().unwrap(), hinted.join().unwrap());
    assert_eq!((reload.status(), hinted.status()), (200, 200));
    let parts = parts(&reload.text());
    let (last, _) = parts.last().unwrap();
    assert!(last.starts_with("s-4.2.m4s?"), "{}", reload.text());
    assert_eq!(piece(&server, last), hinted.body);
    // A part behind the last one of a segment is the first one of the next.
    let reload = later(&server, "/hls2/s.m3u8?session=a&_HLS_msn=4&_HLS_part=5");
    source.send_to(5_020);
    assert!(!reload.is_finished());
    source.send_to(5_300);
    assert!(reload.join().unwrap().text().contains("\"s-5.0.m4s?"));
    let segment = later(&server, "/hls2/s.m3u8?session=a&_HLS_msn=5");
    source.send_to(6_100);
    assert!(segment.join().unwrap().text().contains("\ns-5.m4s?"));
}

#[test]
fn requests_that_cannot_be_answered_are_refused() {
    let server = start(LOW_LATENCY);
    let _source = begun(&server);
    for bad in ["&_HLS_part=1", "&_HLS_msn=x", "&_HLS_msn=6", "&_HLS_msn=4&_HLS_part=9"] {
        assert_eq!(playlist(&server, bad).status(), 400, "{bad}");
    }
    // The publisher is silent: the request does not wait forever.
    assert_eq!(playlist(&server, "&_HLS_msn=4&_HLS_part=3").status(), 503);
    let target = "/hls2/s.m3u8?session=a&_HLS_msn=5";
    let waiting: Vec<_> = (0..24).map(|_| later(&server, target)).collect();
    let statuses: Vec<_> = waiting.into_iter().map(|request| request.join().unwrap().status()).collect();
    assert_eq!(statuses, [503; 24]);
}

#[test]
fn requests_that_wait_on_every_worker_are_answered_by_one_part() {
    let server = start(LOW_LATENCY);
    let mut source = begun(&server);
    // Each on a connection of its own, which the system gives to one of the two workers.
    let waiting: Vec<_> = (0..32)
        .map(|n| {
            let session = format!("/hls2/s.m3u8?session=w{n}");
            assert_eq!(get(&server, &session).status(), 200);
            later(&server, &format!("{session}&_HLS_msn=4&_HLS_part=2"))
        })
        .collect();
    assert!(waiting.iter().all(|request| !request.is_finished()));
    source.send_to(4_700);
    for request in waiting {
        let response = request.join().unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.text().contains("\"s-4.2.m4s?"), "{}", response.text());
        checked(&response.text());
    }
}

/// Waits until this many requests are in progress.
#[track_caller]
fn wait_requests(server: &Server, count: u32) {
    until_true(&format!("{count} requests wait"), || {
        let text = get(server, "/status").text();
        let writing = text.split("Writing: ").nth(1).and_then(|rest| rest.split(' ').next());
        // This one is one of them.
        writing.and_then(|writing| writing.parse::<u32>().ok()) == Some(count + 1)
    });
}

const WAITING: [&str; 2] =
    ["/hls2/s.m3u8?session=a&_HLS_msn=4&_HLS_part=3", "/hls2/s-4.2.m4s?session=a&slot=0"];

#[test]
fn a_fast_stop_does_not_wait_for_requests_that_wait() {
    let mut server = start(LOW_LATENCY);
    let _source = begun(&server);
    let mut waiting: Vec<_> = (0..8)
        .map(|n| {
            let mut connection = Connection::open(server.http);
            let target = WAITING[n % 2];
            connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
            connection
        })
        .collect();
    wait_requests(&server, 8);
    assert!(server.stop().success());
    for connection in &mut waiting {
        // The stream ends first, which may complete what a request waits for.
        let rest = connection.rest();
        let is_answer = [&b"HTTP/1.1 410 "[..], b"HTTP/1.1 200 "].iter().any(|head| rest.starts_with(head));
        assert!(rest.is_empty() || is_answer, "{}", String::from_utf8_lossy(&rest));
    }
}

#[test]
fn a_graceful_stop_answers_requests_that_wait() {
    // Players' sessions are waited for.
    let mut server = start(&format!("{LOW_LATENCY} hls2_timeout 3s;"));
    let mut source = begun(&server);
    let waiting: Vec<_> = (0..8).map(|n| later(&server, WAITING[n % 2])).collect();
    wait_requests(&server, 8);
    server.signal(Signal::SIGQUIT);
    until_true("it drains", || server.status()["draining"] == true);
    source.send_to(4_900);
    for request in waiting {
        assert_eq!(request.join().unwrap().status(), 200);
    }
    source.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn a_delta_update_gives_the_full_playlist() {
    let server = start(LOW_LATENCY);
    let mut source = Source::start(&server, "s");
    source.send_to(3_500);
    assert_eq!(playlist(&server, "").status(), 200);
    source.send_to(14_500);
    until_true("the last segment", || playlist(&server, "").text().contains("\ns-13.m4s"));
    let (full, delta) = (playlist(&server, "").text(), playlist(&server, "&_HLS_skip=YES").text());
    let (head, tail) = delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=").unwrap();
    let (count, tail) = tail.split_once('\n').unwrap();
    let left_out = full.strip_prefix(head).unwrap().strip_suffix(tail).unwrap();
    let count: usize = count.parse().unwrap();
    assert!(count >= 5 && left_out.matches("#EXTINF").count() == count, "{full}\n{delta}");
    // Parts stand only near the end.
    assert!(!full.contains("s-9.0.m4s") && full.contains("s-12.0.m4s"), "{full}");
}

#[test]
fn a_mark_of_a_session_counts_once_it_has_left_the_playlist() {
    let server = start("hls2_format fmp4; hls2_playlist_length 3s;");
    let mut source = Source::start(&server, "s");
    source.send_to(3_500);
    let text = playlist(&server, "").text();
    assert!(text.contains("#EXT-X-DISCONTINUITY\n") && !text.contains("DISCONTINUITY-SEQUENCE"), "{text}");
    source.send_to(12_500);
    until_true("the mark has left", || !playlist(&server, "").text().contains("#EXT-X-DISCONTINUITY\n"));
    assert!(playlist(&server, "").text().contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"));
}

#[test]
fn everything_that_ffmpeg_publishes_is_in_the_fragments() {
    let server = start("hls2_low_latency on; hls2_playlist_length 30s; idle_streams on;");
    let url = format!("rtmp://127.0.0.1:{}/live/s", server.rtmp);
    let waiting = later(&server, "/hls2/s.m3u8?session=a");
    #[rustfmt::skip]
    let done = run("ffmpeg", &[
        "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-t", "6",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-f", "flv", &url,
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(waiting.join().unwrap().text().contains("s-0.0.m4s"));
    until_true("the last segment", || parse(&playlist(&server, "").text()).segments.len() == 6);
    let text = playlist(&server, "").text();
    let listed = parse(&text);
    let length: u64 = listed.segments.iter().map(|segment| segment.duration_ms).sum();
    assert!(length.abs_diff(6_000) <= 40, "{text}");
    let mut bytes = piece(&server, listed.segments[0].map.as_ref().unwrap());
    for segment in &listed.segments {
        bytes.extend(piece(&server, &segment.uri));
    }
    let file = server.prefix().path().join("all.mp4");
    std::fs::write(&file, bytes).unwrap();
    for (track, count) in [("v", 150..=150), ("a", 258..=261)] {
        let args = ["-v", "error", "-count_frames", "-select_streams", track, "-show_entries"];
        let args = [&args[..], &["stream=nb_read_frames", "-of", "csv=p=0", file.to_str().unwrap()]].concat();
        let done = run("ffprobe", &args);
        assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        let told = String::from_utf8(done.stdout).unwrap();
        let found: usize = told.trim().trim_end_matches(',').parse().unwrap();
        assert!(count.contains(&found), "{found} of {track}");
    }
}
