use super::*;
use crate::media::segments::Slicing;
use crate::wire::MediaKind;

#[test]
fn fragments_end_at_the_wanted_length() {
    let mut window = FragmentWindow::new(settings());
    let completed = publish(&mut window, 0, 10_000);
    assert_eq!(completed, 9);
    let durations: Vec<_> = window.latest(100).map(|fragment| fragment.duration_ms).collect();
    assert_eq!(durations, [1_000; 8]);
}

#[test]
fn fragment_starts_with_tables_and_knows_its_length() {
    let mut window = FragmentWindow::new(settings());
    publish(&mut window, 0, 1_200);
    let fragment = window.fragment(0).unwrap();
    assert_eq!(fragment.chunks.concat(), b"tablespacketspacketspacketspacketspackets");
    assert_eq!(fragment.len, 6 + 5 * 7);
}

#[test]
fn packets_are_gathered_into_large_chunks() {
    let mut window = FragmentWindow::new(settings());
    let picture = |n: u64| {
        let bytes = vec![n as u8; 100_000].into();
        TsFrame { bytes, tables: Bytes::new(), ..piece(n * 200, true) }
    };
    for n in 0..11 {
        window.handle_frame(&picture(n), 0);
        assert_eq!(window.bytes(), 100_000 * (n as usize + 1), "what is not in a chunk yet counts");
    }
    for id in 0..2 {
        let fragment = window.fragment(id).unwrap();
        let lengths: Vec<_> = fragment.chunks.iter().map(Bytes::len).collect();
        assert_eq!((lengths, fragment.len), (vec![300_000, 200_000], 500_000));
        let pictures = (id * 5..id * 5 + 5).flat_map(|n| vec![n as u8; 100_000]);
        assert!(fragment.chunks.concat().into_iter().eq(pictures));
    }
}

#[test]
fn bytes_are_bounded_whatever_timestamps_say() {
    let mut window = FragmentWindow::new(settings());
    window.set_most_bytes(1_000);
    let frame = |n: u64, key: bool, bytes: &'static [u8]| TsFrame {
        bytes: Bytes::from_static(bytes),
        tables: Bytes::from_static(b"tables"),
        starts_with_tables: false,
        dts_ms: n,
        duration_ms: 1,
        video: true,
        key,
        program_change: false,
        messages: Vec::new(),
    };
    window.handle_frame(&frame(0, true, &[0; 60]), 0);
    for n in 1..100 {
        window.handle_frame(&frame(n, false, &[0; 60]), 0);
        assert!(window.bytes() <= 1_000, "{} bytes", window.bytes());
    }
    assert!(window.latest(9).all(|fragment| fragment.len <= 250 + 60 + 6));
    assert!(window.latest(9).count() >= 2, "a piece has six percent of the bytes");
    // A piece above the bound leaves the newest fragment playable.
    window.handle_frame(&frame(100, false, &[0; 5_000]), 0);
    window.handle_frame(&frame(101, false, &[0; 60]), 0);
    assert_eq!(window.latest(9).count(), 1);
    assert!(window.is_ready(), "there will not be two of them");
    // With fragments of normal size again, a first playlist waits for its full number.
    publish(&mut window, 1_000, 4_000);
    assert!(window.is_ready() && !window.crowded);
    window.set_most_bytes(0);
    publish(&mut window, 4_000, 6_000);
    assert_eq!(window.latest(9).count(), 1);
}

#[test]
fn late_players_find_fragments_that_left_the_playlist() {
    let mut window = FragmentWindow::new(settings());
    publish(&mut window, 0, 10_000);
    assert!(window.fragment(0).is_none());
    assert_eq!(window.fragment(1).map(|fragment| fragment.id), Some(1));
    assert_eq!(window.fragment(8).map(|fragment| fragment.id), Some(8));
    assert!(window.fragment(9).is_none(), "it is not complete");
    assert!(window.fragment(u64::MAX).is_none());
}

#[test]
fn next_publisher_follows_behind_a_discontinuity() {
    let mut window = FragmentWindow::new(settings());
    publish(&mut window, 0, 1_600);
    assert!(window.finish() && !window.finish());
    publish(&mut window, 90_000, 91_200);
    let seen: Vec<_> = window
        .latest(9)
        .map(|fragment| (fragment.id, fragment.duration_ms, fragment.discontinuity))
        .collect();
    assert_eq!(seen, [(0, 1_000, false), (1, 600, false), (2, 1_000, true)]);
}

#[test]
fn every_announced_part_comes() {
    // Pictures that fill parts and fragments exactly, and others.
    for (picture_ms, gop) in [(40, 25), (40, 24), (50, 20), (33, 30), (100, 10), (200, 5), (20, 7)] {
        for (sound, slicing) in [
            (false, Slicing::Plain),
            (true, Slicing::Plain),
            (false, Slicing::Aligned),
            (true, Slicing::Aligned),
        ] {
            let what = format!("{picture_ms} ms, {gop} pictures, sound {sound}, {slicing:?}");
            let mut settings = FragmentSettings { part_ms: Some(200), ..settings() };
            settings.cut.slicing = slicing;
            let mut window = FragmentWindow::new(settings);
            let mut announced = Vec::new();
            for sample in samples(picture_ms, gop, sound) {
                window.handle_sample(sample, 0);
                let parts = window.open().map(|open| (open.id, FragmentPiece::Part(open.parts.len() as u64)));
                announced.extend(parts);
            }
            announced.dedup();
            assert!(announced.len() > 10, "{what}");
            let (last, before) = announced.split_last().unwrap();
            assert_eq!(window.piece(last.0, last.1), LookedUp::Awaited, "{what}");
            for (id, part) in before {
                assert!(matches!(window.piece(*id, *part), LookedUp::Found(_)), "{what}: {id} {part:?}");
            }
            assert!(window.longest_part_ms <= 200, "{what}: {} ms", window.longest_part_ms);
        }
    }
}

/// Four seconds of video, perhaps with sound, as samples of fragmented MP4.
fn samples(picture_ms: u32, gop: u32, sound: bool) -> Vec<Sample> {
    let (mut packager, mut samples) = (Packager::new(12, None), Vec::new());
    let mut send = |kind, at, payload: &[u8]| {
        packager.handle_frame(kind, at, &Bytes::copy_from_slice(payload), &mut samples).unwrap();
    };
    let header = b"\x17\0\0\0\0\x01\x42\xC0\x0D\xFF\xE1\0\x0A\x67\x42\xC0\x0D\xDA\x05\x07\xEC\x04\x40\
                   \x01\0\x04\x68\xCE\x3C\x80";
    send(MediaKind::Video, 0, header);
    if sound {
        send(MediaKind::Audio, 0, b"\xAF\0\x12\x10");
    }
    for at in 0..4_000 {
        if at % picture_ms == 0 {
            let is_key = (at / picture_ms).is_multiple_of(gop);
            let picture: &[u8] =
                if is_key { b"\x17\x01\0\0\0\0\0\0\x01\x65" } else { b"\x27\x01\0\0\0\0\0\0\x01\x41" };
            send(MediaKind::Video, at, picture);
        }
        if sound && at % 23 == 0 {
            send(MediaKind::Audio, at, b"\xAF\x01\x21\x10\x04\x60\x8C\x1C");
        }
    }
    samples
}

fn settings() -> FragmentSettings {
    let cut = CutRule { fragment_ms: 1_000, max_fragment_ms: 50_000, slicing: Slicing::Plain };
    FragmentSettings { cut, playlist_length_ms: 4_000, min_fragments: 2, part_ms: None }
}

/// A picture of 200 ms; each second has a key frame.
pub(in super::super) fn piece(dts_ms: u64, starts_with_tables: bool) -> TsFrame {
    TsFrame {
        bytes: Bytes::from_static(b"packets"),
        tables: Bytes::from_static(b"tables"),
        starts_with_tables,
        dts_ms,
        duration_ms: 200,
        video: true,
        key: dts_ms.is_multiple_of(1_000),
        program_change: false,
        messages: Vec::new(),
    }
}

fn publish(window: &mut FragmentWindow, from_ms: u64, to_ms: u64) -> usize {
    let frames = (from_ms..to_ms).step_by(200).map(|dts_ms| piece(dts_ms, false));
    frames.filter(|frame| window.handle_frame(frame, 0)).count()
}
