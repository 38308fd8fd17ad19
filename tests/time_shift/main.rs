//! Players that ask to start in the past.

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pingosd::wire::MediaKind;
use support::frame::{Frame, GOP, STEP, Tracks};
use support::rtmp::RtmpClient;
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server};

/// Number of frames in this many seconds.
const fn frames(seconds: u64) -> u64 {
    seconds * 1_000 / STEP as u64
}

/// Publishes `seconds` of media and waits until it is there.
fn published(server: &Server, seconds: u64) -> (Publisher, u64) {
    let mut publisher = Publisher::start(server.rtmp, "s");
    let early = Player::start(server.rtmp, "s");
    let last = publisher.send(frames(seconds));
    early.wait_frame(last);
    (publisher, last)
}

/// How many of the frames up to `last` a player gets.
fn got(player: &Player, last: u64) -> u64 {
    player.assert_whole(Tracks::Both, last);
    player.frames().first().map_or(0, |first| last - first + 1)
}

#[test]
fn a_player_starts_as_far_back_as_its_url_says() {
    let conf = Conf::live("cache_time 1s; roll_back 10s;")
        .http_server("location /flv { flv_live {rtmp_port} app=live; }");
    let server = Server::start(&conf);
    let (_publisher, last) = published(&server, 20);
    // Whole groups of pictures: at least what was asked for, at most a group more.
    let about = |seconds: u64| frames(seconds)..frames(seconds) + 2 * GOP;
    for (query, seconds) in [("", 1), ("?roll_back=4000", 4), ("?token=1&roll_back=60000", 11)] {
        let over_rtmp = Player::start(server.rtmp, &format!("s{query}"));
        let frames = got(&over_rtmp, last);
        assert!(about(seconds).contains(&frames), "{query}: {frames} frames over RTMP");
        let over_http = Player::http(server.http, &format!("/flv/s.flv{query}"));
        let frames = got(&over_http, last);
        assert!(about(seconds).contains(&frames), "{query}: {frames} frames over HTTP");
    }
}

#[test]
fn nobody_starts_in_the_past_where_none_is_kept() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let (_publisher, last) = published(&server, 5);
    let player = Player::start(server.rtmp, "s?roll_back=4000");
    assert!(got(&player, last) < frames(2));
}

/// Recording in parts of at least 900 ms.
const RECORD: &str = "live_record on; live_record_path {dir}/ts; live_record_min_fragment 900ms; \
    live_record_max_fragment 4s; ";

/// Publishes H.264 and AAC whose frames carry their numbers and survive a transport stream: a NAL unit each, or a raw AAC
/// frame. The distance of audio frames is that of 44.1 kHz.
struct Encoder {
    client: RtmpClient,
    /// Distinguishes its frames from those of others.
    id: usize,
    video: u64,
    audio: u64,
    /// The messages so far, without headers, by kind.
    sent: [Vec<Frame>; 2],
}

impl Encoder {
    fn start(server: &Server, name: &str) -> Encoder {
        let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
        for header in Tracks::Both.headers() {
            client.session.send_media(header.kind, header.timestamp, &header.payload).unwrap();
        }
        client.flush();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        Encoder { client, id, video: 0, audio: 0, sent: Default::default() }
    }

    /// Sends media until this time in milliseconds: 25 pictures a second, a key frame every 400 ms.
    fn send_until(&mut self, end: u32) {
        loop {
            let video_at = (self.video * 40) as u32;
            let audio_at = (self.audio * 1024 * 1000 / 44_100) as u32;
            if video_at.min(audio_at) >= end {
                return;
            }
            let is_video = video_at <= audio_at;
            let frame = if is_video {
                let is_key = self.video.is_multiple_of(10);
                let head = if is_key { 'e' } else { 'A' };
                let nal = format!("{head}picture {:06} of {}", self.video, self.id);
                let head = [if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
                let length = (nal.len() as u32).to_be_bytes();
                let payload = [&head[..], &length, nal.as_bytes()].concat();
                Frame { kind: MediaKind::Video, timestamp: video_at, payload: payload.into() }
            } else {
                let payload =
                    [&[0xAF, 1][..], format!("sound {:06} of {}", self.audio, self.id).as_bytes()].concat();
                Frame { kind: MediaKind::Audio, timestamp: audio_at, payload: payload.into() }
            };
            self.client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
            self.client.flush();
            *if is_video { &mut self.video } else { &mut self.audio } += 1;
            self.sent[usize::from(is_video)].push(frame);
        }
    }

    /// Whether a player has been sent the newest picture.
    fn has_come(&self, player: &Player) -> bool {
        let newest = &self.sent[1].last().unwrap().payload;
        player.got().media.iter().any(|media| media.payload == *newest)
    }

    /// Waits until a player has been sent the newest picture.
    #[track_caller]
    fn wait_come(&self, player: &Player) {
        until_true("the newest picture has come", || self.has_come(player));
    }

    /// Checks that a player was sent every frame from its first one on, once and in order, with the distances of their
    /// timestamps. Returns the number of its first picture.
    #[track_caller]
    fn assert_whole(&self, player: &Player) -> usize {
        let got = player.got();
        let mut origin = None;
        let mut first_picture = 0;
        for (kind, slack) in [(MediaKind::Video, 0), (MediaKind::Audio, 3)] {
            let sent = &self.sent[usize::from(kind == MediaKind::Video)];
            let is_frame = |payload: &[u8]| payload.get(1) == Some(&1);
            let of_kind = got.media.iter().filter(|media| media.kind == kind && is_frame(&media.payload));
            let of_kind: Vec<_> = of_kind.collect();
            let first = sent.iter().position(|frame| frame.payload == of_kind[0].payload).unwrap();
            for (frame, media) in sent[first..].iter().zip(&of_kind) {
                assert_eq!(frame.payload, media.payload, "a gap or a repetition");
                let distance = frame.timestamp.wrapping_sub(media.timestamp);
                let origin = *origin.get_or_insert(distance);
                let off = origin.wrapping_sub(distance).cast_signed().unsigned_abs();
                assert!(off <= slack, "{kind:?} at {} is {off} ms away", frame.timestamp);
            }
            if kind == MediaKind::Video {
                first_picture = first;
                assert_eq!(of_kind.len(), sent.len() - first);
            } else {
                // The newest sound may be on its way.
                assert!(of_kind.len() + 5 >= sent.len() - first && of_kind.len() <= sent.len() - first);
            }
        }
        first_picture
    }
}

/// Lines of all indexes of a stream.
fn indexed(server: &Server, name: &str) -> usize {
    files(server, name, "index").iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).sum()
}

/// Files in the directories of days of a stream's recording.
fn files(server: &Server, name: &str, below: &str) -> Vec<PathBuf> {
    let root = server.prefix().path().join(format!("ts/default/live/{name}")).join(below);
    let days = fs::read_dir(root).into_iter().flatten().flatten();
    let days = days.filter(|day| day.file_name().len() == 8);
    days.flat_map(|day| fs::read_dir(day.path()).unwrap().flatten()).map(|file| file.path()).collect()
}

fn conf(more: &str) -> Conf {
    // A line in `more` stands for the same one here.
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let given: Vec<_> = more.split(';').filter_map(name).collect();
    let others = RECORD.split(';').filter(|line| name(line).is_some_and(|name| !given.contains(&name)));
    let record: String = others.map(|line| format!("{line};")).collect();
    Conf::live(&format!("{record} {more}")).http_server("location /flv { flv_live {rtmp_port} app=live; }")
}

fn recording(more: &str) -> Server {
    Server::start(&conf(more))
}

#[test]
fn a_player_goes_back_beyond_the_cache_and_on_without_a_gap() {
    let server = recording("cache_time 1s; roll_back 5s;");
    let mut encoder = Encoder::start(&server, "s");
    encoder.send_until(30_000);
    until_true("the parts are in the index", || indexed(&server, "s") >= 20);
    for request in [
        "GET /flv/s.flv?roll_back=600000 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /flv/s?roll_back=600000 HTTP/1.0\r\n\r\n",
    ] {
        let player = Player::http_request(server.http, request);
        encoder.wait_come(&player);
        // What is published from now on comes from the cache.
        let end = encoder.video as u32 * 40 + 6_000;
        encoder.send_until(end);
        encoder.wait_come(&player);
        assert_eq!(encoder.assert_whole(&player), 0);
        assert_eq!(player.got().media[0].timestamp, 0);
    }
    // As far back as the cache holds, nothing is read.
    let player = Player::http(server.http, "/flv/s.flv?roll_back=3000");
    encoder.wait_come(&player);
    assert!(encoder.assert_whole(&player) > 600);
    assert!(server.log_lines("behind a gap").is_empty());
}

#[test]
fn a_player_follows_the_recording_until_the_cache_joins_it() {
    // The cache ends before what is in the index begins, until the next part is.
    let server = recording(
        "cache_time 500ms; roll_back 1ms; live_record_min_fragment 4s; live_record_max_fragment 9s;",
    );
    let mut encoder = Encoder::start(&server, "s");
    encoder.send_until(11_600);
    until_true("parts are in the index", || indexed(&server, "s") >= 2);
    let player = Player::http(server.http, "/flv/s.flv?roll_back=600000");
    let key = encoder.sent[1][0].payload.clone();
    until_true("the past has come", || player.got().media.iter().any(|media| media.payload == key));
    until_true("the newest picture has come", || {
        // Time goes on until a part ends where the cache begins. Media is not faster than its time.
        if !encoder.has_come(&player) {
            let end = encoder.video as u32 * 40 + 40;
            encoder.send_until(end);
            thread::sleep(Duration::from_millis(40));
        }
        encoder.has_come(&player)
    });
    let end = encoder.video as u32 * 40 + 2_000;
    encoder.send_until(end);
    encoder.wait_come(&player);
    assert_eq!(encoder.assert_whole(&player), 0);
    assert!(server.log_lines("behind a gap").is_empty());
}

#[test]
fn a_new_publish_is_not_taken_for_the_recorded_one() {
    let server = recording("cache_time 1s; roll_back 5s;");
    let mut first = Encoder::start(&server, "s");
    let begin = Instant::now();
    first.send_until(3_600);
    first.client.leave();
    until_true("the recording is complete", || indexed(&server, "s") == 3);
    // What is recorded does not overlap: names of files tell seconds.
    until_true("its time has passed", || begin.elapsed() > Duration::from_secs(5));
    // The same timestamps again, in a file with a later name.
    let mut second = Encoder::start(&server, "s");
    second.send_until(12_000);
    let player = Player::http(server.http, "/flv/s.flv?roll_back=600000");
    second.wait_come(&player);
    let got = player.got();
    let pictures = got.media.iter().filter(|media| media.kind == MediaKind::Video && media.payload[1] == 1);
    let pictures: Vec<_> = pictures.collect();
    // Both publishes as a whole, one behind the other.
    assert_eq!(pictures.len(), 390);
    assert!(pictures.is_sorted_by_key(|media| media.timestamp));
    for (media, frame) in pictures.iter().zip(first.sent[1].iter().chain(&second.sent[1])) {
        assert_eq!(media.payload, frame.payload);
    }
}

#[test]
fn files_that_were_removed_are_left_out() {
    let server = recording("cache_time 1s; roll_back 5s;");
    let mut first = Encoder::start(&server, "s");
    first.send_until(12_000);
    until_true("parts are in the index", || indexed(&server, "s") >= 8);
    first.client.leave();
    until_true("the recording is complete", || indexed(&server, "s") == 10);
    let [gone] = &files(&server, "s", "")[..] else { panic!("one file") };
    let gone = gone.clone();
    let mut second = Encoder::start(&server, "s");
    second.send_until(20_000);
    until_true("parts are in the index", || indexed(&server, "s") >= 20);
    // The index stays, as when retention is between the two.
    fs::remove_file(gone).unwrap();
    let player = Player::http(server.http, "/flv/s.flv?roll_back=600000");
    second.wait_come(&player);
    assert_eq!(second.assert_whole(&player), 0);
}

#[test]
fn a_recording_that_ends_leaves_a_gap_that_the_log_tells() {
    let more = "cache_time 500ms; roll_back 1ms; live_record_min_fragment 4s; live_record_max_fragment 9s;";
    let server = recording(more);
    let mut encoder = Encoder::start(&server, "s");
    encoder.send_until(10_000);
    until_true("parts are in the index", || indexed(&server, "s") >= 2);
    let player = Player::http(server.http, "/flv/s.flv?roll_back=600000");
    let key = encoder.sent[1][0].payload.clone();
    until_true("the past has come", || player.got().media.iter().any(|media| media.payload == key));
    server.reload(&conf(&format!("{more} live_record off;")));
    encoder.send_until(10_400);
    until_true("the last part is in the index", || indexed(&server, "s") >= 3);
    let end = encoder.video as u32 * 40 + 10_000;
    encoder.send_until(end);
    server.wait_log("goes on behind a gap");
    encoder.wait_come(&player);
    let got = player.got();
    let pictures = got.media.iter().filter(|media| media.kind == MediaKind::Video && media.payload[1] == 1);
    let pictures: Vec<_> = pictures.collect();
    assert!(pictures.windows(2).all(|pair| (1..1_000).contains(&(pair[1].timestamp - pair[0].timestamp))));
    let place = |payload: &[u8]| encoder.sent[1].iter().position(|frame| frame.payload == payload).unwrap();
    let places: Vec<_> = pictures.iter().map(|media| place(&media.payload)).collect();
    let gaps: Vec<_> = places.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    // Behind the gap is a key frame.
    assert!(gaps.len() == 1 && gaps[0][1] > gaps[0][0] && gaps[0][1].is_multiple_of(10), "{gaps:?}");
}

#[test]
fn the_rest_of_a_recording_is_sent_when_its_publisher_leaves() {
    let server = recording("cache_time 1s; roll_back 2s; idle_streams off;");
    let mut encoder = Encoder::start(&server, "s");
    encoder.send_until(12_000);
    until_true("parts are in the index", || indexed(&server, "s") >= 8);
    let player = Player::http(server.http, "/flv/s.flv?roll_back=600000");
    player.wait("the head", |got| got.head.as_ref().map(|_| ()));
    encoder.send_until(13_000);
    let Encoder { client, sent, .. } = encoder;
    client.leave();
    until_true("the recording is complete", || indexed(&server, "s") == 11);
    player.wait_end();
    let got = player.got();
    let pictures = got.media.iter().filter(|media| media.kind == MediaKind::Video && media.payload[1] == 1);
    let pictures: Vec<_> = pictures.map(|media| &media.payload).collect();
    assert_eq!(pictures, sent[1].iter().map(|frame| &frame.payload).collect::<Vec<_>>());
}
