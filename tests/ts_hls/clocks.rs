//! Audio and video whose timestamps are not in step: players, recordings and playlists last as long as the media, and the
//! tracks stay as far apart as sent.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use pingosd::wire::MediaKind;
use pingosd::wire::flv::FlvReader;

use crate::media::picture;
use crate::support::frame::{Frame, audio_header, video_header};
use crate::support::rtmp::RtmpClient;
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Conf, Player, Server};

/// Frames of a track, and milliseconds from one to the next.
const FRAMES: u32 = 150;
const STEP: u32 = 40;

fn video(n: u32, start: u32) -> Frame {
    // Which frames are key frames is told by their number, not by the timestamp.
    Frame { timestamp: start.wrapping_add(n * STEP), ..picture(n * STEP) }
}

fn audio(n: u32, start: u32) -> Frame {
    let payload = Bytes::from_static(b"\xAF\x01\x21\x10\x04\x60\x8C\x1C");
    Frame { kind: MediaKind::Audio, timestamp: start.wrapping_add(n * STEP), payload }
}

/// In turns, each track with a start of its own; the audio comes `late` frames behind the video.
fn in_turns(video_start: u32, audio_start: u32, late: u32) -> Vec<Frame> {
    let sent = |n: u32| {
        let picture = (n < FRAMES).then(|| video(n, video_start));
        let sound = n.checked_sub(late).filter(|n| *n < FRAMES).map(|n| audio(n, audio_start));
        picture.into_iter().chain(sound)
    };
    (0..FRAMES + late).flat_map(sent).collect()
}

/// Name, what is sent, milliseconds from the lowest timestamp to the highest one, and by how much video starts later.
fn inputs() -> Vec<(&'static str, Vec<Frame>, u32, u32)> {
    let media = (FRAMES - 1) * STEP;
    let burst = (0..75).map(|n| audio(n, 0)).chain((0..75).map(|n| video(n, 0)));
    let rest = (75..FRAMES).flat_map(|n| [video(n, 0), audio(n, 0)]);
    let wrap = u32::MAX - 3_000;
    vec![
        ("apart", in_turns(6_000, 3_000, 0), 3_000 + media, 3_000),
        ("far", in_turns(19_860, 3_000, 0), 16_860 + media, 16_860),
        ("burst", burst.chain(rest).collect(), media, 0),
        ("behind", in_turns(0, 0, 25), media, 0),
        ("further", in_turns(0, 0, 50), media, 0),
        ("wrap", in_turns(wrap, wrap, 0), media, 0),
        ("wrapapart", in_turns(wrap + 2_000, wrap, 0), 2_000 + media, 2_000),
    ]
}

fn publish(server: &Server, name: &str, frames: &[Frame]) -> RtmpClient {
    let mut client = RtmpClient::publish(server.rtmp, "live", name).wait_started();
    for frame in [audio_header(), video_header()].iter().chain(frames) {
        client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
        client.flush();
    }
    client
}

type Tags = Vec<(MediaKind, u32)>;

/// Kinds and timestamps of frames.
fn frames_of(media: impl Iterator<Item = (MediaKind, u32, Bytes)>) -> Tags {
    let frame = |kind, payload: &Bytes| kind != MediaKind::Data && payload.get(1) == Some(&1);
    media.filter(|(kind, _, payload)| frame(*kind, payload)).map(|(kind, at, _)| (kind, at)).collect()
}

fn received(player: &Player) -> Tags {
    frames_of(player.got().media.iter().map(|media| (media.kind, media.timestamp, media.payload.clone())))
}

fn recorded(path: &Path) -> Tags {
    let bytes = fs::read(path).unwrap();
    let (mut input, mut reader) = (&bytes[..], FlvReader::new(1 << 20));
    let tags = std::iter::from_fn(|| reader.read(&mut input).unwrap());
    frames_of(tags.map(|tag| (tag.kind, tag.timestamp, tag.payload)))
}

fn of(tags: &Tags, kind: MediaKind) -> Vec<u32> {
    tags.iter().filter(|(is, _)| *is == kind).map(|(_, at)| *at).collect()
}

#[test]
fn recordings_and_playlists_last_as_long_as_the_media() {
    let prefix = Prefix::new();
    fs::create_dir_all(prefix.path().join("rec")).unwrap();
    let hls = "hls on; hls_path {dir}/hls; hls_fragment 1s; hls_playlist_length 60s;";
    let server =
        Server::start_in(prefix, &Conf::live(&format!("{hls} record all; record_path {{dir}}/rec;")));
    for (name, sent, total, apart) in inputs() {
        let player = Player::start(server.rtmp, name);
        let client = publish(&server, name, &sent);
        // Players get the timestamps as they were sent.
        until_true(name, || received(&player).len() >= sent.len());
        assert_eq!(received(&player), sent.iter().map(|f| (f.kind, f.timestamp)).collect::<Tags>(), "{name}");
        client.leave();

        let path = server.prefix().path().join(format!("rec/{name}.flv"));
        server.wait_log(&format!("record: recorded '{name}'"));
        let tags = recorded(&path);
        let (pictures, sounds) = (of(&tags, MediaKind::Video), of(&tags, MediaKind::Audio));
        assert_eq!(pictures.len(), FRAMES as usize, "{name}");
        assert!(pictures.windows(2).all(|pair| pair[1] - pair[0] == STEP), "{name}: {pictures:?}");
        assert!(sounds.windows(2).all(|pair| pair[1] - pair[0] == STEP), "{name}: {sounds:?}");
        assert_eq!(tags.iter().map(|(_, at)| *at).min(), Some(0), "{name}");
        assert_eq!(tags.iter().map(|(_, at)| *at).max(), Some(total), "{name}");
        if name != "burst" {
            assert_eq!(pictures[0] - sounds[0], apart, "{name}");
        }

        let playlist = server.prefix().path().join(format!("hls/{name}.m3u8"));
        let text = || fs::read_to_string(&playlist).unwrap_or_default();
        until_true(name, || text().matches("#EXTINF:").count() >= 6);
        let text = text();
        let lengths = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
        let sum: f64 = lengths.map(|length| length.trim_end_matches(',').parse::<f64>().unwrap()).sum();
        assert!((sum - f64::from(FRAMES * STEP) / 1_000.0).abs() <= 0.1, "{name}: {sum} s\n{text}");
        assert!(!text.contains("#EXT-X-DISCONTINUITY"), "{name}\n{text}");
    }
}

#[test]
fn players_that_start_at_zero_keep_the_tracks_as_far_apart_as_sent() {
    let server = Server::start(&Conf::live("cache_time 2s; zero_start on; fix_timestamp 10s;"));
    for (name, sent, _, apart) in inputs() {
        let early = Player::start(server.rtmp, name);
        let client = publish(&server, name, &sent);
        early.wait(name, |got| (got.media.len() >= sent.len() / 2).then_some(()));
        if name == "burst" {
            continue;
        }
        let late = Player::start(server.rtmp, name);
        let tags = late.wait(name, |got| {
            let tags = got.media.iter().map(|media| (media.kind, media.timestamp, media.payload.clone()));
            let tags = frames_of(tags);
            (tags.iter().any(|(kind, _)| *kind == MediaKind::Audio) && tags.len() > 20).then_some(tags)
        });
        assert_eq!(tags.iter().map(|(_, at)| *at).min(), Some(0), "{name}: {tags:?}");
        if name.ends_with("apart") || name == "far" {
            let first = |kind| of(&tags, kind)[0];
            assert_eq!(first(MediaKind::Video) - first(MediaKind::Audio), apart, "{name}: {tags:?}");
        }
        drop(client);
    }
}
