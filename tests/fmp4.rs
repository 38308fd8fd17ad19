//! Fragmented MP4 as another reader sees it: ffprobe counts frames and adds up durations.

mod support;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use pingosd::wire::MediaKind;
use pingosd::wire::flv::FlvReader;
use pingosd::wire::fmp4::{Packager, Run, Sample, fragment, init_segment, segment_type};
use support::tool::run;

/// A message of a publisher.
type Message = (MediaKind, u32, Bytes);

/// Makes an FLV file with ffmpeg and reads its messages.
fn encoded(dir: &Path, options: &[&str]) -> Vec<Message> {
    let file = dir.join("in.flv");
    let video = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25"];
    let audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
    let output = ["-f", "flv", file.to_str().unwrap()];
    let args: Vec<&str> =
        [&["-v", "error", "-y"], &video[..], &audio[..], &["-t", "6"], options, &output[..]].concat();
    let done = run("ffmpeg", &args);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let bytes = fs::read(file).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(1 << 24));
    let mut messages = Vec::new();
    while let Some(tag) = reader.read(&mut input).unwrap() {
        messages.push((tag.kind, tag.timestamp, tag.payload));
    }
    messages
}

fn package(messages: &[Message], origin_ms: Option<u64>) -> Vec<Sample> {
    let mut packager = Packager::new(12, origin_ms);
    let mut out = Vec::new();
    for (kind, timestamp, payload) in messages {
        // What is not media of a known codec is left out.
        let _ = packager.handle_frame(*kind, *timestamp, payload, &mut out);
    }
    packager.finish(&mut out);
    out
}

/// Writes an MP4 of both tracks with a fragment per second.
#[track_caller]
fn write(samples: &[Sample], file: &Path) {
    let of = |video: bool| samples.iter().filter(move |sample| sample.config.is_video() == video);
    for video in [false, true] {
        let gap = of(video)
            .zip(of(video).skip(1))
            .find(|(one, next)| one.dts + u64::from(one.duration) != next.dts);
        assert!(gap.is_none(), "a gap behind {}", gap.unwrap().0.dts);
    }
    let configs: Vec<_> =
        [true, false].iter().filter_map(|video| of(*video).next()).map(|s| &*s.config).collect();
    let mut bytes = init_segment(&configs).to_vec();
    bytes.extend_from_slice(&segment_type());
    let first = samples.iter().map(Sample::dts_ms).min().unwrap();
    for second in 0..=samples.iter().map(Sample::dts_ms).max().unwrap().saturating_sub(first) / 1_000 {
        let chosen = |video: bool| -> Vec<Sample> {
            of(video).filter(|sample| (sample.dts_ms() - first) / 1_000 == second).cloned().collect()
        };
        let (video, audio) = (chosen(true), chosen(false));
        let runs = [Run { track: 1, samples: &video }, Run { track: configs.len() as u32, samples: &audio }];
        bytes.extend_from_slice(&fragment(second as u32 + 1, &runs));
    }
    fs::write(file, bytes).unwrap();
}

/// What ffprobe finds in a track: codec, frames that it decodes, and seconds from the first to the end of the last.
fn probe(file: &Path, track: &str) -> (String, usize, f64) {
    let file = file.to_str().unwrap();
    let told = |entries: &str| {
        let args =
            ["-v", "error", "-select_streams", track, "-show_entries", entries, "-of", "csv=p=0", file];
        let done = run("ffprobe", &args);
        assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let codec = told("stream=codec_name").trim().trim_end_matches(',').to_owned();
    let args = ["-v", "error", "-count_frames", "-select_streams", track];
    let args = [&args[..], &["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", file]].concat();
    let done = run("ffprobe", &args);
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let frames = String::from_utf8(done.stdout).unwrap().trim().trim_end_matches(',').parse().unwrap();
    let packets = told("packet=dts_time");
    let times: Vec<f64> = packets.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect();
    assert!(times.is_sorted(), "decoding times go back");
    let [.., before, last] = times[..] else { panic!("{} frames", times.len()) };
    (codec, frames, last + (last - before) - times[0])
}

#[track_caller]
fn assert_seconds(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 0.041, "{found} s instead of {wanted}");
}

#[test]
fn every_frame_arrives_with_b_frames_and_aac() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["-c:v", "libx264", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let samples = package(&encoded(dir.path(), &options), None);
    assert!(samples.iter().any(|sample| sample.cts < 0), "composition offsets are signed");
    let first = samples.iter().find(|sample| sample.config.is_video()).unwrap();
    assert_eq!((first.cts, first.config.width, first.config.height), (0, 320, 180));
    let file = dir.path().join("out.mp4");
    write(&samples, &file);
    let (codec, frames, seconds) = probe(&file, "v");
    assert_eq!((&codec[..], frames), ("h264", 150));
    assert_seconds(seconds, 6.0);
    let (codec, frames, seconds) = probe(&file, "a");
    assert_eq!(codec, "aac");
    assert!((258..=261).contains(&frames), "{frames}");
    assert_seconds(seconds, frames as f64 * 1024.0 / 44100.0);
}

#[test]
fn one_track_alone_and_mp3() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.mp4");
    write(&package(&encoded(dir.path(), &["-map", "1:a", "-c:a", "libmp3lame"]), None), &file);
    let (codec, _, seconds) = probe(&file, "a");
    assert_eq!(codec, "mp3");
    assert_seconds(seconds, 6.0);
    write(
        &package(&encoded(dir.path(), &["-map", "0:v", "-c:v", "libx264", "-pix_fmt", "yuv420p"]), None),
        &file,
    );
    let (codec, frames, _) = probe(&file, "v");
    assert_eq!((&codec[..], frames), ("h264", 150));
}

/// Frames of AC-3 and E-AC-3 in enhanced messages, as long as ffmpeg made them.
#[test]
fn dolby_frames_tell_their_configuration() {
    let dir = tempfile::tempdir().unwrap();
    for (name, fourcc, codec) in [("ac3", b"ac-3", "ac3"), ("eac3", b"ec-3", "eac3")] {
        let raw = dir.path().join(name);
        let source = "sine=frequency=440:sample_rate=48000:duration=3";
        let args = ["-v", "error", "-y", "-f", "lavfi", "-i", source, "-ac", "2", "-b:a", "192k", "-f", name];
        let done = run("ffmpeg", &[&args[..], &[raw.to_str().unwrap()]].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // 192 kbit/s at 48 kHz are 768 bytes for 1,536 samples.
        let bytes = fs::read(&raw).unwrap();
        let messages: Vec<Message> = bytes
            .chunks_exact(768)
            .enumerate()
            .map(|(n, frame)| {
                let payload = [&[0x91][..], fourcc, frame].concat();
                (MediaKind::Audio, n as u32 * 32, payload.into())
            })
            .collect();
        let samples = package(&messages, None);
        assert_eq!((samples[0].config.timescale, samples[0].config.channels), (48_000, 2));
        let file = dir.path().join("out.mp4");
        write(&samples, &file);
        let (found, frames, seconds) = probe(&file, "a");
        assert_eq!((&found[..], frames), (codec, messages.len()));
        assert_seconds(seconds, messages.len() as f64 * 0.032);
    }
}

/// What a broken publisher makes of a timestamp.
type Change = dyn Fn(MediaKind, u32) -> u32;

/// Messages of a clip whose timestamps a broken publisher has changed.
fn damaged(messages: &[Message], change: impl Fn(MediaKind, u32) -> u32) -> Vec<Message> {
    messages.iter().map(|(kind, at, payload)| (*kind, change(*kind, *at), payload.clone())).collect()
}

#[test]
fn damaged_timestamps_make_one_time_line() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let messages = encoded(dir.path(), &options);
    let file = dir.path().join("out.mp4");
    let changes: [(&str, &Change); 5] = [
        ("as they are", &|_, at| at),
        ("jump by an hour", &|_, at| if at >= 3_000 { at + 3_600_000 } else { at }),
        ("go back", &|_, at| if at >= 3_000 { at - 3_000 } else { at }),
        ("wrap", &|_, at| at.wrapping_sub(3_000)),
        ("tracks on different clocks", &|kind, at| if kind == MediaKind::Audio { at + 900_000 } else { at }),
    ];
    for (name, change) in changes {
        let samples = package(&damaged(&messages, change), Some(1_800_000_000_000));
        write(&samples, &file);
        let (_, frames, seconds) = probe(&file, "v");
        assert_eq!(frames, 150, "{name}");
        assert!((seconds - 6.0).abs() < 0.09, "{name}: {seconds} s of video");
        let audio = probe(&file, "a").2;
        assert!((audio - 6.0).abs() < 0.09, "{name}: {audio} s of audio");
        // Both tracks stay together.
        let end = |video: bool| {
            samples
                .iter()
                .filter(|sample| sample.config.is_video() == video)
                .map(Sample::end_ms)
                .max()
                .unwrap()
        };
        assert!(end(true).abs_diff(end(false)) < 100, "{name}: {} and {}", end(true), end(false));
    }
}

#[test]
fn a_new_resolution_is_a_change_at_its_first_frame() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let small = encoded(dir.path(), &[&options[..], &["-s", "160x90"]].concat());
    let mut messages = encoded(dir.path(), &options);
    messages.extend(small.into_iter().map(|(kind, at, payload)| (kind, at + 6_000, payload)));
    let samples = package(&messages, None);
    let changed: Vec<&Sample> = samples.iter().filter(|sample| sample.changed).collect();
    let [video] = changed[..] else { panic!("{} changes", changed.len()) };
    assert!(video.key && video.config.width == 160);
}
