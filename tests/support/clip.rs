//! Media that ffmpeg has encoded, as the messages of a publisher.

use std::fs;

use pingosd::wire::flv::FlvReader;

use super::frame::Frame;
use super::rtmp::RtmpClient;
use super::server::Server;
use super::tool::run;

/// Six seconds from ffmpeg as a publisher's messages; key frames every second.
#[track_caller]
pub fn clip(options: &[&str]) -> Vec<Frame> {
    let video = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25"];
    let audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
    let codecs =
        ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    encoded(&[&video[..], &audio[..], &["-t", "6"], &codecs, options].concat())
}

/// What ffmpeg makes of these arguments, as a publisher's messages.
#[track_caller]
pub fn encoded(args: &[&str]) -> Vec<Frame> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in.flv");
    let done =
        run("ffmpeg", &[&["-v", "error", "-y"], args, &["-f", "flv", file.to_str().unwrap()]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let bytes = fs::read(file).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(1 << 24));
    let mut frames = Vec::new();
    while let Some(tag) = reader.read(&mut input).unwrap() {
        frames.push(Frame { kind: tag.kind, timestamp: tag.timestamp, payload: tag.payload });
    }
    frames
}

/// Publishes these messages and nothing else.
#[track_caller]
pub fn publish(server: &Server, name: &str, frames: &[Frame]) -> RtmpClient {
    let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
    for frame in frames {
        client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
        client.flush();
    }
    client
}
