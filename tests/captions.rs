//! Captions (CEA-608 and CEA-708) in the SEI messages of H.264 arrive unchanged in each output.

mod support;

#[path = "ts_hls/media.rs"]
mod media;

use std::fs;
use std::path::Path;

use bytes::{BufMut, BytesMut};
use media::{GOP, Source, picture};
use support::frame::Frame;
use support::server::Prefix;
use support::wait::until_true;
use support::{Conf, Server};

/// Milliseconds from picture to picture.
const STEP: u32 = 40;
const END_MS: u32 = 3 * GOP;
const TS_PID_VIDEO: u16 = 256;

/// SEI message of a picture: user data of ATSC A/53 with a pair of CEA-608 and one of CEA-708, which tell its number.
fn captions(number: u8) -> Vec<u8> {
    let pairs = [0xFC, 0x80 | number >> 4, 0x20 | number & 0x0F, 0xFF, 0x43, 0x20 + number];
    let user_data = [&b"\xB5\x00\x31GA94\x03\xC2\xFF"[..], &pairs, b"\xFF"].concat();
    [&[0x06, 0x04, user_data.len() as u8], &user_data[..], &[0x80]].concat()
}

/// The picture with its captions before the slice.
fn captioned(at: u32) -> Frame {
    let frame = picture(at);
    let sei = captions((at / STEP) as u8);
    let mut payload = BytesMut::new();
    payload.put_slice(&frame.payload[..5]);
    payload.put_u32(sei.len() as u32);
    payload.put_slice(&sei);
    payload.put_slice(&frame.payload[5..]);
    Frame { payload: payload.freeze(), ..frame }
}

/// Bytes of all files in the directory whose names end so, in the order of their numbers.
fn read(directory: &Path, end: &str) -> Vec<u8> {
    let all = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = all
        .filter(|path| path.file_name().unwrap().to_str().is_some_and(|name| name.ends_with(end)))
        .collect();
    files.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    files.iter().flat_map(|path| fs::read(path).unwrap_or_default()).collect()
}

/// Payloads of the video in a transport stream.
fn video_of(ts: &[u8]) -> Vec<u8> {
    let mut video = Vec::new();
    for packet in ts.chunks_exact(188) {
        if u16::from_be_bytes([packet[1] & 0x1F, packet[2]]) == TS_PID_VIDEO {
            let adaptation = if packet[3] & 0x20 == 0 { 0 } else { 1 + usize::from(packet[4]) };
            video.extend_from_slice(&packet[4 + adaptation..]);
        }
    }
    video
}

/// Whether the captions of all pictures are there, once each, in order.
fn has_all(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let numbers = 0..(END_MS / STEP) as u8;
    numbers.into_iter().all(|number| {
        let sei = captions(number);
        let Some(at) = rest.windows(sei.len()).position(|window| window == sei) else { return false };
        rest = &rest[at + sei.len()..];
        !rest.windows(sei.len()).any(|window| window == sei)
    })
}

#[test]
fn captions_arrive_in_segments_and_recordings() {
    const RECORDERS: &str = "
        recorder flv { record all; record_path {dir}/rec; }
        recorder ts { record all; record_path {dir}/rec; record_format ts; }
        recorder mp4 { record all; record_path {dir}/rec; record_format mp4; }";
    const DASH: &str =
        "dash on; dash_path {dir}/dash; dash_fragment 1s; dash_playlist_length 60s; dash_cleanup off;";
    for kind in ["event", "event fmp4"] {
        let prefix = Prefix::new();
        fs::create_dir_all(prefix.path().join("rec")).unwrap();
        let hls = format!("hls on; hls_path {{dir}}/hls; hls_fragment 1s; hls_type {kind};");
        let server = Server::start_in(prefix, &Conf::live(&format!("{hls} {DASH} {RECORDERS}")));
        let mut source = Source::start(&server, "s");
        (0..END_MS).step_by(STEP as usize).for_each(|at| source.send_frame(&captioned(at)));
        source.leave();
        let path = |name: &str| server.prefix().path().join(name);
        until_true(&format!("captions in the segments of hls_type {kind}"), || match kind {
            "event" => has_all(&video_of(&read(&path("hls"), ".ts"))),
            _ => has_all(&read(&path("hls"), ".m4s")),
        });
        until_true("captions in DASH", || has_all(&read(&path("dash"), ".m4v")));
        until_true("captions in the FLV recording", || has_all(&read(&path("rec"), ".flv")));
        until_true("captions in the MP4 recording", || has_all(&read(&path("rec"), ".mp4")));
        until_true("captions in the TS recording", || has_all(&video_of(&read(&path("rec"), ".ts"))));
    }
}
