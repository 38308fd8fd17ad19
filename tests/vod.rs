//! Playback of recordings over HTTP, as HLS and FLV.

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use m3u8_rs::{MediaPlaylist, MediaPlaylistType};
use nix::sys::signal::Signal;
use pingosd::wire::MediaKind;
use pingosd::wire::flv::{FlvReader, FlvTag, Remuxer};
use support::clip::{clip, publish};
use support::tool::run;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Server, http};

const RECORD: &str =
    "live_record on; live_record_path {dir}/ts; live_record_min_fragment 900ms; live_record_max_fragment 4s;";

fn conf(more: &str) -> Conf {
    let conf = Conf::live(&format!("{RECORD} {more}"));
    conf.http_server("location /vod { vod_live {rtmp_port} app=live; }")
}

fn start(more: &str) -> Server {
    Server::start(&conf(more))
}

fn indexes(server: &Server, name: &str) -> Vec<PathBuf> {
    let root = server.prefix().path().join(format!("ts/default/live/{name}/index"));
    let days = fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        days.flat_map(|day| fs::read_dir(day.path()).unwrap().flatten()).map(|file| file.path()).collect();
    found.sort();
    found
}

/// Parts in all indexes of a stream.
fn indexed(server: &Server, name: &str) -> usize {
    let texts = indexes(server, name).into_iter().map(|path| fs::read_to_string(path).unwrap());
    texts.map(|text| text.lines().count()).sum()
}

/// Publishes six seconds, and waits until they are recorded.
fn record(server: &Server, name: &str) {
    let before = server.log_lines(&format!("recorded '{name}'")).len() + indexes(server, name).len();
    publish(server, name, &clip(&["-bf", "2"])).leave();
    until_true("the recording is complete", || {
        let all = indexes(server, name);
        all.len() > before && indexed(server, name) >= 5 * all.len()
    });
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[track_caller]
fn playlist(server: &Server, target: &str) -> (String, MediaPlaylist) {
    let response = http::get(server.http, target);
    assert_eq!(response.status(), 200, "{target}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/vnd.apple.mpegurl"));
    let text = response.text();
    let (_, list) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"));
    (text, list)
}

fn tags(bytes: &[u8]) -> Vec<FlvTag> {
    let (mut input, mut reader) = (bytes, FlvReader::new(1 << 24));
    let mut tags = Vec::new();
    while let Some(tag) = reader.read(&mut input).unwrap() {
        tags.push(tag);
    }
    assert!(input.is_empty() && reader.is_between_tags(), "the file ends in the middle of a tag");
    tags
}

/// Frames that ffprobe decodes of a track, without complaint.
#[track_caller]
fn frames(input: &str, track: &str) -> usize {
    let args = ["-v", "error", "-count_frames", "-select_streams", track, "-show_entries"];
    let args = [&args[..], &["stream=nb_read_frames", "-of", "csv=p=0", input]].concat();
    let done = run("ffprobe", &args);
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout).unwrap();
    told.lines().next().map_or(0, |line| line.trim_end_matches(',').parse().unwrap())
}

#[test]
fn a_recording_is_played_as_hls_by_its_byte_ranges() {
    let server = start("");
    let begin = now();
    record(&server, "s");
    let target = format!("/vod/s.m3u8?from={}&to={}&token=x%20y", begin - 10, begin + 1000);
    let (text, list) = playlist(&server, &target);
    assert!(list.end_list && list.playlist_type == Some(MediaPlaylistType::Vod), "{text}");
    assert_eq!(list.segments.iter().filter(|segment| segment.discontinuity).count(), 0, "{text}");
    assert!(list.segments.len() >= 5);
    let length: f32 = list.segments.iter().map(|segment| segment.duration).sum();
    assert!((length - 6.0).abs() < 0.1, "{text}");
    assert!(list.segments.iter().all(|segment| segment.duration.round() as u64 <= list.target_duration));
    let at = list.segments[0].program_date_time.unwrap().timestamp();
    assert!((begin as i64 - 1..=now() as i64 + 1).contains(&at));
    assert!(list.segments.iter().all(|segment| segment.uri.ends_with("&token=x%20y")));
    // The ranges join and cover the file.
    let mut next = 0;
    for segment in &list.segments {
        let range = segment.byte_range.as_ref().unwrap();
        assert_eq!(range.offset, Some(next), "{text}");
        next += range.length;
    }
    let response = http::get(server.http, &format!("/vod/{}", list.segments[0].uri));
    assert_eq!((response.status(), response.header("content-type")), (200, Some("video/mp2t")));
    assert_eq!(response.body.len() as u64, next);
    let part =
        http::get_with(server.http, &format!("/vod/{}", list.segments[0].uri), "Range: bytes=0-187\r\n");
    assert_eq!((part.status(), part.body.len(), part.body[0]), (206, 188, 0x47));
    let url = format!("http://127.0.0.1:{}{target}", server.http);
    assert_eq!(frames(&url, "v"), 150);
    assert!((255..=261).contains(&frames(&url, "a")));
}

#[test]
fn a_recording_is_played_as_flv() {
    let server = start("");
    record(&server, "s");
    let response = http::get(server.http, "/vod/s.flv?from=0");
    assert_eq!((response.status(), response.header("content-type")), (200, Some("video/x-flv")));
    let tags = tags(&response.body);
    let of = |kind| tags.iter().filter(move |tag| tag.kind == kind);
    assert_eq!(of(MediaKind::Video).count(), 151);
    assert!((255..=261).contains(&of(MediaKind::Audio).count()));
    assert!(of(MediaKind::Video).map(|tag| tag.timestamp).is_sorted());
    assert!(tags[0].timestamp == 0 && (5_900..6_300).contains(&tags.last().unwrap().timestamp));
    let file = server.prefix().write("s.flv", &response.body);
    assert_eq!(frames(file.to_str().unwrap(), "v"), 150);
    assert!((255..=261).contains(&frames(file.to_str().unwrap(), "a")));
    // The response to HEAD has no body.
    assert_eq!(http::request(server.http, "HEAD", "/vod/s.flv?from=0", "").status(), 200);
}

#[test]
fn mp3_and_hevc_are_remuxed() {
    let server = start("");
    publish(&server, "s", &clip(&["-c:a", "libmp3lame", "-ar", "22050"])).leave();
    until_true("the recording is complete", || indexed(&server, "s") >= 5);
    let response = http::get(server.http, "/vod/s.flv?from=0");
    let file = server.prefix().write("s.flv", &response.body);
    assert_eq!(frames(file.to_str().unwrap(), "v"), 150);
    let audio = frames(file.to_str().unwrap(), "a");
    // 576 samples a frame.
    assert!((225..=233).contains(&audio), "{audio}");

    let ts = server.prefix().path().join("hevc.ts");
    let source = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=320x180:rate=25",
        "-t",
        "2",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
    ];
    let done = run(
        "ffmpeg",
        &[&["-v", "error", "-y"], &source[..], &["-x265-params", "log-level=none", ts.to_str().unwrap()]]
            .concat(),
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (mut remuxer, mut flv) = (Remuxer::new(1 << 22), Default::default());
    remuxer.push(&fs::read(&ts).unwrap(), &mut flv);
    remuxer.end_run(&mut flv);
    // ffmpeg reads HEVC in FLV from version 6.1 on, so MP4 is made of it.
    let mut packager = pingosd::wire::fmp4::Packager::new(12, None);
    let mut samples = Vec::new();
    for tag in tags(&flv) {
        packager.handle_frame(tag.kind, tag.timestamp, &tag.payload, &mut samples).unwrap();
    }
    packager.finish(&mut samples);
    let mut mp4 = pingosd::wire::fmp4::init_segment(&[&samples[0].config]).to_vec();
    mp4.extend(pingosd::wire::fmp4::fragment(1, &[pingosd::wire::fmp4::Run { track: 1, samples: &samples }]));
    let file = server.prefix().write("hevc.mp4", &mp4);
    assert_eq!(frames(file.to_str().unwrap(), "v"), 50);
}

#[test]
fn gaps_are_discontinuities_and_the_range_selects() {
    let server = start("");
    record(&server, "gaps");
    let first = now();
    // The next file has another second in its name.
    until_true("another second", || now() > first + 8);
    record(&server, "gaps");
    let (text, list) = playlist(&server, &format!("/vod/gaps.m3u8?app=live&from=0&to={}", now() + 100));
    let breaks = list.segments.iter().filter(|segment| segment.discontinuity).count();
    assert_eq!(
        (breaks, list.segments.iter().filter(|s| s.program_date_time.is_some()).count()),
        (1, 2),
        "{text}"
    );
    let response = http::get(server.http, "/vod/gaps.flv?from=0");
    let tags = tags(&response.body);
    let video: Vec<u32> = tags
        .iter()
        .filter(|tag| tag.kind == MediaKind::Video && tag.payload[1] == 1)
        .map(|tag| tag.timestamp)
        .collect();
    assert_eq!(video.len(), 300);
    assert!(video.is_sorted() && video[299] < 12_500, "{}", video[299]);
    // The second recording alone, with a time as in RFC 3339.
    let at = list.segments.iter().filter_map(|segment| segment.program_date_time).next_back().unwrap();
    let target = format!("/vod/gaps.m3u8?from={}&to={}", at.format("%Y-%m-%dT%H:%M:%SZ"), now() + 100);
    let (text, later) = playlist(&server, &target);
    assert!(
        later.segments.len() < list.segments.len() && later.segments.iter().all(|s| !s.discontinuity),
        "{text}"
    );
    let target = format!("/vod/gaps.m3u8?from={}&to={}", now() + 100, now() + 200);
    assert_eq!(http::get(server.http, &target).status(), 404);
}

#[test]
fn requests_that_name_nothing_recorded_are_refused() {
    let server = start("");
    record(&server, "s");
    fs::write(server.prefix().path().join("ts/secret.ts"), "secret").unwrap();
    for (target, status) in [
        ("/vod/s.m3u8", 400),
        ("/vod/s.m3u8?from=x", 400),
        ("/vod/s.m3u8?from=2&to=1", 400),
        ("/vod/.m3u8?from=0", 400),
        ("/vod/s.flv?to=5", 400),
        ("/vod/other.m3u8?from=0", 404),
        ("/vod/other.flv?from=0", 404),
        ("/vod/s.mp4?from=0", 404),
        ("/vod/..%2F..%2Fs.m3u8?from=0", 400),
        ("/vod/s.m3u8?from=0&app=..", 404),
        ("/vod/s.ts", 400),
        ("/vod/s.ts?file=../secret", 400),
        ("/vod/s.ts?file=20200101-1", 404),
        ("/vod/..%2F..%2F..%2Fsecret.ts?file=20200101-1", 400),
        ("/vod/%2E%2E.ts?file=20200101-1", 404),
        ("/vod/....m3u8?from=0", 404),
        ("/vod/s%00.m3u8?from=0", 400),
    ] {
        assert_eq!(http::get(server.http, target).status(), status, "{target}");
    }
}

#[test]
fn players_of_recordings_are_admitted_as_others() {
    let notify = NotifyServer::start();
    let server = Server::start(
        &conf("on_play {callback}/p stage=start,done args=reason=$finalize_reason; on_stream {callback}/s stage=start,done;")
            .var("callback", notify.url("")),
    );
    record(&server, "s");
    let (_, list) = playlist(&server, "/vod/s.m3u8?from=0&token=1");
    notify.wait("call=play act=start name=s");
    notify.wait("call=play act=done name=s reason=normal_close");
    let count = notify.requests_of("call=play act=start").len();
    assert_eq!(http::get(server.http, &format!("/vod/{}", list.segments[0].uri)).status(), 200);
    assert_eq!(notify.wait_count("call=play act=start", count + 1).len(), count + 1);
    for target in ["/vod/s.m3u8?from=0", "/vod/s.flv?from=0", &format!("/vod/{}", list.segments[0].uri)] {
        notify.answer("call=play act=start", Answer::Status(403));
        assert_eq!(http::get(server.http, target).status(), 403, "{target}");
    }
    server.reload(&conf("deny play all;"));
    for target in ["/vod/s.m3u8?from=0", "/vod/s.flv?from=0", "/vod/s.ts?file=20200101-1"] {
        assert_eq!(http::get(server.http, target).status(), 403, "{target}");
    }
}

#[test]
fn playback_follows_a_stream_that_is_published() {
    let server = start("");
    let frames = clip(&["-bf", "0"]);
    let (first, second) = frames.split_at(frames.len() / 2);
    let mut client = publish(&server, "s", first);
    until_true("a part is in the index", || indexed(&server, "s") >= 2);
    let moved = http::get(server.http, "/vod/s.m3u8?roll_back=600000&token=x");
    assert_eq!(moved.status(), 302);
    let target = moved.header("location").unwrap();
    let (_, path) = target.split_once("/vod/").unwrap();
    assert!(path.starts_with("s.m3u8?from=") && path.ends_with("&token=x"), "{target}");
    let (text, list) = playlist(&server, &format!("/vod/{path}"));
    assert!(!list.end_list && list.playlist_type == Some(MediaPlaylistType::Event), "{text}");
    let count = list.segments.len();
    let port = server.http;
    let following = std::thread::spawn(move || http::get(port, "/vod/s.flv?roll_back=600000"));
    server.wait_log("vod: recording of 's' requested");
    for frame in second {
        client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
        client.flush();
    }
    client.leave();
    let tags = tags(&following.join().unwrap().body);
    assert_eq!(tags.iter().filter(|tag| tag.kind == MediaKind::Video).count(), 151);
    let (text, list) = playlist(&server, &format!("/vod/{path}"));
    assert!(list.end_list && list.segments.len() > count, "{text}");
}

#[test]
fn after_a_crash_the_index_leads_to_what_was_written() {
    let mut server = start("");
    let client = publish(&server, "s", &clip(&["-bf", "0"]));
    until_true("parts are in the index", || indexed(&server, "s") >= 4);
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    drop(client);
    // A line that was being written.
    let index = indexes(&server, "s").remove(0);
    let mut text = fs::read_to_string(&index).unwrap();
    text.push_str("s-1.ts?startsize=1&ends");
    fs::write(&index, text).unwrap();
    let mut command = server.prefix().command();
    let none = || std::process::Stdio::null();
    let _again = Again(command.stdin(none()).stdout(none()).stderr(none()).spawn().unwrap());
    let url = format!("http://127.0.0.1:{}/vod/s.m3u8?from=0", server.http);
    until_true("the server runs again", || std::net::TcpStream::connect(("127.0.0.1", server.http)).is_ok());
    let (text, list) = playlist(&server, "/vod/s.m3u8?from=0");
    assert!(list.end_list && list.segments.len() >= 4, "{text}");
    assert!(frames(&url, "v") >= 99);
}

/// A server that was started by hand; killed with the test.
struct Again(std::process::Child);

impl Drop for Again {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
