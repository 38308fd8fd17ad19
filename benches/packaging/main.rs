//! Cost of packaging: gigabytes of a publisher's payload per second, on one processor.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pingosd::media::segments::Fragmenter;
use pingosd::wire::MediaKind;
use pingosd::wire::fmp4::{Packager as Mp4Packager, Sample};
use pingosd::wire::mpegts::{Packager as TsPackager, PackagerSettings};

/// A message of a publisher.
type Message = (MediaKind, u32, Bytes);

const ROUNDS: usize = 9;
/// Bytes of payload in a round.
const ROUND: usize = 256 * 1024 * 1024;
/// Milliseconds from picture to picture, and of a second between key frames.
const PICTURE_MS: u32 = 40;
const PICTURES_PER_GOP: u32 = 25;
/// Bytes of pictures at 4 Mbit/s, and of an AAC frame.
const KEY_BYTES: usize = 100_000;
const INTER_BYTES: usize = 16_000;
const SOUND_BYTES: usize = 340;
/// Milliseconds of an AAC frame.
const SOUND_MS: u32 = 21;
const HEVC_CODEC_ID: u8 = 12;

fn main() {
    let messages = messages();
    println!("| container | GB/s |\n|---|---|");
    println!("| MPEG-TS | {:.2} |", median(&messages, mpegts));
    for part_ms in [40, 200, 500, 5_000] {
        println!("| fragmented MP4, {part_ms} ms | {:.2} |", median(&messages, |of| fmp4(of, part_ms)));
    }
}

/// Gigabytes per second of the median round.
fn median(messages: &[Message], package: impl Fn(&[Message])) -> f64 {
    let bytes: usize = messages.iter().map(|(_, _, payload)| payload.len()).sum();
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            package(messages);
            begin.elapsed()
        })
        .collect();
    rounds.sort_unstable();
    bytes as f64 / rounds[ROUNDS / 2].as_secs_f64() / 1e9
}

fn mpegts(messages: &[Message]) {
    let mut packager = TsPackager::new(PackagerSettings::default());
    let mut out = Vec::new();
    for (kind, at, payload) in messages {
        packager.handle_frame(*kind, *at, payload, &mut out).expect("the messages are valid");
        black_box(out.drain(..).map(|frame| frame.bytes.len()).sum::<usize>());
    }
}

fn fmp4(messages: &[Message], part_ms: u64) {
    let mut packager = Mp4Packager::new(HEVC_CODEC_ID, None);
    let mut fragmenter = Fragmenter::default();
    let mut out: Vec<Sample> = Vec::new();
    for (kind, at, payload) in messages {
        packager.handle_frame(*kind, *at, payload, &mut out).expect("the messages are valid");
        for sample in out.drain(..) {
            let end_ms = sample.end_ms();
            fragmenter.push(sample);
            if fragmenter.held_since_ms().is_some_and(|since| end_ms.saturating_sub(since) >= part_ms) {
                black_box(fragmenter.flush().map(|fragment| fragment.bytes.len()));
            }
        }
    }
}

/// Headers and frames of one round.
fn messages() -> Vec<Message> {
    let video = b"\x17\0\0\0\0\x01\x42\xC0\x0D\xFF\xE1\0\x0A\x67\x42\xC0\x0D\xDA\x05\x07\xEC\x04\x40\
                  \x01\0\x04\x68\xCE\x3C\x80";
    let mut messages = vec![
        (MediaKind::Audio, 0, Bytes::from_static(b"\xAF\0\x12\x10")),
        (MediaKind::Video, 0, Bytes::from_static(video)),
    ];
    let (key, inter) = (picture(0x17, 0x65, KEY_BYTES), picture(0x27, 0x41, INTER_BYTES));
    let mut sound = vec![0x21; SOUND_BYTES];
    sound[..2].copy_from_slice(b"\xAF\x01");
    let sound = Bytes::from(sound);
    let (mut bytes, mut sound_at) = (0, 0);
    for n in 0.. {
        let at = n * PICTURE_MS;
        let payload = if n.is_multiple_of(PICTURES_PER_GOP) { &key } else { &inter };
        bytes += payload.len();
        messages.push((MediaKind::Video, at, payload.clone()));
        while sound_at < at + PICTURE_MS {
            bytes += sound.len();
            messages.push((MediaKind::Audio, sound_at, sound.clone()));
            sound_at += SOUND_MS;
        }
        if bytes > ROUND {
            break;
        }
    }
    messages
}

/// A picture of one NAL unit.
fn picture(first: u8, nal: u8, length: usize) -> Bytes {
    let mut payload = vec![first, 1, 0, 0, 0];
    payload.extend_from_slice(&(length as u32).to_be_bytes());
    payload.push(nal);
    payload.resize(payload.len() + length - 1, 0x5A);
    payload.into()
}
