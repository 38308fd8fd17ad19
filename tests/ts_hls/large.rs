//! Key frames of more than 2 MiB, as of 4K cameras, in every output.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use mpeg2ts_reader::StreamType;
use pingosd::wire::MediaKind;
use pingosd::wire::flv::FlvReader;
use pingosd::wire::rtmp::client_session::ClientPurpose;

use super::readers::{elementary, files};
use crate::support::clip::{encoded, publish};
use crate::support::frame::{Frame, is_key};
use crate::support::http::{self, Connection, Head};
use crate::support::player::Got;
use crate::support::rtmp::{RtmpClient, settings};
use crate::support::server::Prefix;
use crate::support::tool::run;
use crate::support::wait::{until, until_true};
use crate::support::{Conf, Player, Server};

const LEAST: usize = 2 << 20;
const KEYS: usize = 3;

/// PID of video, upper and lower bits.
const VIDEO_PID: (u8, u8) = (1, 0);

/// Bytes by which a NAL unit is looked for before it is compared: a search for all of it is slow in a debug build.
const PREFIX: usize = 64;

/// Three seconds of noise that does not change: a large key frame each second, and a small picture behind it.
fn noise() -> Vec<Frame> {
    encoded(
        &"-f lavfi -i color=gray:size=1920x1080:rate=2,noise=alls=100:allf=u -f lavfi -i sine=sample_rate=44100 -t 3
          -c:v libx264 -preset ultrafast -qp 18 -g 2 -sc_threshold 0 -pix_fmt yuv420p -c:a aac"
            .split_whitespace()
            .collect::<Vec<_>>(),
    )
}

/// The large NAL unit of each key frame.
fn large_nals(frames: &[Frame]) -> Vec<Vec<u8>> {
    let keys = frames.iter().filter(|frame| frame.kind == MediaKind::Video && is_key(&frame.payload));
    let largest = keys.map(|frame| {
        let mut rest = &frame.payload[5..];
        let mut largest: &[u8] = &[];
        while let Some((length, behind)) = rest.split_first_chunk() {
            let nal;
            (nal, rest) = behind.split_at(u32::from_be_bytes(*length) as usize);
            largest = if nal.len() > largest.len() { nal } else { largest };
        }
        largest.to_vec()
    });
    let nals: Vec<_> = largest.collect();
    assert!(nals.len() == KEYS && nals.iter().all(|nal| nal.len() > LEAST));
    nals
}

/// Checks that the output has these NAL units as they were sent, and that ffprobe finds as many large key frames.
#[track_caller]
fn check(server: &Server, what: &str, end: &str, bytes: &[u8], nals: &[Vec<u8>]) {
    let bytes = if end == "ts" { &bytes[..bytes.len() / 188 * 188] } else { bytes };
    let found = if end == "ts" { elementary(bytes, StreamType::H264).0 } else { bytes.to_vec() };
    for (n, nal) in nals.iter().enumerate() {
        let mut places = found.find_iter(&nal[..PREFIX]);
        assert!(places.any(|at| found[at..].starts_with(nal)), "{what} lacks key frame {n}");
    }
    let file = server.prefix().write(&format!("{}.{end}", what.replace(' ', "-")), bytes);
    let file = file.to_str().unwrap();
    let entries = ["-select_streams", "v:0", "-show_entries", "packet=size,flags", "-of", "csv=p=0"];
    let done = run("ffprobe", &[&["-v", "error"], &entries[..], &[file]].concat());
    assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{what}");
    let told = String::from_utf8(done.stdout).unwrap();
    let packets = told.lines().filter_map(|line| line.split_once(','));
    let large = packets.filter(|(size, flags)| {
        size.parse::<usize>().is_ok_and(|size| size > LEAST) && flags.starts_with('K')
    });
    assert_eq!(large.count(), nals.len(), "{what}: {told}");
}

fn whole(paths: &[PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| fs::read(path).unwrap()).collect()
}

/// Waits until a playlist or manifest has so many segments, which are complete then.
#[track_caller]
fn until_listed(server: &Server, file: &str, segment: &str, count: usize) {
    until_true(file, || {
        let text = fs::read_to_string(server.prefix().path().join(file)).unwrap_or_default();
        text.matches(segment).count() == count
    });
}

/// Waits for two fragments in memory, and reads them with the initialisation segment, if there is one.
fn from_memory(server: &Server) -> Vec<u8> {
    let uris = until("two fragments in memory", || {
        let text = http::get(server.http, "/hls2/s.m3u8?session=a").text();
        let map = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"'));
        let segments = text.lines().filter(|line| !line.starts_with('#'));
        (segments.clone().count() == 2)
            .then(|| map.into_iter().chain(segments).map(str::to_owned).collect::<Vec<_>>())
    });
    uris.iter().flat_map(|uri| http::get(server.http, &format!("/hls2/{uri}")).body).collect()
}

/// Reads a response without end until `enough` has been told so much of it.
#[track_caller]
fn live(server: &Server, target: &str, mut enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut connection = Connection::open(server.http);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    let mut body = None;
    while !body.is_some_and(|begin: usize| enough(&bytes[begin..])) {
        let count = connection.socket.read(&mut buffer).expect("something within the patience");
        assert!(count > 0, "{target}: the connection has ended");
        bytes.extend_from_slice(&buffer[..count]);
        body = body.or_else(|| Head::parse(&bytes).map(|(_, length)| length));
    }
    bytes.split_off(body.unwrap_or_default())
}

/// Whether this is a picture, and no header or end of sequence.
fn is_picture(kind: MediaKind, payload: &[u8]) -> bool {
    kind == MediaKind::Video && payload.get(1) == Some(&1)
}

/// HTTP-FLV with so many pictures.
#[track_caller]
fn live_flv(server: &Server, pictures: usize) -> Vec<u8> {
    let mut reader = FlvReader::new(1 << 24);
    let (mut read, mut found) = (0, 0);
    live(server, "/flv/s", |body| {
        let mut input = &body[read..];
        while let Some(tag) = reader.read(&mut input).unwrap() {
            found += usize::from(is_picture(tag.kind, &tag.payload));
        }
        read = body.len() - input.len();
        found >= pictures
    })
}

/// HTTP-TS up to the beginning of picture number `pictures`.
#[track_caller]
fn live_ts(server: &Server, pictures: usize) -> Vec<u8> {
    let (mut read, mut found) = (0, 0);
    live(server, "/ts/s", |body| {
        for packet in body[read..].chunks_exact(188) {
            let begins = packet[1] & 0x40 != 0;
            found += usize::from(begins && (packet[1] & 0x1f, packet[2]) == VIDEO_PID);
            read += 188;
        }
        found >= pictures
    })
}

fn start(application: &str) -> Server {
    let prefix = Prefix::new();
    fs::create_dir_all(prefix.path().join("rec")).unwrap();
    let locations = "chunked_transfer_encoding off;
        location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }
        location /hls2 { hls2_live {rtmp_port} app=live; }";
    let conf = Conf::live(application).rtmp("max_message 4m; idle_streams off;");
    Server::start_in(prefix, &conf.http_server(locations))
}

/// All key frames, as messages.
#[track_caller]
fn wait_messages(what: &str, player: &Player, sent: &[Frame]) {
    let has = |got: &Got, key: &Frame| got.media.iter().any(|media| media.payload == key.payload);
    let keys = || sent.iter().filter(|frame| frame.kind == MediaKind::Video && is_key(&frame.payload));
    player.wait(what, |got| keys().all(|key| has(got, key)).then_some(()));
}

#[test]
fn key_frames_of_2_mib_pass_through_flv_and_mpegts() {
    let sent = noise();
    let nals = large_nals(&sent);
    let server = start(
        "cache_time 20s; send_all on; mpegts_cache_time 20s; mpegts_send_all on;
         hls on; hls_path {dir}/hls; hls_fragment 1s;
         hls2 on; hls2_fragment 1s; hls2_minfrags 2;
         recorder flv { record all; record_path {dir}/rec; }
         recorder ts { record all; record_path {dir}/rec; record_format ts; }",
    );
    let client = publish(&server, "s", &sent);
    let mut settings = settings(server.rtmp, "live", ClientPurpose::Play { name: "s".into() });
    settings.max_message = 4 << 20;
    wait_messages("RTMP", &Player::rtmp(RtmpClient::open(server.rtmp, settings)), &sent);
    wait_messages("HTTP-FLV", &Player::http(server.http, "/flv/s"), &sent);
    let pictures = sent.iter().filter(|frame| is_picture(frame.kind, &frame.payload)).count();
    check(&server, "HTTP-FLV", "flv", &live_flv(&server, pictures), &nals);
    check(&server, "HTTP-TS", "ts", &live_ts(&server, pictures), &nals);
    check(&server, "HLS from memory", "ts", &from_memory(&server), &nals[..2]);
    client.leave();
    let path = server.prefix().path();
    until_listed(&server, "hls/s.m3u8", "#EXTINF", KEYS);
    check(&server, "HLS files", "ts", &whole(&files(&path.join("hls"), ".ts")), &nals);
    until_true("both recordings are complete", || server.log_lines("record: recorded 's'").len() == 2);
    for end in ["flv", "ts"] {
        check(&server, "a recording", end, &fs::read(path.join(format!("rec/s.{end}"))).unwrap(), &nals);
    }
}

#[test]
fn key_frames_of_2_mib_pass_through_fragmented_mp4() {
    let sent = noise();
    let nals = large_nals(&sent);
    let server = start(
        "hls on; hls_type fmp4; hls_path {dir}/hls; hls_fragment 1s;
         hls2 on; hls2_format fmp4; hls2_fragment 1s; hls2_minfrags 2;
         dash on; dash_path {dir}/dash; dash_fragment 1s;
         recorder mp4 { record all; record_path {dir}/rec; record_format mp4; }",
    );
    let client = publish(&server, "s", &sent);
    check(&server, "HLS from memory", "mp4", &from_memory(&server), &nals[..2]);
    client.leave();
    let path = server.prefix().path();
    let fragments = |directory: &str, end: &str| {
        let all = files(&path.join(directory), end).into_iter();
        let (init, media): (Vec<PathBuf>, Vec<PathBuf>) = all.partition(|path| is_init(path));
        whole(&[init, media].concat())
    };
    until_listed(&server, "hls/s.m3u8", "#EXTINF", KEYS);
    check(&server, "HLS files", "mp4", &fragments("hls", ".m4s"), &nals);
    // Segments of video and of audio.
    until_listed(&server, "dash/s.mpd", "<S t=", 2 * KEYS);
    check(&server, "DASH", "mp4", &fragments("dash", ".m4v"), &nals);
    server.wait_log("record: recorded 's'");
    check(&server, "a recording", "mp4", &fs::read(path.join("rec/s.mp4")).unwrap(), &nals);
}

fn is_init(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().contains("init")
}
