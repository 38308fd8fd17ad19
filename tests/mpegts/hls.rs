//! HLS as ffmpeg plays it: files, and fragments from memory.

use std::fs;
use std::path::{Path, PathBuf};

use pingosd::media::files::StreamName;
use pingosd::media::segments::{CutRule, Slicing};
use pingosd::module::hls::{FileLayout, Naming, PlaylistKind, Segmenter, SegmenterAction, SegmenterSettings};
use pingosd::module::hls2;
use pingosd::wire::mpegts::TsFrame;

use crate::ffmpeg::{clip, decode_errors, scratch, streams, write};
use crate::input::flv_frames;
use crate::package;

#[test]
fn files_are_played() {
    let video =
        "-f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i sine=r=44100 -t 6 -c:v libx264 -g 25 -c:a aac";
    let cases = [
        ("av", video, false, &["aac,audio", "h264,video"][..]),
        ("nested", video, true, &["aac,audio", "h264,video"]),
        ("audio", "-f lavfi -i sine=r=44100 -t 6 -c:a aac", false, &["aac,audio"]),
    ];
    for (name, arguments, nested, want) in cases {
        let frames = package(&flv_frames(&clip(&format!("hls_{name}.flv"), arguments)));
        let directory = Directory::new(name);
        let mut segmenter = Segmenter::new(layout(name, nested), settings());
        directory.publish(&mut segmenter, &frames);

        let playlist = directory.0.join(segmenter.layout().playlist_file());
        let text = fs::read_to_string(&playlist).unwrap();
        assert_eq!(text.matches(".ts\n").count(), 6, "{text}");
        assert!(!text.contains("DISCONTINUITY"), "{text}");
        let ended = ended(&playlist);
        assert_eq!(streams(&ended), want);
        assert_eq!(decode_errors(&ended), "");
        for id in 0..6 {
            let segment = directory.0.join(segmenter.layout().segment_file(id));
            assert_eq!(streams(&segment), want);
            assert_eq!(decode_errors(&segment), "", "segment {id} by itself");
        }
    }
}

#[test]
fn forced_segments_are_played_one_after_the_other() {
    let arguments = "-f lavfi -i testsrc2=s=160x120:r=25 -t 6 -c:v libx264 -g 1000 -bf 2";
    let frames = package(&flv_frames(&clip("hls_forced.flv", arguments)));
    let directory = Directory::new("forced");
    let mut segmenter = Segmenter::new(layout("forced", false), settings());
    directory.publish(&mut segmenter, &frames);
    let playlist = directory.0.join("forced.m3u8");
    assert_eq!(fs::read_to_string(&playlist).unwrap().matches("#EXTINF:2.000,\n").count(), 3);
    assert_eq!(decode_errors(&ended(&playlist)), "");
}

#[test]
fn next_publish_follows_behind_a_discontinuity() {
    let arguments = "-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i sine -t 3 -c:v libx264 -g 25 -c:a aac";
    let frames = package(&flv_frames(&clip("hls_again.flv", arguments)));
    let directory = Directory::new("again");
    for _ in 0..2 {
        let mut segmenter = Segmenter::new(layout("again", false), settings());
        if let Ok(found) = fs::read(directory.0.join(segmenter.layout().playlist_file())) {
            segmenter.resume(&found);
        }
        directory.publish(&mut segmenter, &frames);
    }
    let playlist = directory.0.join("again.m3u8");
    let text = fs::read_to_string(&playlist).unwrap();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert!(text.ends_with("again-5.ts\n"), "{text}");
    for line in text.lines().filter(|line| line.ends_with(".ts")) {
        assert_eq!(decode_errors(&directory.0.join(line)), "", "{line}");
    }
}

#[test]
fn fragments_from_memory_are_played_one_by_one() {
    let arguments = "-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i sine -t 5 -c:v libx264 -g 25 -c:a aac";
    let frames = package(&flv_frames(&clip("hls2.flv", arguments)));
    let settings = hls2::FragmentSettings {
        cut: settings().cut,
        playlist_length_ms: 5_000,
        min_fragments: 2,
        part_ms: None,
    };
    let mut window = hls2::FragmentWindow::new(settings);
    for frame in &frames {
        window.handle_frame(frame, 0);
    }
    assert!(window.finish());
    for id in 0..5 {
        let fragment = window.fragment(id).unwrap();
        let bytes = fragment.chunks.concat();
        assert_eq!(bytes.len(), fragment.len);
        let ts = write(&format!("hls2_{id}.ts"), &bytes);
        assert_eq!(streams(&ts), ["aac,audio", "h264,video"]);
        assert_eq!(decode_errors(&ts), "");
    }
}

/// The same playlist with an end: without one a player waits for more.
fn ended(playlist: &Path) -> PathBuf {
    let text = fs::read_to_string(playlist).unwrap();
    let path = playlist.with_extension("ended.m3u8");
    fs::write(&path, text + "#EXT-X-ENDLIST\n").unwrap();
    path
}

/// Does with files what the segmenter says.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = scratch(&format!("hls_{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn publish(&self, segmenter: &mut Segmenter, frames: &[TsFrame]) {
        let mut actions = Vec::new();
        for frame in frames {
            segmenter.handle_frame(frame, 0, &mut actions);
        }
        segmenter.finish(&mut actions);

        let mut open = Vec::new();
        for action in actions {
            match action {
                SegmenterAction::OpenSegment { .. } => open.clear(),
                SegmenterAction::Append(bytes) => open.extend_from_slice(&bytes),
                SegmenterAction::CloseSegment { file, .. } => self.write(&file, &open),
                SegmenterAction::WritePlaylist { file, text } => self.write(&file, text.as_bytes()),
                SegmenterAction::WriteMap { file, bytes } => self.write(&file, &bytes),
                SegmenterAction::AppendPlaylist { .. } => unreachable!("no event"),
                SegmenterAction::Remove { file } => fs::remove_file(self.0.join(file)).unwrap(),
                SegmenterAction::WriteKey { .. } | SegmenterAction::RemoveKey { .. } => {
                    unreachable!("keys are off")
                }
            }
        }
    }

    fn write(&self, file: &Path, bytes: &[u8]) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn layout(name: &str, nested: bool) -> FileLayout {
    let name = StreamName::new(name.as_bytes()).unwrap();
    FileLayout { name, nested, base_url: String::new(), key_url: String::new(), fmp4: false }
}

fn settings() -> SegmenterSettings {
    SegmenterSettings {
        cut: CutRule { fragment_ms: 1_000, max_fragment_ms: 2_000, slicing: Slicing::Plain },
        playlist_length_ms: 30_000,
        kind: PlaylistKind::Live,
        ends: false,
        naming: Naming::Sequential,
        naming_granularity: 0,
        keys: None,
        cleanup: true,
        variants: Vec::new(),
    }
}
