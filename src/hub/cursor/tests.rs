use super::*;
use crate::hub::gop::CacheSettings;
use crate::hub::registry::StreamKey;
use crate::hub::stream::{Incoming, PublishSettings, Stream};
use crate::wire::flv;
use crate::wire::rtmp::chunk;

fn settings(container: Container) -> PlayerSettings {
    PlayerSettings {
        container,
        stream_id: 1,
        publishes: false,
        start: StartSettings { cache_time: 0, send_all: false, low_latency: false },
        wait_key: true,
        wait_video: false,
        zero_start: false,
        sync: 300,
        out_queue: 16,
        latency: 0,
        merge_frame: 32,
        cork: 0,
        repeat_extended: true,
    }
}

fn incoming(kind: MediaKind, class: PacketClass, timestamp: u32) -> Incoming {
    Incoming { kind, class, timestamp, further_track: None, payload: Bytes::from(vec![timestamp as u8; 40]) }
}

struct Rig {
    stream: Stream,
    backlog: Backlog,
}

struct NoWake;
impl crate::hub::stream::StreamWaker for NoWake {
    fn wake(&self, _: u64) {}
}

impl Rig {
    fn new() -> Self {
        let stream = Stream::new(1, StreamKey::new("d", "a", "n"), 128);
        let cache = CacheSettings { cache_time: 0, out_queue: 2048 };
        stream.start_publish(1, PublishSettings { cache, fix_timestamp: 0, relay: false }).unwrap();
        stream.attach(0, Arc::new(NoWake));
        Rig { stream, backlog: Backlog::default() }
    }

    fn push(&mut self, batch: impl IntoIterator<Item = Incoming>) {
        self.stream.push(1, batch);
        let mut out = Vec::new();
        let start = self.stream.fetch(0, &mut out);
        self.backlog.append(start, out);
    }

    fn join(&self, settings: PlayerSettings) -> Cursor {
        let joined = self.stream.join(settings.start, self.backlog.end());
        Cursor::join(settings, &joined, Bytes::new())
    }
}

/// Writes everything that is due and returns it.
fn drain(cursor: &mut Cursor, backlog: &Backlog, step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sink = |slices: &[IoSlice<'_>]| {
        let all: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
        let n = all.len().min(step);
        out.extend_from_slice(&all[..n]);
        Ok(n)
    };
    loop {
        let (progress, _) = cursor.write(backlog, u64::MAX, &mut sink).unwrap();
        if progress == Progress::CaughtUp {
            return out;
        }
    }
}

fn rtmp_messages(bytes: &[u8]) -> Vec<(u8, u32)> {
    let limits = chunk::Limits {
        max_message: 1 << 20,
        max_chunk_streams: 64,
        max_partial: 1 << 22,
        publish_time_fix: true,
    };
    let mut reader = chunk::ChunkReader::new(limits);
    let mut input = bytes;
    let mut out = Vec::new();
    while let Some(m) = reader.read(&mut input).unwrap() {
        out.push((m.type_id, m.timestamp));
    }
    out
}

#[test]
fn a_new_player_gets_audio_at_once_and_video_from_the_next_key_frame() {
    let mut rig = Rig::new();
    let mut cursor = rig.join(settings(Container::Rtmp));
    rig.push([
        incoming(MediaKind::Video, PacketClass::Inter, 1000),
        incoming(MediaKind::Audio, PacketClass::Audio, 1001),
        incoming(MediaKind::Video, PacketClass::Key, 1040),
        incoming(MediaKind::Video, PacketClass::Inter, 1080),
    ]);
    let sent = rtmp_messages(&drain(&mut cursor, &rig.backlog, 7));
    assert_eq!(sent, [(8, 1001), (9, 1040), (9, 1080)]);
    assert!(cursor.is_steady(rig.backlog.end(), 0b11));
}

#[test]
fn wait_video_holds_audio_where_there_is_video() {
    let mut rig = Rig::new();
    rig.push([incoming(MediaKind::Video, PacketClass::VideoHeader, 0)]);
    let mut cursor = rig.join(PlayerSettings { wait_video: true, ..settings(Container::Rtmp) });
    rig.push([
        incoming(MediaKind::Audio, PacketClass::Audio, 10),
        incoming(MediaKind::Video, PacketClass::Key, 40),
        incoming(MediaKind::Audio, PacketClass::Audio, 50),
    ]);
    let sent = rtmp_messages(&drain(&mut cursor, &rig.backlog, 1000));
    assert_eq!(sent, [(9, 40), (9, 40), (8, 50)]); // the header goes out with the frame
}

#[test]
fn zero_start_counts_from_the_first_frame_sent() {
    for container in [Container::Rtmp, Container::Flv] {
        let mut rig = Rig::new();
        let mut cursor = rig.join(PlayerSettings { zero_start: true, ..settings(container) });
        rig.push([
            incoming(MediaKind::Video, PacketClass::Key, 90_000),
            incoming(MediaKind::Audio, PacketClass::Audio, 90_010),
            incoming(MediaKind::Video, PacketClass::Inter, 90_040),
        ]);
        let bytes = drain(&mut cursor, &rig.backlog, 11);
        let sent = match container {
            Container::Rtmp => rtmp_messages(&bytes),
            _ => flv_tags(&bytes),
        };
        assert_eq!(sent, [(9, 0), (8, 10), (9, 40)]);
    }
}

#[test]
fn zero_start_keeps_tracks_as_far_apart_as_sent() {
    let frames = |video: u32, audio: u32| {
        (0..4).flat_map(move |n| {
            let video = if n == 0 { (PacketClass::Key, video) } else { (PacketClass::Inter, video + n * 40) };
            [
                incoming(MediaKind::Video, video.0, video.1),
                incoming(MediaKind::Audio, PacketClass::Audio, audio + n * 40),
            ]
        })
    };
    for container in [Container::Rtmp, Container::Flv] {
        let sent = |rig: &Rig, cursor: &mut Cursor| {
            let bytes = drain(cursor, &rig.backlog, 13);
            if container == Container::Rtmp { rtmp_messages(&bytes) } else { flv_tags(&bytes) }
        };
        let zero = PlayerSettings { zero_start: true, ..settings(container) };
        let mut rig = Rig::new();
        let mut cursor = rig.join(zero);
        rig.push(frames(6_000, 3_000));
        let want = (0..4).flat_map(|n| [(9, 3_000 + n * 40), (8, n * 40)]);
        assert_eq!(sent(&rig, &mut cursor), want.collect::<Vec<_>>());

        // The player has had a frame before the other track shows.
        let mut rig = Rig::new();
        let mut cursor = rig.join(zero);
        let mut got = Vec::new();
        for frame in frames(6_000, 3_000) {
            rig.push([frame]);
            got.push(drain(&mut cursor, &rig.backlog, 13));
        }
        let got = got.concat();
        let got = if container == Container::Rtmp { rtmp_messages(&got) } else { flv_tags(&got) };
        let want = (0..4).flat_map(|n| [(9, if n == 0 { 0 } else { 3_000 + n * 40 }), (8, n * 40)]);
        assert_eq!(got, want.collect::<Vec<_>>());
    }
}

fn flv_tags(bytes: &[u8]) -> Vec<(u8, u32)> {
    let mut whole = bytes::BytesMut::new();
    flv::write_header(&mut whole, true, true);
    whole.extend_from_slice(bytes);
    let mut reader = flv::FlvReader::new(1 << 20);
    let mut out = Vec::new();
    let mut input = &whole[..];
    while let Some(tag) = reader.read(&mut input).unwrap() {
        out.push((tag.kind.type_id(), tag.timestamp));
    }
    out
}

#[test]
fn a_further_track_keeps_its_own_timestamps() {
    for container in [Container::Rtmp, Container::Flv] {
        let mut rig = Rig::new();
        let mut cursor = rig.join(settings(container));
        let mut sent = Vec::new();
        for n in 0..4 {
            let further_track = Incoming {
                further_track: Some(1),
                ..incoming(MediaKind::Audio, PacketClass::Audio, 3_000 + n * 20)
            };
            rig.push([incoming(MediaKind::Audio, PacketClass::Audio, 6_000 + n * 20), further_track]);
            let bytes = drain(&mut cursor, &rig.backlog, 13);
            sent.push(bytes);
        }
        let sent = match container {
            Container::Rtmp => rtmp_messages(&sent.concat()),
            _ => flv_tags(&sent.concat()),
        };
        let want = (0..4).flat_map(|n| [(8, 6_000 + n * 20), (8, 3_000 + n * 20)]);
        assert_eq!(sent, want.collect::<Vec<_>>());
    }
}

#[test]
fn slow_player_skips_to_key_frame_after_finishing_its_message() {
    let mut rig = Rig::new();
    let mut cursor = rig.join(settings(Container::Rtmp));
    rig.push([incoming(MediaKind::Video, PacketClass::Key, 0)]);
    let mut first = Vec::new();
    let (progress, _) = cursor
        .write(&rig.backlog, u64::MAX, &mut |slices| {
            if !first.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            first.extend_from_slice(&slices[0][..5]);
            Ok(5)
        })
        .unwrap();
    assert_eq!(progress, Progress::Blocked);
    for i in 1..30u32 {
        let class = if i == 20 { PacketClass::Key } else { PacketClass::Inter };
        rig.push([incoming(MediaKind::Video, class, i * 40)]);
    }
    let skipped = cursor.skip_if_behind(&rig.backlog, &rig.stream).unwrap();
    assert_eq!((skipped.packets, skipped.why), (19, SkipReason::Queue));
    let mut all = first;
    all.extend(drain(&mut cursor, &rig.backlog, 9));
    let sent = rtmp_messages(&all);
    assert_eq!(sent[..3], [(9, 0), (9, 800), (9, 840)]);
    assert_eq!(sent.len(), 1 + 10);
}

#[test]
fn a_player_holds_few_large_packets_and_is_moved_on_when_they_are_forgotten() {
    let mut rig = Rig::new();
    let mut cursor = rig.join(settings(Container::Rtmp));
    let large = |class, timestamp| Incoming {
        payload: vec![0; limits::PLAYER_PENDING_BYTES].into(),
        ..incoming(MediaKind::Video, class, timestamp)
    };
    rig.push((0..8).map(|i| large(if i == 6 { PacketClass::Key } else { PacketClass::Inter }, i * 40)));
    cursor.need_key = false;
    let mut full = |_: &[IoSlice<'_>]| Err(io::ErrorKind::WouldBlock.into());
    cursor.write(&rig.backlog, u64::MAX, &mut full).unwrap();
    assert_eq!(cursor.next(), 1);
    rig.backlog.trim(3 * limits::PLAYER_PENDING_BYTES);
    let skipped = cursor.skip_if_behind(&rig.backlog, &rig.stream).unwrap();
    assert_eq!((skipped.packets, skipped.why), (5, SkipReason::Bytes));
}

#[test]
fn a_player_that_is_later_than_its_latency_time_moves_to_the_newest_key_frame() {
    let late = |latency| {
        let mut rig = Rig::new();
        let mut cursor = rig.join(PlayerSettings { latency, ..settings(Container::Flv) });
        for i in 0..11u32 {
            let class = if i % 5 == 0 { PacketClass::Key } else { PacketClass::Inter };
            rig.push([incoming(MediaKind::Video, class, i * 40)]);
        }
        cursor.skip_if_behind(&rig.backlog, &rig.stream).map(|skipped| (skipped.packets, skipped.why))
    };
    assert_eq!(late(0), None);
    assert_eq!(late(400), None);
    assert_eq!(late(399), Some((10, SkipReason::Latency)));
}

#[test]
fn slow_player_without_key_frame_waits_for_the_next() {
    let mut rig = Rig::new();
    let mut cursor = rig.join(settings(Container::Flv));
    for i in 0..40u32 {
        rig.push([incoming(MediaKind::Video, PacketClass::Inter, i * 40)]);
    }
    assert_eq!(cursor.skip_if_behind(&rig.backlog, &rig.stream).map(|s| s.packets), Some(40));
    assert_eq!(cursor.skip_if_behind(&rig.backlog, &rig.stream), None);
    rig.push([
        incoming(MediaKind::Video, PacketClass::Inter, 1600),
        incoming(MediaKind::Video, PacketClass::Key, 1640),
    ]);
    assert_eq!(flv_tags(&drain(&mut cursor, &rig.backlog, 1000)), [(9, 1640)]);
}

#[test]
fn steady_players_keep_the_unsent_rest_only() {
    let mut rig = Rig::new();
    let mut cursor = rig.join(settings(Container::Rtmp));
    rig.push([
        incoming(MediaKind::Video, PacketClass::Key, 0),
        incoming(MediaKind::Audio, PacketClass::Audio, 0),
    ]);
    let mut all = drain(&mut cursor, &rig.backlog, 1000);
    let seq = rig.backlog.end();
    rig.push([
        incoming(MediaKind::Video, PacketClass::Inter, 40),
        incoming(MediaKind::Audio, PacketClass::Audio, 41),
    ]);
    assert!(cursor.is_steady(seq, lanes_of(rig.backlog.from(seq))));
    let slices: Vec<Bytes> = rig.backlog.from(seq).map(|p| p.shared(Container::Rtmp).clone()).collect();
    let whole: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
    all.extend_from_slice(&whole[..50]);
    let frames = SentFrames { video: 1, times: MediaTimes { audio: 0, video: 7 } };
    cursor.advance_steady(&slices, 50, rig.backlog.end(), frames);
    assert_eq!(cursor.frames(), 2);
    assert_eq!(cursor.times().video, 7);
    all.extend(drain(&mut cursor, &rig.backlog, 1000));
    assert_eq!(rtmp_messages(&all), [(9, 0), (8, 0), (9, 40), (8, 41)]);
}

#[test]
fn a_player_that_is_held_is_sent_media_from_elsewhere_and_then_the_stream() {
    let mut rig = Rig::new();
    let mut cursor = rig.join(settings(Container::Rtmp));
    cursor.hold();
    rig.push([incoming(MediaKind::Video, PacketClass::Key, 1_000)]);
    cursor.push_media(Bytes::from_static(b"past"));
    assert!(cursor.push_control(Bytes::from_static(b"control")));
    cursor.push_media(Bytes::from_static(b"more"));
    assert_eq!(drain(&mut cursor, &rig.backlog, 3), b"pastcontrolmore");
    assert!(!cursor.has_begun(true) && !cursor.is_steady(cursor.next(), 0));
    rig.push([1_040, 1_080].map(|at| incoming(MediaKind::Video, PacketClass::Inter, at)));
    rig.push([incoming(MediaKind::Video, PacketClass::Key, 1_120)]);
    rig.push([incoming(MediaKind::Video, PacketClass::Inter, 1_160)]);
    assert!(drain(&mut cursor, &rig.backlog, 99).is_empty());
    cursor.push_media(Bytes::from_static(b"queued"));
    // The fourth packet goes on with what it was sent.
    let next = Continuation::all(3);
    let joined = rig.stream.join_at(next, 0);
    cursor.begin(&JoinedPlayer { start: next.first(), ..joined });
    cursor.continue_at(next, Some(120));
    let sent = drain(&mut cursor, &rig.backlog, 7);
    let sent = sent.strip_prefix(b"queued").unwrap();
    assert_eq!(rtmp_messages(sent), [(9, 1_000), (9, 1_040)]);
    assert!(cursor.has_begun(true));
}
