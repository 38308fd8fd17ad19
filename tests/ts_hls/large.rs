//! Key frames of 2 MiB, as of 4K cameras, in every output.

use std::fs;
use std::path::Path;
use std::thread;

use bytes::{BufMut, BytesMut};
use pingosd::wire::MediaKind;
use pingosd::wire::rtmp::client_session::ClientPurpose;

use super::readers::{elementary, files};
use crate::support::frame::{Frame, audio_header, video_header};
use crate::support::http;
use crate::support::player::Got;
use crate::support::rtmp::{RtmpClient, settings};
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Conf, Player, Server};

const KEY: usize = 2 << 20;
/// Seconds that are published; each begins with a key frame.
const SECONDS: usize = 3;

/// The NAL unit of a key frame. No byte is zero, so that it needs no escapes.
fn nal(n: usize) -> Vec<u8> {
    let mut nal = format!("epicture {n:04} ").into_bytes();
    nal.extend((nal.len()..KEY).map(|at| (at.wrapping_mul(31) + at / 251 + n) as u8 | 1));
    nal
}

/// Whether a key frame is in these bytes as a whole.
fn has(bytes: &[u8], n: usize) -> bool {
    let nal = nal(n);
    let mut places = bytes.windows(14).enumerate().filter(|(_, window)| *window == &nal[..14]);
    places.any(|(at, _)| bytes.get(at..at + KEY) == Some(&nal[..]))
}

#[track_caller]
fn has_all(what: &str, bytes: &[u8]) {
    for n in 0..SECONDS {
        assert!(has(bytes, n), "{what} lacks key frame {n}");
    }
}

fn send(client: &mut RtmpClient, frame: &Frame) {
    client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
    client.flush();
}

/// Publishes everything, and waits until the server has it.
fn publish(server: &Server, app: &str) -> RtmpClient {
    let mut client = RtmpClient::publish(server.rtmp, app, "s").wait_started();
    send(&mut client, &audio_header());
    send(&mut client, &video_header());
    for at in (0..SECONDS as u32 * 1_000 + 40).step_by(40) {
        let is_key = at.is_multiple_of(1_000);
        let nal = if is_key { nal(at as usize / 1_000) } else { b"Apicture".to_vec() };
        let mut payload = BytesMut::new();
        payload.put_slice(&[if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
        payload.put_u32(nal.len() as u32);
        payload.put_slice(&nal);
        send(&mut client, &Frame { kind: MediaKind::Video, timestamp: at, payload: payload.freeze() });
        let payload = b"\xAF\x01\x21\x10\x04\x60\x8C\x1C";
        send(&mut client, &Frame { kind: MediaKind::Audio, timestamp: at, payload: payload[..].into() });
    }
    client
}

fn whole(paths: &[std::path::PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| fs::read(path).unwrap()).collect()
}

/// The video of a transport stream.
fn video(ts: &[u8]) -> Vec<u8> {
    elementary(&ts[..ts.len() / 188 * 188], mpeg2ts_reader::StreamType::H264)
}

#[test]
fn key_frames_of_2_mib_are_in_every_output() {
    let prefix = Prefix::new();
    for directory in ["live", "rec"] {
        fs::create_dir_all(prefix.path().join(directory)).unwrap();
    }
    let conf = Conf::new(
        "application live {
            live on; cache_time 20s; send_all on; mpegts_cache_time 20s; mpegts_send_all on;
            hls on; hls_path {dir}/hls; hls_fragment 1s;
            hls2 on; hls2_fragment 1s; hls2_minfrags 3;
            live_record on; live_record_path {dir}/live; live_record_min_fragment 900ms;
        }
        application mp4 {
            live on;
            hls on; hls_type fmp4; hls_path {dir}/hls4; hls_fragment 1s;
            hls2 on; hls2_format fmp4; hls2_fragment 1s; hls2_minfrags 3;
            dash on; dash_path {dir}/dash; dash_fragment 1s;
        }",
    );
    let conf = conf.rtmp("max_message 16m; idle_streams off;");
    let locations =
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }
        location /hls2 { hls2_live {rtmp_port} app=live; }";
    let server = Server::start_in(prefix, &conf.http_server(locations));
    let (live, mp4) = (publish(&server, "live"), publish(&server, "mp4"));
    let has_it = |got: &Got, n: usize| {
        let payloads = got.media.iter().map(|media| &media.payload);
        payloads.clone().any(|payload| payload.len() == KEY + 9 && payload[9..] == nal(n))
    };
    let mut settings = settings(server.rtmp, "live", ClientPurpose::Play { name: "s".into() });
    settings.max_message = 16 << 20;
    let over_rtmp = Player::rtmp(RtmpClient::open(server.rtmp, settings));
    for (what, player) in [("RTMP", over_rtmp), ("HTTP-FLV", Player::http(server.http, "/flv/s"))] {
        player.wait(what, |got| (0..SECONDS).all(|n| has_it(got, n)).then_some(()));
    }
    let port = server.http;
    let before = server.log_lines("play: name='s'").len();
    let ts = thread::spawn(move || http::get(port, "/ts/s").body);
    until_true("the request is there", || server.log_lines("play: name='s'").len() > before);
    for (what, app) in [("HLS from memory", "live"), ("HLS from memory, fMP4", "mp4")] {
        let mut uris = Vec::new();
        until_true(what, || {
            let playlist = http::get(server.http, &format!("/hls2/s.m3u8?session=a&app={app}")).text();
            uris = playlist.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
            uris.len() >= SECONDS
        });
        let bytes: Vec<u8> =
            uris.iter().flat_map(|uri| http::get(server.http, &format!("/hls2/{uri}")).body).collect();
        has_all(what, &if app == "live" { video(&bytes) } else { bytes });
    }
    live.leave();
    mp4.leave();
    has_all("HTTP-TS", &video(&ts.join().unwrap()));
    let path = server.prefix().path();
    let all = |below: &str, end: &str| files(&path.join(below) as &Path, end);
    until_true("the files are complete", || {
        let indexes = all("live", ".m3u8");
        let lines = |file: &std::path::PathBuf| fs::read_to_string(file).unwrap().lines().count();
        all("hls", ".ts").len() > SECONDS
            && all("hls4", ".m4s").len() > SECONDS + 1
            && all("dash", ".m4v").len() > SECONDS + 1
            && indexes.first().is_some_and(|index| lines(index) > SECONDS)
    });
    has_all("HLS files", &video(&whole(&all("hls", ".ts"))));
    has_all("live_record", &video(&whole(&all("live", ".ts"))));
    has_all("HLS files, fMP4", &whole(&all("hls4", ".m4s")));
    has_all("DASH", &whole(&all("dash", ".m4v")));
}
