//! Publishers whose video is not as FLV wants it: HLS shows it where it can be understood, and one line says what is
//! missing where it cannot.

use std::fs;

use bytes::Bytes;
use pingosd::wire::MediaKind;

use crate::media::pids;
use crate::support::frame::{Frame, audio_header, video_header};
use crate::support::rtmp::RtmpClient;
use crate::support::wait::until_true;
use crate::support::{Conf, Server};

const HLS: &str = "hls on; hls_path {dir}/hls; hls_fragment 1s; hls_playlist_length 10s;";
const PID_VIDEO: u16 = 0x100;
const PID_AUDIO: u16 = 0x101;

/// Sets of [`video_header`].
const SPS: &[u8] = b"\x67\x42\xC0\x0D\xDA\x05\x07\xEC\x04\x40";
const PPS: &[u8] = b"\x68\xCE\x3C\x80";

/// Publishes a header, if there is one, and four seconds of pictures with sound; `picture` makes the body behind the FLV
/// head, given whether it is a key frame.
fn publish(
    server: &Server,
    name: &str,
    header: Option<Vec<u8>>,
    picture: impl Fn(bool) -> Vec<u8>,
) -> RtmpClient {
    publish_with(server, name, header, picture, b"\xAF\x01\x21\x10\x04\x60\x8C\x1C")
}

fn publish_with(
    server: &Server,
    name: &str,
    header: Option<Vec<u8>>,
    picture: impl Fn(bool) -> Vec<u8>,
    sound: &[u8],
) -> RtmpClient {
    let mut frames = vec![audio_header()];
    let video =
        |timestamp, payload: Vec<u8>| Frame { kind: MediaKind::Video, timestamp, payload: payload.into() };
    frames.extend(header.map(|header| video(0, header)));
    for timestamp in (0..4_000).step_by(40) {
        frames.push(video(timestamp, picture(timestamp % 1_000 == 0)));
        let payload = Bytes::copy_from_slice(sound);
        frames.push(Frame { kind: MediaKind::Audio, timestamp, payload });
    }
    let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
    for frame in &frames {
        client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
    }
    client.flush();
    client
}

/// The PIDs of the second segment.
#[track_caller]
fn segment(server: &Server, name: &str) -> Vec<u16> {
    let dir = server.prefix().path().join("hls");
    let playlist = dir.join(format!("{name}.m3u8"));
    let complete = || fs::read_to_string(&playlist).unwrap_or_default().contains(&format!("{name}-1.ts"));
    until_true(&format!("a second segment of {name}"), complete);
    pids(&fs::read(dir.join(format!("{name}-1.ts"))).unwrap())
}

fn head(key: bool) -> &'static [u8] {
    if key { b"\x17\x01\0\0\0" } else { b"\x27\x01\0\0\0" }
}

fn slice(key: bool) -> Vec<u8> {
    [&[if key { 0x65 } else { 0x41 }][..], &[0x5A; 299]].concat()
}

fn behind_lengths(key: bool) -> Vec<u8> {
    let slice = slice(key);
    [head(key), &(slice.len() as u32).to_be_bytes(), &slice].concat()
}

/// With its parameter sets in front of a key frame, as such encoders send them.
fn behind_codes(key: bool) -> Vec<u8> {
    let code = [0, 0, 0, 1];
    let sets = if key { [&code[..], SPS, &code, PPS].concat() } else { Vec::new() };
    [head(key), &sets, &code, &slice(key)].concat()
}

#[test]
fn video_that_can_be_understood_is_in_hls() {
    let server = Server::start(&Conf::live(HLS));
    let record = video_header().payload.to_vec();
    let version_0 = || {
        let mut header = record.clone();
        header[5] = 0;
        Some(header)
    };
    let sets = [&b"\x17\0\0\0\0\0\0\0\x01"[..], SPS, &[0, 0, 0, 1], PPS].concat();
    let stray = |key| [behind_lengths(key), vec![0xDE, 0xAD]].concat();
    let clients = [
        publish(&server, "codes", Some(record.clone()), behind_codes),
        publish(&server, "sets", Some(sets), behind_codes),
        publish(&server, "inband", None, behind_codes),
        publish(&server, "zero", version_0(), behind_lengths),
        publish(&server, "stray", Some(record.clone()), stray),
    ];
    for name in ["codes", "sets", "inband", "zero", "stray"] {
        assert!(segment(&server, name).contains(&PID_VIDEO), "{name}");
    }
    assert_eq!(server.log_lines("is missing"), Vec::<String>::new());
    drop(clients);
}

/// Sound as such encoders send it that took it out of a transport stream.
#[test]
fn sound_with_headers_of_its_own_comes_out_as_without() {
    let server = Server::start(&Conf::live(HLS));
    let raw = [0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C];
    let framed = [&[0xFF, 0xF1, 0x50, 0x80, 0x01, 0xBF, 0xFC][..], &raw].concat();
    let record = video_header().payload.to_vec();
    let mut clients = Vec::new();
    for (name, data) in [("plain", &raw[..]), ("framed", &framed)] {
        let sound = [b"\xAF\x01", data].concat();
        clients.push(publish_with(&server, name, Some(record.clone()), behind_lengths, &sound));
    }
    let bytes = |name: &str| {
        assert!(segment(&server, name).contains(&PID_AUDIO));
        fs::read(server.prefix().path().join(format!("hls/{name}-1.ts"))).unwrap()
    };
    assert_eq!(bytes("plain"), bytes("framed"));
}

#[test]
fn what_is_missing_is_said_once_at_warn() {
    let server = Server::start(&Conf::live(HLS));
    let record = video_header().payload.to_vec();
    let cut = |key| {
        let mut body = behind_lengths(key);
        body.truncate(100);
        body
    };
    let _av1 = publish(&server, "av1", Some(b"\x90av01\x81".to_vec()), |key| {
        [if key { &b"\x93av01"[..] } else { b"\xA3av01" }, &slice(key)].concat()
    });
    let _cut = publish(&server, "cut", Some(record), cut);
    for name in ["av1", "cut"] {
        server.wait_log(&format!("'{name}': video is missing"));
        let lines = server.log_lines(&format!("'{name}': "));
        let warned: Vec<&String> = lines.iter().filter(|line| line.contains("is missing")).collect();
        assert!(warned.len() == 1 && warned[0].contains("[warn]"), "{lines:?}");
    }
    assert!(segment(&server, "av1").contains(&PID_AUDIO));
}

#[test]
fn hls_has_the_main_track_and_ignores_the_others() {
    let server = Server::start(&Conf::live(HLS));
    let record = &video_header().payload[5..];
    // Both tracks in each message, the second one in a codec that a transport stream cannot carry.
    let both = |first: u8, packet: u8, main: &[u8]| {
        let mut body = vec![first, 0x20 | packet];
        for (fourcc, track, part) in [(b"av01", 1, &b"\x12\x00"[..]), (b"avc1", 0, main)] {
            body.extend_from_slice(fourcc);
            body.push(track);
            body.extend_from_slice(&(part.len() as u32).to_be_bytes()[1..]);
            body.extend_from_slice(part);
        }
        body
    };
    let _client = publish(&server, "s", Some(both(0x96, 0, record)), |key| {
        both(if key { 0x96 } else { 0xA6 }, 3, &behind_lengths(key)[5..])
    });
    let pids = segment(&server, "s");
    assert!(pids.contains(&PID_VIDEO) && pids.contains(&PID_AUDIO), "{pids:?}");
    assert_eq!(server.log_lines("is missing"), Vec::<String>::new());
}
