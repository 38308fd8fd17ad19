//! HLS files: what is done with which file, in which order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pingosd::media::files::StreamName;
use pingosd::media::segments::{CutRule, Slicing};
use pingosd::module::hls::{
    FileLayout, KeySettings, Naming, PlaylistKind, SegmentFiles, Segmenter, SegmenterAction,
    SegmenterSettings,
};
use pingosd::wire::mpegts::TsFrame;
use proptest::prelude::*;

#[test]
fn live_playlist_slides_and_old_files_go() {
    let mut stream = Stream::new(settings());
    let mut actions = stream.publish(0, 12_000);
    stream.segmenter.finish(&mut actions);

    let removed: Vec<_> =
        actions.iter().filter(|action| matches!(action, SegmenterAction::Remove { .. })).collect();
    assert_eq!(removed.len(), 12 - 4 - 4);
    assert_eq!(*removed[0], SegmenterAction::Remove { file: "s1-0.ts".into() });
    assert_eq!(
        last_playlist(&actions),
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-TARGETDURATION:1\n\
         #EXTINF:1.000,\ns1-8.ts\n#EXTINF:1.000,\ns1-9.ts\n\
         #EXTINF:1.000,\ns1-10.ts\n#EXTINF:1.000,\ns1-11.ts\n"
    );
}

#[test]
fn files_are_opened_filled_closed_and_then_listed() {
    let mut stream = Stream::new(settings());
    let actions = stream.publish(0, 1_200);
    let steps: Vec<_> = actions.iter().map(step).collect();
    let mut want = vec!["open s1-0.ts".to_owned()];
    want.extend(vec!["append".to_owned(); 5]);
    want.extend(["close s1-0.ts 1000", "playlist s1.m3u8", "open s1-1.ts", "append"].map(str::to_owned));
    assert_eq!(steps, want);
}

#[test]
fn forced_segment_starts_with_tables_too() {
    let mut stream = Stream::new(settings());
    let mut actions = Vec::new();
    for dts_ms in (0..3_000).step_by(200) {
        stream.feed(&frame(dts_ms, dts_ms == 0), &mut actions);
    }
    let opened = actions.iter().position(|action| step(action) == "open s1-1.ts").unwrap();
    assert_eq!(actions[opened + 1], SegmenterAction::Append(Bytes::from_static(b"tables")));
}

#[test]
fn next_publish_goes_on_where_the_playlist_ends() {
    let mut first = Stream::new(settings());
    let mut actions = first.publish(0, 3_000);
    first.segmenter.finish(&mut actions);
    let text = last_playlist(&actions);

    let mut second = Stream::new(settings());
    second.segmenter.resume(text.as_bytes());
    let actions = second.publish(0, 4_200);
    assert_eq!(
        last_playlist(&actions),
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-TARGETDURATION:1\n\
         #EXT-X-DISCONTINUITY\n#EXTINF:1.000,\ns1-3.ts\n#EXTINF:1.000,\ns1-4.ts\n\
         #EXTINF:1.000,\ns1-5.ts\n#EXTINF:1.000,\ns1-6.ts\n"
    );
    let actions = second.publish(4_200, 5_200);
    let text = last_playlist(&actions);
    assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"));
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n"));
}

#[test]
fn strange_playlists_do_not_stop_a_publish() {
    for (text, sequence) in [
        (&b"\xff\xfe"[..], 0),
        (b"<html></html>", 0),
        (b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:5\n#EXTINF:1,\n../../etc/passwd\n", 6),
        (b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:1,\ns1-1.ts\n", u64::MAX),
    ] {
        let mut stream = Stream::new(settings());
        stream.segmenter.resume(text);
        let actions = stream.publish(0, 1_000);
        let file = PathBuf::from(format!("s1-{sequence}.ts"));
        assert_eq!(actions[0], SegmenterAction::OpenSegment { file, encryption: None });
        stream.publish(1_000, 9_000);
    }
}

#[test]
fn event_playlist_keeps_everything() {
    let mut stream = Stream::new(SegmenterSettings { kind: PlaylistKind::Event, ..settings() });
    let actions = stream.publish(0, 20_200);
    let text = last_playlist(&actions);
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE: EVENT\n"));
    assert_eq!(text.matches(".ts\n").count(), 20);
    assert!(!actions.iter().any(|action| matches!(action, SegmenterAction::Remove { .. })));
}

#[test]
fn event_playlist_grows_by_what_is_new() {
    let keys = Some(KeySettings { fragments_per_key: 3 });
    let mut stream = Stream::new(SegmenterSettings { kind: PlaylistKind::Event, keys, ..settings() });
    let whole = |actions: &[SegmenterAction]| {
        actions.iter().filter(|action| matches!(action, SegmenterAction::WritePlaylist { .. })).count()
    };
    let mut actions = stream.publish(0, 20_200);
    assert_eq!(whole(&actions), 1, "{:?}", actions.iter().map(step).collect::<Vec<_>>());
    // A segment of two seconds changes the first lines, and so the whole.
    for dts_ms in [20_200, 22_000, 23_000, 24_000] {
        stream.feed(&frame(dts_ms, true), &mut actions);
    }
    let grown = last_playlist(&actions);
    assert_eq!(whole(&actions), 2);
    assert!(grown.contains("#EXT-X-TARGETDURATION:2\n"), "{grown}");
    // After a failure the playlist is written as a whole, with the same contents.
    stream.segmenter.rewrite();
    let actions = stream.publish(24_200, 26_200);
    assert_eq!(whole(&actions), 1);
    assert!(last_playlist(&actions).starts_with(&grown));
}

/// Files of which some cannot be written.
struct Failing {
    done: Vec<SegmenterAction>,
    fails: fn(&SegmenterAction) -> bool,
}

impl SegmentFiles for Failing {
    fn perform(&mut self, action: SegmenterAction) -> bool {
        let fails = (self.fails)(&action);
        self.done.push(action);
        !fails
    }
}

/// Actions of a publish of `ms`.
fn publish_failing(settings: SegmenterSettings, ms: u64, fails: fn(&SegmenterAction) -> bool) -> Failing {
    let mut stream = Stream::new(settings);
    let mut files = Failing { done: Vec::new(), fails };
    for dts_ms in (0..ms).step_by(200) {
        stream.segmenter.handle_frame(&frame(dts_ms, dts_ms % 1_000 == 0), dts_ms, &mut files);
    }
    files
}

#[test]
fn a_segment_that_was_not_written_is_not_listed() {
    for kind in [PlaylistKind::Live, PlaylistKind::Event] {
        let files = publish_failing(
            SegmenterSettings { kind, ..settings() },
            4_200,
            |action| matches!(action, SegmenterAction::CloseSegment { file, .. } if file.ends_with("s1-1.ts")),
        );
        let text = last_playlist(&files.done);
        assert!(
            text.ends_with(
                "#EXTINF:1.000,\ns1-0.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:1.000,\ns1-2.ts\n\
                 #EXTINF:1.000,\ns1-3.ts\n"
            ),
            "{text}"
        );
        // The numbers go on behind it after a restart too.
        let mut next = Stream::new(settings());
        next.segmenter.resume(text.as_bytes());
        assert_eq!(step(&next.publish(0, 200)[0]), "open s1-4.ts");
    }
}

#[test]
fn a_key_that_was_not_written_is_not_kept() {
    let files = publish_failing(
        SegmenterSettings { keys: Some(KeySettings { fragments_per_key: 0 }), ..settings() },
        3_200,
        |action| matches!(action, SegmenterAction::WriteKey { key_id: 0, .. }),
    );
    let keys: Vec<_> =
        files.done.iter().filter(|action| matches!(action, SegmenterAction::WriteKey { .. })).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[test]
fn segments_stay_while_the_playlist_on_disk_lists_them() {
    let removed = |files: &Failing| {
        files.done.iter().filter(|action| matches!(action, SegmenterAction::Remove { .. })).count()
    };
    let fails = |action: &SegmenterAction| matches!(action, SegmenterAction::WritePlaylist { .. });
    assert_eq!(removed(&publish_failing(settings(), 12_200, fails)), 0);
    // They do not become ever more.
    assert_ne!(removed(&publish_failing(settings(), 60_200, fails)), 0);
}

#[test]
fn keys_serve_as_many_segments_as_configured() {
    let mut stream =
        Stream::new(SegmenterSettings { keys: Some(KeySettings { fragments_per_key: 2 }), ..settings() });
    let actions = stream.publish(0, 12_200);
    let opened: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            SegmenterAction::OpenSegment { encryption, .. } => encryption.map(|encryption| encryption.key_id),
            _ => None,
        })
        .collect();
    assert_eq!(opened[..6], [0, 0, 2, 2, 4, 4]);
    assert_eq!(actions[0], SegmenterAction::WriteKey { file: "s1-0.key".into(), key_id: 0 });
    let removed: Vec<_> = actions.iter().map(step).filter(|step| step.starts_with("remove")).collect();
    assert_eq!(
        removed[..5],
        ["remove s1-0.ts", "remove s1-1.ts", "remove key s1-0.key", "remove s1-2.ts", "remove s1-3.ts"]
    );
    let text = last_playlist(&actions);
    assert_eq!(text.matches("#EXT-X-KEY:METHOD=AES-128,URI=\"s1-").count(), 2, "{text}");
}

#[test]
fn one_key_lasts_for_the_publish_and_is_never_removed() {
    let mut stream =
        Stream::new(SegmenterSettings { keys: Some(KeySettings { fragments_per_key: 0 }), ..settings() });
    let actions = stream.publish(0, 30_000);
    let keys = actions.iter().map(step).filter(|step| step.contains("key")).collect::<Vec<_>>();
    assert_eq!(keys, ["key s1-0.key"]);
}

#[test]
fn numbers_by_clock_are_rounded_and_never_repeat_in_a_playlist() {
    let by = |naming, naming_granularity| {
        let mut stream = Stream::new(SegmenterSettings { naming, naming_granularity, ..settings() });
        let actions = stream.publish(10_000, 13_000);
        let opened = actions.iter().map(step).filter(|step| step.starts_with("open"));
        opened.map(|step| step.replace("open ", "")).collect::<Vec<_>>()
    };
    assert_eq!(by(Naming::Timestamp, 0), ["s1-900000.ts", "s1-990000.ts", "s1-1080000.ts"]);
    assert_eq!(by(Naming::System, 0), ["s1-1700000010000.ts", "s1-1700000011000.ts", "s1-1700000012000.ts"]);
    assert_eq!(by(Naming::Timestamp, 400_000)[..2], ["s1-800000.ts", "s1-1200000.ts"]);
}

fn settings() -> SegmenterSettings {
    SegmenterSettings {
        cut: CutRule { fragment_ms: 1_000, max_fragment_ms: 2_000, slicing: Slicing::Plain },
        playlist_length_ms: 4_000,
        kind: PlaylistKind::Live,
        ends: false,
        naming: Naming::Sequential,
        naming_granularity: 0,
        keys: None,
        cleanup: true,
        variants: Vec::new(),
    }
}

struct Stream {
    segmenter: Segmenter,
}

impl Stream {
    fn new(settings: SegmenterSettings) -> Self {
        let layout = FileLayout {
            name: StreamName::new(b"s1").unwrap(),
            nested: false,
            base_url: String::new(),
            key_url: String::new(),
            fmp4: false,
        };
        Self { segmenter: Segmenter::new(layout, settings) }
    }

    fn feed(&mut self, frame: &TsFrame, actions: &mut Vec<SegmenterAction>) {
        self.segmenter.handle_frame(frame, 1_700_000_000_000 + frame.dts_ms, actions);
    }

    /// Five pictures a second, each second a key frame.
    fn publish(&mut self, from_ms: u64, to_ms: u64) -> Vec<SegmenterAction> {
        let mut actions = Vec::new();
        for dts_ms in (from_ms..to_ms).step_by(200) {
            self.feed(&frame(dts_ms, dts_ms % 1_000 == 0), &mut actions);
        }
        actions
    }
}

fn frame(dts_ms: u64, key: bool) -> TsFrame {
    TsFrame {
        bytes: Bytes::from_static(b"packets"),
        tables: Bytes::from_static(b"tables"),
        starts_with_tables: key,
        dts_ms,
        duration_ms: 200,
        video: true,
        key,
        program_change: false,
        messages: Vec::new(),
    }
}

fn last_playlist(actions: &[SegmenterAction]) -> String {
    let mut last = String::new();
    for action in actions {
        match action {
            SegmenterAction::WritePlaylist { text, .. } => text.clone_into(&mut last),
            SegmenterAction::AppendPlaylist { text, .. } => last.push_str(text),
            _ => {}
        }
    }
    last
}

fn step(action: &SegmenterAction) -> String {
    match action {
        SegmenterAction::WriteKey { file, .. } => format!("key {}", file.display()),
        SegmenterAction::OpenSegment { file, .. } => format!("open {}", file.display()),
        SegmenterAction::Append(_) => "append".to_owned(),
        SegmenterAction::CloseSegment { file, duration_ms } => {
            format!("close {} {duration_ms}", file.display())
        }
        SegmenterAction::WritePlaylist { file, .. } => format!("playlist {}", file.display()),
        SegmenterAction::AppendPlaylist { file, .. } => format!("more of playlist {}", file.display()),
        SegmenterAction::Remove { file } => format!("remove {}", file.display()),
        SegmenterAction::WriteMap { file, .. } => format!("map {}", file.display()),
        SegmenterAction::RemoveKey { file } => format!("remove key {}", file.display()),
    }
}

proptest! {
    #[test]
    fn whatever_comes_files_are_opened_closed_listed_and_removed_in_order(
        frames in proptest::collection::vec((any_dts(), any::<bool>(), any::<bool>(), any::<bool>()), 0..300),
        naming in prop_oneof![Just(Naming::Sequential), Just(Naming::Timestamp), Just(Naming::System)],
        granularity in 0..2_000u64,
        fragments_per_key in proptest::option::of(0..4u64),
        playlist_length_ms in 0..9_000u64,
    ) {
        let keys = fragments_per_key.map(|fragments_per_key| KeySettings { fragments_per_key });
        let settings =
            SegmenterSettings { naming, naming_granularity: granularity, keys, playlist_length_ms, ..settings() };
        let mut stream = Stream::new(settings);
        let mut actions = Vec::new();
        for (dts_ms, key, video, program_change) in frames {
            stream.feed(&TsFrame { video, program_change, ..frame(dts_ms, key) }, &mut actions);
        }
        stream.segmenter.finish(&mut actions);

        let mut open = None;
        let mut on_disk = BTreeSet::new();
        for action in actions {
            match action {
                SegmenterAction::OpenSegment { file, .. } => {
                    prop_assert!(open.is_none());
                    open = Some(file);
                }
                SegmenterAction::Append(_) => prop_assert!(open.is_some()),
                SegmenterAction::CloseSegment { file, .. } => {
                    prop_assert_eq!(open.take(), Some(file.clone()));
                    on_disk.insert(file);
                }
                SegmenterAction::WritePlaylist { text, .. } | SegmenterAction::AppendPlaylist { text, .. } => {
                    let listed: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
                    prop_assert!(listed.iter().all(|uri| on_disk.contains(Path::new(uri))), "{}", text);
                    let different: BTreeSet<_> = listed.iter().collect();
                    prop_assert_eq!(different.len(), listed.len());
                }
                SegmenterAction::Remove { file } => prop_assert!(on_disk.remove(&file)),
                SegmenterAction::WriteKey { .. } | SegmenterAction::RemoveKey { .. } => prop_assert!(keys.is_some()),
                SegmenterAction::WriteMap { .. } => prop_assert!(false, "a transport stream has none"),
            }
        }
        prop_assert!(open.is_none());
    }
}

/// Mostly timestamps near each other, so that segments live for a while, and some from anywhere.
fn any_dts() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..6_000u64, 1 => 0..1u64 << 50]
}
