//! The replayed media: a real FLV file, looped without a seam.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::flv;
use crate::rtmp;
use crate::stamp::{self, Stamp};

/// 450 AAC frames of 1024 samples at 48 kHz and 240 pictures at 25 per second are both exactly this long, so a
/// loop of this length has no seam in either track.
pub const LOOP_MS: u32 = 9_600;

/// A key frame every 1.92 s, five in a loop.
const GOP: u32 = 48;

/// At 25 pictures per second.
pub const GOP_SECONDS: f64 = 1.92;

/// Media is joined on message stream 1, which every known server hands out first.
const STREAM_ID: u32 = 1;

pub struct Media {
    /// Metadata and sequence headers, which every player gets first.
    pub heads: Vec<MediaMessage>,
    /// The loop, in order of time.
    pub body: Vec<MediaMessage>,
    /// Payload bytes of the loop.
    pub body_size: u64,
}

pub struct MediaMessage {
    pub kind: u8,
    /// Offset in the loop.
    pub offset_ms: u32,
    pub payload: Vec<u8>,
    /// Whether the payload has room for a stamp.
    pub stamped: bool,
}

impl Media {
    pub fn read(path: &Path) -> Result<Media> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut reader = flv::Reader::default();
        reader.push(&bytes);
        let mut media = Media { heads: Vec::new(), body: Vec::new(), body_size: 0 };
        while let Some(message) = reader.poll_message()? {
            if is_head(message.kind, &message.payload) {
                let (kind, payload) = (message.kind, message.payload);
                media.heads.push(MediaMessage { kind, offset_ms: 0, payload, stamped: false });
            } else if message.timestamp < LOOP_MS && matches!(message.kind, rtmp::AUDIO | rtmp::VIDEO) {
                let stamped = stamp::is_picture(message.kind, &message.payload);
                let payload = if stamped { stamp::with_room(&message.payload) } else { message.payload };
                media.body_size += payload.len() as u64;
                media.body.push(MediaMessage {
                    kind: message.kind,
                    offset_ms: message.timestamp,
                    payload,
                    stamped,
                });
            }
        }
        if !media.body.iter().any(|message| message.stamped) {
            return Err(format!("{}: no H.264 picture", path.display()).into());
        }
        media.body.sort_by_key(|message| message.offset_ms);
        Ok(media)
    }

    pub fn loop_ms(&self) -> u32 {
        LOOP_MS
    }

    /// Payload bytes per second of real time.
    pub fn bytes_per_second(&self) -> f64 {
        self.body_size as f64 * 1000.0 / f64::from(LOOP_MS)
    }

    pub fn pictures_per_second(&self) -> f64 {
        self.body.iter().filter(|message| message.stamped).count() as f64 * 1000.0 / f64::from(LOOP_MS)
    }
}

impl MediaMessage {
    /// The message as it goes over the wire: an FLV tag, or RTMP chunks.
    pub fn framed(&self, as_flv: bool, timestamp: u32, stamp: Stamp) -> Vec<u8> {
        let (mut bytes, payload_at) = if as_flv {
            (flv::tag(self.kind, timestamp, &self.payload), flv::PAYLOAD_AT)
        } else {
            let csid = rtmp::media_csid(self.kind);
            (rtmp::chunks(csid, self.kind, STREAM_ID, timestamp, &self.payload), rtmp::PAYLOAD_AT)
        };
        self.put_stamp(&mut bytes[payload_at..], stamp);
        bytes
    }

    /// The payload alone.
    pub fn stamped(&self, stamp: Stamp) -> Vec<u8> {
        let mut bytes = self.payload.clone();
        self.put_stamp(&mut bytes, stamp);
        bytes
    }

    fn put_stamp(&self, payload: &mut [u8], stamp: Stamp) {
        if self.stamped {
            let digits = stamp.digits();
            payload[stamp::NUMBERS_AT..stamp::NUMBERS_AT + digits.len()].copy_from_slice(&digits);
        }
    }
}

fn is_head(kind: u8, payload: &[u8]) -> bool {
    match kind {
        rtmp::DATA => true,
        // AVC and AAC sequence headers.
        rtmp::VIDEO => payload.len() > 1 && payload[0] & 0x0f == 7 && payload[1] == 0,
        rtmp::AUDIO => payload.len() > 1 && payload[0] >> 4 == 10 && payload[1] == 0,
        _ => false,
    }
}

/// The file for a bit rate, made when it is missing.
pub fn file(dir: &Path, bits_per_second: u64) -> Result<PathBuf> {
    let path = dir.join(format!("testsrc-{}k.flv", bits_per_second / 1000));
    if path.exists() {
        return Ok(path);
    }
    std::fs::create_dir_all(dir)?;
    eprintln!("fanout: making {} with ffmpeg", path.display());
    let audio = if bits_per_second < 800_000 { 64_000 } else { 96_000 };
    let video = bits_per_second.saturating_sub(audio).to_string();
    let size = if bits_per_second > 2_000_000 { "1280x720" } else { "640x360" };
    let buffer = (bits_per_second / 2).to_string();
    let x264 = format!("keyint={GOP}:min-keyint={GOP}:scenecut=0:nal-hrd=cbr:force-cfr=1");
    let seconds = format!("{}", f64::from(LOOP_MS) / 1000.0 + 0.2);
    let partial = path.with_extension("partial");
    let source = format!("testsrc2=size={size}:rate=25,noise=alls=12:allf=t,format=yuv420p");
    let outcome = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", &source])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", &seconds])
        .args(["-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-x264-params", &x264])
        .args(["-b:v", &video, "-maxrate", &video, "-bufsize", &buffer])
        .args(["-c:a", "aac", "-ac", "2", "-b:a", &audio.to_string(), "-f", "flv"])
        .arg(&partial)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("ffmpeg: {error}"))?;
    if !outcome.success() {
        return Err("ffmpeg could not make the media".into());
    }
    std::fs::rename(&partial, &path)?;
    Ok(path)
}
