//! HLS files of fragmented MP4: playlists, initialisation segments, their removal, and what ffmpeg makes of them.

mod support;

#[path = "ts_hls/media.rs"]
mod media;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use media::Source;
use pingosd::wire::MediaKind;
use pingosd::wire::amf0::{self, AmfValue};
use pingosd::wire::hls::MediaPlaylist;
use support::frame::{Frame, video_header};
use support::playlist::checked;
use support::tool::run;
use support::wait::until_true;
use support::{Conf, Server};

const HLS: &str = "hls on; hls_path {dir}/hls; hls_fragment 1s;";

fn start(more: &str) -> Server {
    let conf = Conf::live(&format!("{HLS} {more}"));
    Server::start(&conf.http_server("location /hls { root {dir}; }"))
}

fn dir(server: &Server) -> PathBuf {
    server.prefix().path().join("hls")
}

fn read(server: &Server, file: &str) -> String {
    fs::read_to_string(dir(server).join(file)).unwrap_or_default()
}

fn parse(text: &str) -> MediaPlaylist {
    MediaPlaylist::parse(text.as_bytes()).unwrap_or_default()
}

fn length_ms(playlist: &MediaPlaylist) -> u64 {
    playlist.segments.iter().map(|segment| segment.duration_ms).sum()
}

/// Waits for a playlist whose segments last at least this long, and reads it.
#[track_caller]
fn wait_length(server: &Server, file: &str, least_ms: u64) -> String {
    until_true(&format!("{file} of {least_ms} ms"), || length_ms(&parse(&read(server, file))) >= least_ms);
    let text = read(server, file);
    checked(&text);
    text
}

fn names(dir: &Path, end: &str) -> Vec<String> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = all.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

/// Publishes six seconds with B-frames. `inputs` are those of ffmpeg, `-map`s included.
#[track_caller]
fn publish(server: &Server, name: &str, inputs: &[&str], codecs: &[&str]) {
    let url = format!("rtmp://127.0.0.1:{}/live/{name}", server.rtmp);
    let args = [&["-v", "error"], inputs, codecs, &["-f", "flv", &url]].concat();
    let done = run("ffmpeg", &args);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

const PICTURES: [&str; 5] = ["-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25:duration=6"];
const SOUND: [&str; 4] = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=6"];
#[rustfmt::skip]
const CODECS: [&str; 12] = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];

/// Number of frames that ffprobe decodes.
#[track_caller]
fn frames(server: &Server, file: &str, track: &str) -> usize {
    let url = format!("http://127.0.0.1:{}/hls/{file}", server.http);
    let args = ["-v", "error", "-allowed_extensions", "ALL", "-live_start_index", "0", "-count_frames"];
    let more = ["-select_streams", track, "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"];
    let complete = format!("{file}.vod");
    // ffprobe reads a playlist to its end.
    let text = read(server, file) + "#EXT-X-ENDLIST\n";
    let vod = complete.replace(".m3u8.vod", "-vod.m3u8");
    fs::write(dir(server).join(&vod), text).unwrap();
    let url = url.replace(file, &vod);
    let done = run("ffprobe", &[&args[..], &more, &[&url]].concat());
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout).unwrap();
    let count = told.split_whitespace().next().unwrap_or_default();
    count.trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{told:?}"))
}

#[test]
fn everything_that_ffmpeg_publishes_is_in_the_segments() {
    for keys in ["", "hls_keys on; hls_fragments_per_key 2;"] {
        let server = start(&format!("hls_type event fmp4; {keys}"));
        publish(&server, "clip", &[&PICTURES[..], &SOUND].concat(), &CODECS);
        let text = wait_length(&server, "clip.m3u8", 6_000);
        let playlist = parse(&text);
        assert!(
            text.contains("#EXT-X-VERSION:7\n") && text.contains("#EXT-X-MAP:URI=\"clip-0.init.m4s\"\n"),
            "{text}"
        );
        assert!(playlist.event && playlist.segments.len() == 6 && !text.contains("DISCONTINUITY"), "{text}");
        assert_eq!(text.matches("METHOD=AES-128").count(), if keys.is_empty() { 0 } else { 3 }, "{text}");
        assert!(length_ms(&playlist).abs_diff(6_000) <= 40, "{text}");
        assert_eq!(frames(&server, "clip.m3u8", "v"), 150);
        assert!((258..=261).contains(&frames(&server, "clip.m3u8", "a")));
    }
}

#[test]
fn late_audio_is_a_track_of_the_segments_that_have_it() {
    let server = start("hls_type event fmp4;");
    let inputs =
        [&PICTURES[..], &["-itsoffset", "2.5"], &SOUND[..3], &["sine=sample_rate=44100:duration=3"]].concat();
    publish(&server, "late", &inputs, &CODECS);
    let text = wait_length(&server, "late.m3u8", 5_960);
    assert!(length_ms(&parse(&text)).abs_diff(6_000) <= 40, "{text}");
    assert_eq!(frames(&server, "late.m3u8", "v"), 150);
    assert!((127..=132).contains(&frames(&server, "late.m3u8", "a")), "{text}");
}

#[test]
fn audio_alone_is_cut_at_the_fragment_length() {
    let server = start("hls_type event fmp4;");
    let codecs = ["-c:a", "aac"];
    publish(&server, "sound", &[&["-re"], &SOUND[..]].concat(), &codecs);
    let text = wait_length(&server, "sound.m3u8", 5_950);
    let playlist = parse(&text);
    assert!((5..=7).contains(&playlist.segments.len()), "{text}");
    assert!((258..=261).contains(&frames(&server, "sound.m3u8", "a")), "{text}");
}

#[test]
fn another_configuration_needs_another_initialisation_segment_after_a_discontinuity() {
    let server = start("hls_type live fmp4; hls_playlist_length 30s;");
    let mut source = Source::start(&server, "s");
    source.send_to(3_000);
    let mut other = video_header();
    let mut payload = other.payload.to_vec();
    // Another level.
    payload[8] += 1;
    other.payload = payload.into();
    other.timestamp = 3_000;
    source.send_frame(&other);
    source.send_to(6_000);
    source.leave();
    let text = wait_length(&server, "s.m3u8", 5_950);
    let playlist = parse(&text);
    let maps: Vec<_> = playlist.segments.iter().map(|segment| segment.map.as_deref().unwrap()).collect();
    let (first, second) = ("s-0.init.m4s", "s-3.init.m4s");
    assert_eq!(maps, [first, first, first, second, second, second], "{text}");
    let breaks: Vec<_> = playlist.segments.iter().map(|segment| segment.discontinuity).collect();
    assert_eq!(breaks, [false, false, false, true, false, false], "{text}");
    assert!(length_ms(&playlist).abs_diff(6_000) <= 40, "{text}");
}

#[test]
fn data_messages_are_timed_metadata() {
    let server = start("hls_type event fmp4;");
    let mut source = Source::start(&server, "s");
    source.send_to(1_500);
    let mut payload = BytesMut::new();
    amf0::encode(&"onTextData".into(), &mut payload);
    amf0::encode(&AmfValue::object([("text", "\u{e4} \"b\"".into())]), &mut payload);
    source.send_frame(&Frame { kind: MediaKind::Data, timestamp: 1_500, payload: payload.freeze() });
    source.send_to(3_000);
    source.leave();
    wait_length(&server, "s.m3u8", 2_950);
    let all: Vec<u8> =
        (0..3).flat_map(|n| fs::read(dir(&server).join(format!("s-{n}.m4s"))).unwrap()).collect();
    let at = all.windows(4).position(|window| window == b"emsg").unwrap();
    assert_eq!(all[at + 8..at + 20], [0, 0, 3, 0xE8, 0, 0, 0, 0, 0, 0, 5, 0xDC], "1500 of 1000 ticks");
    let text = "onTextData\0{\"text\":\"\u{e4} \\\"b\\\"\"}";
    assert!(all.windows(text.len()).any(|window| window == text.as_bytes()));
    assert_eq!(
        all.windows(5).filter(|window| *window == b"emsg\x01").count(),
        1,
        "no metadata of the stream"
    );
}

#[test]
fn a_jump_of_timestamps_loses_no_media() {
    let server = start("hls_type live fmp4; hls_playlist_length 30s;");
    let mut source = Source::start(&server, "s");
    source.send_to(2_000);
    for n in 0..75 {
        let mut picture = media::picture(n * 40);
        picture.timestamp += 4_000_000;
        source.send_frame(&picture);
    }
    source.leave();
    let text = wait_length(&server, "s.m3u8", 4_900);
    assert!(length_ms(&parse(&text)).abs_diff(5_000) <= 80, "{text}");
}

#[test]
fn a_stream_that_is_published_again_goes_on_and_old_files_go() {
    let server = start("hls_type fmp4; hls_playlist_length 4s;");
    let mut source = Source::start(&server, "s");
    source.send_to(4_000);
    source.leave();
    let before = wait_length(&server, "s.m3u8", 3_950);
    assert!(before.contains("MEDIA-SEQUENCE:0\n") && !before.contains("DISCONTINUITY"), "{before}");
    let mut source = Source::start(&server, "s");
    source.send_to(2_500);
    until_true("the playlist goes on", || read(&server, "s.m3u8").contains("s-5.m4s"));
    let text = read(&server, "s.m3u8");
    let playlist = parse(&text);
    assert_eq!(playlist.segments.iter().filter(|segment| segment.discontinuity).count(), 1, "{text}");
    assert!(text.contains("s-0.init.m4s") && text.contains("s-4.init.m4s"), "{text}");
    source.send_to(14_500);
    until_true("old files are removed", || !dir(&server).join("s-0.init.m4s").exists());
    assert!(!dir(&server).join("s-2.m4s").exists());
    assert_eq!(names(&dir(&server), ".init.m4s"), ["s-4.init.m4s"]);
    let text = read(&server, "s.m3u8");
    assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") && text.contains("s-4.init.m4s"), "{text}");
}

#[test]
fn a_server_that_starts_again_goes_on_with_an_event() {
    let server = start("hls_type event fmp4;");
    let mut source = Source::start(&server, "s");
    source.send_to(3_000);
    source.leave();
    wait_length(&server, "s.m3u8", 2_950);
    let mut source = Source::start(&server, "s");
    source.send_to(3_000);
    source.leave();
    let text = wait_length(&server, "s.m3u8", 5_900);
    let uris: Vec<_> = parse(&text).segments.into_iter().map(|segment| segment.uri).collect();
    assert_eq!(uris, (0..6).map(|n| format!("s-{n}.m4s")).collect::<Vec<_>>());
    assert_eq!(text.matches("#EXT-X-MAP").count(), 2, "{text}");
}

#[test]
fn an_event_that_no_publish_continues_ends() {
    for format in ["", "fmp4"] {
        let server = start(&format!("hls_type event {format}; hls_continuous off;"));
        for _ in 0..2 {
            let mut source = Source::start(&server, "s");
            source.send_to(2_500);
            until_true("the event goes on", || {
                let text = read(&server, "s.m3u8");
                !text.contains("ENDLIST") && parse(&text).segments.len() == 2
            });
            source.leave();
            until_true("the event ends", || read(&server, "s.m3u8").ends_with("\n#EXT-X-ENDLIST\n"));
            let text = read(&server, "s.m3u8");
            assert!(length_ms(&parse(&text)).abs_diff(2_500) <= 40, "{text}");
        }
    }
}

#[test]
fn a_master_playlist_names_the_codecs_of_its_variants() {
    let server = start("hls_type fmp4; hls_nested on; hls_variant _hi;");
    let mut source = Source::start(&server, "s_hi");
    source.send_to(3_500);
    until_true("the master playlist", || read(&server, "s.m3u8").contains("CODECS=\"avc1."));
    assert!(read(&server, "s.m3u8").contains("\ns_hi/index.m3u8\n"));
    assert!(dir(&server).join("s_hi/0.init.m4s").exists() && dir(&server).join("s_hi/0.m4s").exists());
}
