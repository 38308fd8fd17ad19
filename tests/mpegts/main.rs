//! The transport streams we write, judged by ffmpeg and ffprobe (which must be installed) and by a strict
//! reader of packets.

mod ffmpeg;
mod hls;
mod input;

use std::collections::BTreeMap;

use bytes::BytesMut;
use pingosd::wire::MediaKind;
use pingosd::wire::amf0;
use pingosd::wire::mpegts::{MpegtsError, PACKET_SIZE, Packager, PackagerSettings, TsFrame};
use proptest::prelude::*;

use ffmpeg::{clip, clocks, decode_errors, streams, write};
use input::{Frame, flv_frames, hevc_frames};

#[test]
fn avc_with_b_frames_and_aac_is_decoded() {
    let clip = clip(
        "avc_aac.flv",
        "-f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i sine=r=44100 -t 4 -c:v libx264 -g 25 -bf 2 -c:a aac",
    );
    let frames = package(&flv_frames(&clip));
    check_packets(&concat(&frames));
    assert_eq!(frames.iter().filter(|frame| frame.key).count(), 4);
    assert_eq!(frames.iter().filter(|frame| frame.video).count(), 100);

    let ts = write("avc_aac.ts", &concat(&frames));
    assert_eq!(streams(&ts), ["aac,audio", "h264,video"]);
    assert_eq!(decode_errors(&ts), "");
    let video = clocks(&ts, "v");
    assert_eq!((video.len(), &video), (100, &clocks(&clip, "v")));
}

#[test]
fn every_key_frame_is_a_start() {
    let clip = clip(
        "starts.flv",
        "-f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i sine=r=48000 -t 3 -c:v libx264 -g 25 -bf 0 -c:a aac",
    );
    let frames = package(&flv_frames(&clip));
    for (n, frame) in frames.iter().enumerate().filter(|(_, frame)| frame.key) {
        assert!(frame.starts_with_tables);
        let ts = write(&format!("start_{n}.ts"), &concat(&frames[n..]));
        assert_eq!(streams(&ts), ["aac,audio", "h264,video"]);
        assert_eq!(decode_errors(&ts), "", "from piece {n}");
    }
}

#[test]
fn hevc_and_aac_is_decoded() {
    let raw = clip(
        "hevc.hevc",
        "-f lavfi -i testsrc2=s=320x240:r=25 -t 2 -c:v libx265 -x265-params keyint=25:bframes=0:aud=1:log-level=none",
    );
    let sound = clip("hevc.flv", "-f lavfi -i sine=r=44100 -t 2 -c:a aac");
    let mut input = hevc_frames(&std::fs::read(&raw).unwrap());
    input.extend(flv_frames(&sound));
    input.sort_by_key(|frame| frame.timestamp);

    let frames = package(&input);
    check_packets(&concat(&frames));
    assert_eq!(frames.iter().filter(|frame| frame.video).count(), 50);
    let ts = write("hevc.ts", &concat(&frames));
    assert_eq!(streams(&ts), ["aac,audio", "hevc,video"]);
    assert_eq!(decode_errors(&ts), "");
}

#[test]
fn audio_alone_carries_the_clock_and_is_decoded() {
    for (name, codec, stream) in
        [("aac_only", "aac", "aac,audio"), ("mp3_only", "libmp3lame -ar 44100", "mp3,audio")]
    {
        let flv = clip(&format!("{name}.flv"), &format!("-f lavfi -i sine=r=44100 -t 5 -c:a {codec}"));
        let frames = package(&flv_frames(&flv));
        check_packets(&concat(&frames));
        assert!(frames.iter().all(|frame| frame.key));
        let tables = frames.iter().filter(|frame| frame.starts_with_tables).count();
        assert!((5..=6).contains(&tables), "about one a second, not {tables}");

        let middle = frames.len() / 2 + 1;
        assert!(!frames[middle].starts_with_tables);
        let mut tail = frames[middle].lead().unwrap().to_vec();
        tail.extend(concat(&frames[middle..]));
        for (n, bytes) in [concat(&frames), tail].into_iter().enumerate() {
            let ts = write(&format!("{name}_{n}.ts"), &bytes);
            assert_eq!(streams(&ts), [stream]);
            assert_eq!(decode_errors(&ts), "");
        }
    }
}

#[test]
fn video_alone_is_decoded() {
    let flv = clip("video_only.flv", "-f lavfi -i testsrc2=s=320x240:r=25 -t 2 -c:v libx264 -g 25");
    let frames = package(&flv_frames(&flv));
    check_packets(&concat(&frames));
    let ts = write("video_only.ts", &concat(&frames));
    assert_eq!(streams(&ts), ["h264,video"]);
    assert_eq!(decode_errors(&ts), "");
}

#[test]
fn clock_goes_on_where_32_bits_wrap() {
    let clip = clip("wrap.flv", "-f lavfi -i testsrc2=s=160x120:r=25 -t 2 -c:v libx264 -g 25 -bf 0");
    let mut input = flv_frames(&clip);
    for frame in &mut input {
        frame.timestamp = frame.timestamp.wrapping_add(u32::MAX - 1_000);
    }
    let frames = package(&input);
    check_packets(&concat(&frames));
    assert!(frames.windows(2).all(|pair| pair[1].dts_ms - pair[0].dts_ms == 40));
    let ts = write("wrap.ts", &concat(&frames));
    assert_eq!(decode_errors(&ts), "");
}

#[test]
fn audio_takes_over_when_the_camera_is_switched_off() {
    let clip = clip(
        "camera_off.flv",
        "-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i sine=r=44100 -t 9 -c:v libx264 -g 25 -bf 0 -c:a aac",
    );
    let mut input = flv_frames(&clip);
    input.retain(|frame| frame.kind != MediaKind::Video || frame.timestamp < 1_000);
    let frames = package(&input);
    let keys: Vec<_> = frames.iter().filter(|frame| frame.key && frame.dts_ms > 1_000).collect();
    assert!(keys.len() > 20 && keys[0].dts_ms >= 5_960, "{} at {}", keys.len(), keys[0].dts_ms);
    assert!(keys[0].starts_with_tables, "the map names the new clock");
    check_packets(&concat(&frames));
}

#[test]
fn audio_is_collected_by_its_own_clock() {
    let clip = clip(
        "apart.flv",
        "-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i sine=r=44100 -t 4 -c:v libx264 -g 25 -bf 0 -c:a aac",
    );
    let sounds = |apart: u32| {
        let mut input = flv_frames(&clip);
        input.iter_mut().filter(|f| f.kind == MediaKind::Video).for_each(|f| f.timestamp += apart);
        package(&input).iter().filter(|frame| !frame.video).count()
    };
    let in_step = sounds(0);
    for apart in [1_000, 3_000, 16_860] {
        assert_eq!(sounds(apart), in_step, "pieces of audio with video {apart} ms ahead");
    }
}

#[test]
fn next_publisher_is_a_program_change() {
    let video = clip("change_v.flv", "-f lavfi -i testsrc2=s=160x120:r=25 -t 1 -c:v libx264 -g 25 -bf 0");
    let audio = clip("change_a.flv", "-f lavfi -i sine=r=44100 -t 1 -c:a aac");
    let mut packager = Packager::new(PackagerSettings::default());
    let mut frames = Vec::new();
    for input in [flv_frames(&video), flv_frames(&audio)] {
        feed(&mut packager, &input, &mut frames);
        packager.finish(&mut frames);
    }
    let changes: Vec<_> = frames.iter().filter(|frame| frame.program_change).collect();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].key && changes[0].starts_with_tables && !changes[0].video);
    check_packets(&concat(&frames));
}

/// `onTextData` with this text.
fn text_data(text: &str) -> Vec<u8> {
    let mut payload = BytesMut::new();
    amf0::encode_all(&["onTextData".into(), text.to_owned().into()], &mut payload);
    payload.to_vec()
}

/// Presentation times and contents of the packets with metadata.
fn metadata(ts: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for packet in ts.chunks(PACKET_SIZE).filter(|packet| packet[1] & 0x1f == 1 && packet[2] == 2) {
        let adaptation = if packet[3] & 0x20 == 0 { 0 } else { 1 + usize::from(packet[4]) };
        if packet[1] & 0x40 != 0 {
            found.push(Vec::new());
        }
        found.last_mut().unwrap().extend_from_slice(&packet[4 + adaptation..]);
    }
    let parse = |pes: Vec<u8>| {
        assert_eq!(pes[..4], [0, 0, 1, 0xbd], "private_stream_1");
        assert_eq!(usize::from(u16::from_be_bytes([pes[4], pes[5]])), pes.len() - 6, "length");
        assert_eq!(pes[6..9], [0x84, 0x80, 5], "aligned, with a presentation time");
        let bits = |at: usize| u64::from(pes[at]);
        let pts =
            (bits(9) >> 1 & 7) << 30 | bits(10) << 22 | (bits(11) >> 1) << 15 | bits(12) << 7 | bits(13) >> 1;
        (pts, pes[14..].to_vec())
    };
    found.into_iter().map(parse).collect()
}

#[test]
fn data_messages_are_timed_id3_from_tables_that_name_it() {
    let clip = clip(
        "id3.flv",
        "-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i sine=r=44100 -t 3 -c:v libx264 -g 25 -bf 0 -c:a aac",
    );
    let mut input = flv_frames(&clip);
    // The last one has several packets.
    let texts = ["a", "\u{e4} \"b\"", &"c".repeat(1_000)];
    for (n, text) in texts.iter().enumerate() {
        let at = 500 + n as u32 * 700;
        let place = input.iter().position(|frame| frame.timestamp > at).unwrap();
        input.insert(place, Frame { kind: MediaKind::Data, timestamp: at, payload: text_data(text) });
    }
    let frames = package(&input);
    let whole = concat(&frames);
    check_packets(&whole);
    let tag = |text: &str| {
        let text = serde_json::to_string(text).unwrap();
        let frame = [&b"\x03onTextData\0"[..], text.as_bytes()].concat();
        let length = |n: usize| [0, 0, (n >> 7) as u8, n as u8 & 0x7f];
        [
            &b"ID3\x04\0\0"[..],
            &length(frame.len() + 10)[..],
            b"TXXX",
            &length(frame.len())[..],
            b"\0\0",
            &frame,
        ]
        .concat()
    };
    let wanted: Vec<_> =
        texts.iter().enumerate().map(|(n, text)| ((500 + n as u64 * 700 + 700) * 90, tag(text))).collect();
    assert_eq!(metadata(&whole), wanted);
    let told: usize = frames.iter().map(|frame| frame.messages.len()).sum();
    assert_eq!(told, 3);

    // The tables name it from the piece with the first message on, and before that none does.
    let maps: Vec<_> = whole
        .chunks(PACKET_SIZE)
        .enumerate()
        .filter(|(_, packet)| packet[1..3] == [0x50, 1])
        .map(|(n, packet)| (n, packet.windows(5).any(|entry| entry == [0x15, 0xe1, 2, 0xf0, 15])))
        .collect();
    let first = whole.chunks(PACKET_SIZE).position(|packet| packet[1] & 0x1f == 1 && packet[2] == 2).unwrap();
    let begin = maps.iter().rposition(|(n, _)| *n < first).unwrap();
    assert!(
        begin > 0 && maps.iter().enumerate().all(|(n, (_, named))| *named == (n >= begin)),
        "{maps:?}, {first}"
    );
    let ts = write("id3.ts", &whole);
    assert_eq!(streams(&ts), ["aac,audio", "h264,video", "timed_id3,data"]);
    assert_eq!(decode_errors(&ts), "");
    // So is a segment that begins later.
    let later = frames.iter().rposition(|frame| frame.key).unwrap();
    assert_eq!(streams(&write("id3_later.ts", &concat(&frames[later..]))).len(), 3);
}

#[test]
fn data_messages_at_the_bounds_are_left_out_and_said() {
    let clip = clip("id3_bound.flv", "-f lavfi -i testsrc2=s=160x120:r=25 -t 1 -c:v libx264 -g 25 -bf 0");
    let mut packager = Packager::new(PackagerSettings::default());
    let mut frames = Vec::new();
    let input = flv_frames(&clip);
    feed(&mut packager, &input[..input.len() / 2], &mut frames);
    let mut send = |text: &str| packager.handle_frame(MediaKind::Data, 0, &text_data(text), &mut Vec::new());
    assert_eq!(send(&"x".repeat(65_600)), Err(MpegtsError::TooLarge));
    // Escaped, it is too long for a packet.
    assert_eq!(send(&"\"".repeat(33_000)), Err(MpegtsError::TooLarge));
    // All between two pieces.
    assert_eq!(send(&"x".repeat(40_000)), Ok(()));
    assert_eq!(send(&"x".repeat(40_000)), Err(MpegtsError::TooLarge));
    assert_eq!(send("fits"), Ok(()));
    // No data messages for players: metadata of the stream, and what cannot be read.
    for other in [&b""[..], b"\x02\0\x0aonMetaData\x05", b"\x02\0\x0aonTextData", b"\xff\xff"] {
        assert_eq!(packager.handle_frame(MediaKind::Data, 0, other, &mut Vec::new()), Ok(()));
    }
    feed(&mut packager, &input[input.len() / 2..], &mut frames);
    packager.finish(&mut frames);
    let whole = concat(&frames);
    check_packets(&whole);
    assert_eq!(metadata(&whole).len(), 2);
}

proptest! {
    #[test]
    fn hostile_messages_leave_whole_packets(
        messages in proptest::collection::vec((0..3u8, any::<u32>(), message()), 0..60)
    ) {
        let mut packager = Packager::new(PackagerSettings::default());
        let mut frames = Vec::new();
        for (kind, timestamp, payload) in messages {
            let kind = [MediaKind::Audio, MediaKind::Video, MediaKind::Data][usize::from(kind)];
            let before = frames.len();
            let _ = packager.handle_frame(kind, timestamp, &payload, &mut frames);
            prop_assert!(frames.len() - before <= 3);
        }
        packager.finish(&mut frames);
        check_packets(&concat(&frames));
    }
}

/// Messages that get past the first checks often enough to reach the later ones.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let heads = prop_oneof![
        Just(vec![0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1e, 0xff, 0xe1, 0, 2, 0x67, 0x42, 1, 0, 1, 0x68]),
        Just(vec![0x17, 1, 0, 0, 0, 0, 0, 0, 2]),
        Just(vec![0x27, 1, 0xff, 0xff, 0, 0, 0, 0, 1]),
        Just(b"\x91hvc1\0\0\0\0\0\0\x03".to_vec()),
        Just(vec![0xaf, 0, 0x12, 0x10]),
        Just(vec![0xaf, 1]),
        Just(vec![0x2f, 0xff, 0xfb, 0x90, 0x64]),
        Just(Vec::new()),
    ];
    (heads, proptest::collection::vec(any::<u8>(), 0..400)).prop_map(|(head, tail)| [head, tail].concat())
}

fn package(input: &[Frame]) -> Vec<TsFrame> {
    let mut packager = Packager::new(PackagerSettings::default());
    let mut frames = Vec::new();
    feed(&mut packager, input, &mut frames);
    packager.finish(&mut frames);
    frames
}

fn feed(packager: &mut Packager, input: &[Frame], frames: &mut Vec<TsFrame>) {
    for frame in input {
        let taken = packager.handle_frame(frame.kind, frame.timestamp, &frame.payload, frames);
        assert_eq!(taken, Ok(()), "at {}", frame.timestamp);
    }
}

fn concat(frames: &[TsFrame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.bytes.iter().copied()).collect()
}

/// Sync bytes, known PIDs, continuity, adaptation fields that fit, and tables before anything else.
fn check_packets(ts: &[u8]) {
    assert_eq!(ts.len() % PACKET_SIZE, 0);
    let mut counters: BTreeMap<u16, u8> = BTreeMap::new();
    for packet in ts.chunks(PACKET_SIZE) {
        assert_eq!(packet[0], 0x47);
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        assert!([0, 256, 257, 258, 4097].contains(&pid));
        assert!(pid == 0 || counters.contains_key(&0), "PAT first");
        assert_eq!(packet[3] & 0x10, 0x10, "every packet has payload");
        if let Some(last) = counters.insert(pid, packet[3] & 0x0f) {
            assert_eq!(packet[3] & 0x0f, (last + 1) & 0x0f, "continuity of {pid}");
        }
        let adaptation = if packet[3] & 0x20 == 0 { 0 } else { 1 + usize::from(packet[4]) };
        assert!(adaptation < PACKET_SIZE - 4);
        if packet[1] & 0x40 != 0 && pid >= 256 && pid != 4097 {
            assert_eq!(packet[4 + adaptation..][..3], [0, 0, 1], "PES start");
        }
    }
}
