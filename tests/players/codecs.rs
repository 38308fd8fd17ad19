//! HEVC, AV1 and Opus by enhanced RTMP from a current ffmpeg, and what that ffmpeg reads back from every output.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::scripts::current_ffmpeg;
use crate::support::server::Prefix;
use crate::support::tool::{run, tool};
use crate::support::wait::until;
use crate::support::{Conf, Server};

const APPLICATION: &str = "
    cache_time 2s;
    hls on; hls_type fmp4; hls_path {dir}/hls; hls_fragment 1s; hls_playlist_length 60s; hls_cleanup off;
    dash on; dash_path {dir}/dash; dash_fragment 1s; dash_playlist_length 60s; dash_cleanup off;
    recorder mp4 { record all; record_path {dir}/rec; record_format mp4; }";

const SECONDS: usize = 8;
const PICTURES: usize = SECONDS * 25;

/// What ffmpeg reads from an input: codec, and a hash of each packet.
#[derive(Debug, PartialEq, Eq)]
struct Track {
    codec: String,
    packets: Vec<String>,
}

/// Video and audio.
type Tracks = [Track; 2];

/// What is changed in pictures before they are compared: in MP4, temporal units of AV1 have no delimiters (AV1 in ISOBMFF 2.4).
fn filter(input: &str) -> &'static str {
    if input.contains("av1") { "av1_metadata=td=remove" } else { "null" }
}

/// Reads an input to its end, or this many seconds of it.
#[track_caller]
fn read(ffmpeg: &Path, input: &str, seconds: Option<&str>) -> Vec<Track> {
    let end = seconds.map(|seconds| ["-t", seconds]);
    let end: &[&str] = end.as_ref().map_or(&[], |end| end);
    let more: &[&str] = if input.ends_with(".m3u8") {
        &["-allowed_extensions", "ALL", "-allowed_segment_extensions", "ALL", "-live_start_index", "0"]
    } else {
        &[]
    };
    let head = ["-v", "error", "-nostdin"];
    let tail = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-bsf:v", filter(input), "-f", "framemd5", "-"];
    let done = run(ffmpeg.to_str().unwrap(), &[&head, more, &["-i", input], end, &tail].concat());
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{input}: {said}");
    let text = String::from_utf8(done.stdout).unwrap();
    let mut tracks: Vec<Track> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#codec_id "))
        .map(|line| Track { codec: line.split_once(": ").unwrap().1.to_owned(), packets: Vec::new() })
        .collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        // ffmpeg makes an empty packet of the channel configuration of Opus.
        if fields[4] == "0" {
            continue;
        }
        tracks[fields[0].parse::<usize>().unwrap()].packets.push(fields[5].to_owned());
    }
    tracks
}

/// Encodes the clip.
#[track_caller]
fn encode(ffmpeg: &Path, file: &Path, codecs: &[&str]) {
    let (seconds, file) = (SECONDS.to_string(), file.to_str().unwrap());
    let video = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25"];
    let audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-ac", "2"];
    let args = [
        &["-v", "error", "-y"],
        &video[..],
        &audio,
        codecs,
        &["-g", "25", "-t", &seconds, "-f", "flv", file],
    ];
    let done = run(ffmpeg.to_str().unwrap(), &args.concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// All packets are those of the source from somewhere on, in order and without a gap; at least this many.
#[track_caller]
fn assert_part(what: &str, sent: &Track, got: &Track, least: usize) {
    assert_eq!(got.codec, sent.codec, "{what}");
    assert!(got.packets.len() >= least, "{what}: {} packets of {}", got.packets.len(), sent.codec);
    let begin = sent.packets.iter().position(|packet| *packet == got.packets[0]);
    let begin = begin.unwrap_or_else(|| panic!("{what}: the first packet of {} was not sent", sent.codec));
    let same = got.packets.iter().zip(&sent.packets[begin..]).take_while(|(got, sent)| got == sent).count();
    assert_eq!(same, got.packets.len(), "{what}: packets of {} that are the ones sent", sent.codec);
}

/// A track of DASH in one file.
fn dash_file(directory: &Path, name: &str, manifest: &str, end: &str) -> PathBuf {
    let set = manifest.split("<AdaptationSet").find(|part| part.contains(&format!(".{end}"))).unwrap();
    let mut bytes = fs::read(directory.join(format!("{name}-init.{end}"))).unwrap();
    for part in set.split("<S t=\"").skip(1) {
        let at = part.split('"').next().unwrap();
        bytes.extend(fs::read(directory.join(format!("{name}-{at}.{end}"))).unwrap());
    }
    let path = directory.join(format!("whole-{name}.{end}"));
    fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn everything_arrives(codecs: &[&str], names: [&str; 2], sounds: usize) {
    // The stream is named after its codec.
    let name = names[0];
    let Some(ffmpeg) = current_ffmpeg() else { return };
    let prefix = Prefix::new();
    fs::create_dir(prefix.path().join("rec")).unwrap();
    let server = Server::start_in(prefix, &Conf::live(APPLICATION).with_flv());
    let dir = server.prefix().path();
    let source = dir.join(format!("{name}.flv"));
    encode(&ffmpeg, &source, codecs);
    let sent: Tracks = read(&ffmpeg, source.to_str().unwrap(), None).try_into().unwrap();
    assert_eq!([&sent[0].codec[..], &sent[1].codec], names);
    assert_eq!(sent[0].packets.len(), PICTURES);

    let rtmp = format!("rtmp://127.0.0.1:{}/live/{name}", server.rtmp);
    let flv = format!("http://127.0.0.1:{}/flv/{name}.flv", server.http);
    let args =
        ["-v", "error", "-nostdin", "-re", "-i", source.to_str().unwrap(), "-c", "copy", "-f", "flv", &rtmp];
    let publisher = tool(ffmpeg.to_str().unwrap(), args).spawn().unwrap();
    server.wait_log(&format!("publishing '{name}'"));
    let live: Vec<(&str, Vec<Track>)> = std::thread::scope(|scope| {
        let read_live = |url| (url, read(&ffmpeg, url, Some("3")));
        let reading = [&rtmp, &flv].map(|url| scope.spawn(move || read_live(url.as_str())));
        reading.map(|thread| thread.join().unwrap()).into()
    });
    for (url, got) in &live {
        assert_eq!(got.len(), 2, "{url}");
        for (sent, got) in sent.iter().zip(got) {
            assert_part(url, sent, got, 40);
        }
    }
    assert!(publisher.wait_with_output().unwrap().status.success());
    server.wait_log(&format!("recorded '{name}'"));

    let playlist = dir.join(format!("hls/{name}.m3u8"));
    let manifest = until("the whole stream as DASH", || {
        let text = fs::read_to_string(dir.join(format!("dash/{name}.mpd"))).ok()?;
        (text.matches("<S t=").count() >= 2 * SECONDS).then_some(text)
    });
    let listed = until("the whole stream as HLS", || {
        let text = fs::read_to_string(&playlist).ok()?;
        (text.matches("#EXTINF").count() >= SECONDS).then_some(text)
    });
    // A reader waits for more of a live playlist.
    let playlist = dir.join(format!("hls/whole-{name}.m3u8"));
    fs::write(&playlist, listed + "#EXT-X-ENDLIST\n").unwrap();
    let dash = ["m4v", "m4a"].map(|end| dash_file(&dir.join("dash"), name, &manifest, end));
    let [video, audio] = dash.map(|file| read(&ffmpeg, file.to_str().unwrap(), None));
    let dash: Vec<Track> = video.into_iter().chain(audio).collect();
    let hls = read(&ffmpeg, playlist.to_str().unwrap(), None);
    let recorded = read(&ffmpeg, dir.join(format!("rec/{name}.mp4")).to_str().unwrap(), None);
    for (what, got) in [("HLS", hls), ("DASH", dash), ("recording", recorded)] {
        assert_eq!(got.len(), 2, "{what}");
        assert_part(what, &sent[0], &got[0], PICTURES);
        assert_part(what, &sent[1], &got[1], sounds);
    }
}

#[test]
fn hevc_and_aac_arrive_in_every_output() {
    let codecs = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=none",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
    ];
    everything_arrives(&codecs, ["hevc", "aac"], SECONDS * 46);
}

#[test]
fn av1_and_opus_arrive_in_every_output() {
    let codecs = ["-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p", "-c:a", "libopus"];
    everything_arrives(&codecs, ["av1", "opus"], SECONDS * 49);
}
