//! A live stream whose picture says when it was sent: its number stands in the picture as blocks, black or white.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use pingosd::wire::MediaKind;
use pingosd::wire::flv::FlvReader;

use super::frame::Frame;
use super::rtmp::RtmpClient;
use super::tool::run;

/// Milliseconds after which the numbers begin again.
const LENGTH: u32 = 20_000;
const FRAME: u32 = 40;
const BITS: u32 = 9;

/// A script that defines `burntTime(video)`: milliseconds of the picture that is shown, `null` if there is none; and
/// `burntDelay(video, began)`: how many milliseconds ago it was sent. The lower row of blocks is the upper one inverted.
pub const READER: &str = "(() => {
    const context = new OffscreenCanvas(640, 40).getContext('2d', { willReadFrequently: true });
    window.burntTime = (video) => {
        if (!(video?.videoWidth > 0)) return null;
        const scale = video.videoWidth / 640;
        context.drawImage(video, 0, 0, 640 * scale, 40 * scale, 0, 0, 640, 40);
        const { data } = context.getImageData(0, 0, 640, 40);
        const isWhite = (bit, y) => data[(y * 640 + bit * 64 + 32) * 4] > 127;
        let number = 0;
        for (let bit = 0; bit < 9; bit += 1) {
            if (isWhite(bit, 10) === isWhite(bit, 30)) return null;
            if (isWhite(bit, 10)) number += 2 ** bit;
        }
        return number * 40;
    };
    window.burntDelay = (video, began) => {
        const time = burntTime(video);
        return time === null ? null : (((Date.now() - began - time) % 20000) + 20000) % 20000;
    };
})()";

/// A publisher that sends the clip in real time, over and over.
pub struct BurntFeed {
    /// Milliseconds since 1970 at which it began.
    pub began: u128,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BurntFeed {
    /// Publishes H.264 of 640 x 360 with a key frame each second, and AAC.
    #[track_caller]
    pub fn start(port: u16, app: &str, name: &str) -> BurntFeed {
        let frames = frames();
        let mut client = RtmpClient::publish(port, app, name).wait_started();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, start) = (stop.clone(), Instant::now());
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let thread = thread::spawn(move || {
            for round in 0.. {
                for frame in &frames {
                    if round > 0 && is_header(frame) {
                        continue;
                    }
                    let time = round * LENGTH + frame.timestamp;
                    let due = start + Duration::from_millis(time.into());
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    if stopped.load(Ordering::Relaxed) {
                        client.leave();
                        return;
                    }
                    client.session.send_media(frame.kind, time, &frame.payload).unwrap();
                    client.flush();
                    if client.end().is_some() {
                        return;
                    }
                }
            }
        });
        BurntFeed { began, stop, thread: Some(thread) }
    }

    /// Ends the stream.
    pub fn leave(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for BurntFeed {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether it is a sequence header or metadata.
fn is_header(frame: &Frame) -> bool {
    match frame.kind {
        MediaKind::Data => true,
        _ => frame.payload.get(1) == Some(&0),
    }
}

#[track_caller]
fn frames() -> Vec<Frame> {
    static MAKING: Mutex<()> = Mutex::new(());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("burnt.flv");
    let making = MAKING.lock();
    if !path.exists() {
        make(&path);
    }
    drop(making);
    let bytes = fs::read(path).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(1 << 24));
    let mut frames = Vec::new();
    while let Some(tag) = reader.read(&mut input).unwrap() {
        frames.push(Frame { kind: tag.kind, timestamp: tag.timestamp, payload: tag.payload });
    }
    frames.retain(|frame| frame.timestamp < LENGTH);
    frames
}

/// Test programs may run at the same time: each makes its own, the last one stays.
fn make(path: &Path) {
    let mut filter = "drawbox=w=iw:h=40:color=black:t=fill".to_owned();
    for bit in 0..BITS {
        let (x, high, low) = (bit * 64, 1 << bit, 2 << bit);
        let is_set = format!("gte(mod(n\\,{low})\\,{high})");
        let is_clear = format!("lt(mod(n\\,{low})\\,{high})");
        for (y, condition) in [(0, is_set), (20, is_clear)] {
            filter += &format!(",drawbox=x={x}:y={y}:w=64:h=20:color=white:t=fill:enable='{condition}'");
        }
    }
    let (rate, seconds) = (1000 / FRAME, (LENGTH / 1000).to_string());
    let video = format!("testsrc2=size=640x360:rate={rate}");
    let unfinished = path.with_extension(format!("{}.flv", std::process::id()));
    #[rustfmt::skip]
    let output = run("ffmpeg", &[
        "-v", "error", "-y", "-f", "lavfi", "-i", &video, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
        "-t", &seconds, "-vf", &filter, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
        "-g", "25", "-keyint_min", "25", "-sc_threshold", "0", "-crf", "28", "-c:a", "aac", "-b:a", "64k", "-f", "flv", unfinished.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&unfinished, path).unwrap();
}
