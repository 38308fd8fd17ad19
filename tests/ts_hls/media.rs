//! Generated media that can be packaged: frames hold whole NAL units.

#![allow(dead_code, reason = "every test uses its own part")]

use bytes::{BufMut, Bytes, BytesMut};
use pingosd::wire::MediaKind;

use crate::support::Server;
use crate::support::frame::{Frame, audio_header, video_header};
use crate::support::rtmp::RtmpClient;

/// Milliseconds from picture to picture.
const PICTURE: u32 = 40;
/// Milliseconds from key frame to key frame, which is also `hls_fragment` of the tests.
pub const GOP: u32 = 1_000;
/// Milliseconds of an AAC frame.
const SOUND: u32 = 23;

/// Publishes as fast as it is told to: timestamps need not be those of the clock.
pub struct Source {
    client: RtmpClient,
    at: u32,
    video: bool,
}

impl Source {
    /// Publishes `live/NAME`.
    #[track_caller]
    pub fn start(server: &Server, name: &str) -> Self {
        Source::with(server, name, true)
    }

    /// As [`Source::start`], with audio only.
    #[track_caller]
    pub fn audio(server: &Server, name: &str) -> Self {
        Source::with(server, name, false)
    }

    #[track_caller]
    fn with(server: &Server, name: &str, video: bool) -> Self {
        Source::over(RtmpClient::publish(server.rtmp, "live", name), video)
    }

    /// Over a client that was opened; waits until it may publish.
    #[track_caller]
    pub fn over(client: RtmpClient, video: bool) -> Self {
        Source::with_client(client.wait_started(), video)
    }

    /// Over a client that may publish already.
    #[track_caller]
    pub fn beginning(client: RtmpClient) -> Self {
        Source::with_client(client, true)
    }

    #[track_caller]
    fn with_client(client: RtmpClient, video: bool) -> Self {
        let mut source = Source { client, at: 0, video };
        source.send_frame(&audio_header());
        if video {
            source.send_frame(&video_header());
        }
        source
    }

    /// Sends what comes before `ms` on the source's timeline.
    #[track_caller]
    pub fn send_to(&mut self, ms: u32) {
        for at in self.at..ms {
            if self.video && at.is_multiple_of(PICTURE) {
                self.send_frame(&picture(at));
            }
            if at.is_multiple_of(SOUND) {
                let payload = Bytes::from_static(b"\xAF\x01\x21\x10\x04\x60\x8C\x1C");
                self.send_frame(&Frame { kind: MediaKind::Audio, timestamp: at, payload });
            }
        }
        self.at = ms;
    }

    /// Ends the stream as an encoder should.
    pub fn leave(self) {
        self.client.leave();
    }

    /// Sends a frame of the test's own.
    #[track_caller]
    pub fn send_frame(&mut self, frame: &Frame) {
        self.client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
        self.client.flush();
        assert_eq!(self.client.end(), None, "the publisher's connection has ended");
    }
}

/// A picture at this time; whole seconds are key frames.
pub fn picture(at: u32) -> Frame {
    let (first, nal) = if at.is_multiple_of(GOP) { (0x17, 0x65) } else { (0x27, 0x41) };
    let mut payload = BytesMut::new();
    payload.put_slice(&[first, 1, 0, 0, 0]);
    payload.put_u32(300);
    payload.put_u8(nal);
    payload.put_bytes(0x5A, 299);
    Frame { kind: MediaKind::Video, timestamp: at, payload: payload.freeze() }
}

/// Checks that `ts` is whole packets which begin with the tables, and returns the PIDs in order of appearance.
#[track_caller]
pub fn pids(ts: &[u8]) -> Vec<u16> {
    assert!(!ts.is_empty() && ts.len().is_multiple_of(188), "{} bytes", ts.len());
    let mut pids = Vec::new();
    for packet in ts.chunks(188) {
        assert_eq!(packet[0], 0x47);
        let pid = u16::from_be_bytes([packet[1], packet[2]]) & 0x1FFF;
        if !pids.contains(&pid) {
            pids.push(pid);
        }
    }
    assert_eq!(pids[..2], [0, 0x1001], "tables come first");
    pids
}
