//! Fragmented MP4 as mp4box.js reads it: segments of HLS and DASH, and a recording, without a warning.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::clip::{clip, publish};
use crate::support::scripts::MP4BOX;
use crate::support::server::Prefix;
use crate::support::tool::tool;
use crate::support::wait::until;
use crate::support::{Conf, Server, http};

const APPLICATION: &str = "
    cache_time 60s;
    hls on; hls_type fmp4; hls_path {dir}/hls; hls_fragment 1s; hls_playlist_length 60s;
    hls2 on; hls2_format fmp4; hls2_fragment 1s; hls2_playlist_length 60s; hls2_minfrags 5;
    dash on; dash_path {dir}/dash; dash_fragment 1s; dash_playlist_length 60s;
    recorder mp4 { record all; record_path {dir}/rec; record_format mp4; }";

/// The values of an attribute or of lines: what stands between these words.
fn between<'t>(text: &'t str, before: &str, after: char) -> Vec<&'t str> {
    text.split(before).skip(1).map(|part| part.split(after).next().unwrap()).collect()
}

fn joined(directory: &Path, names: impl IntoIterator<Item = String>) -> Vec<u8> {
    names.into_iter().flat_map(|name| fs::read(directory.join(name)).unwrap()).collect()
}

/// Initialisation segment and segments of a media playlist.
fn listed(playlist: &str) -> Vec<String> {
    let init = between(playlist, "#EXT-X-MAP:URI=\"", '"')[0].to_owned();
    let segments = playlist.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    [init].into_iter().chain(segments.map(str::to_owned)).collect()
}

/// Waits until a file has this text so many times.
#[track_caller]
fn text_with(path: &Path, word: &str, count: usize) -> String {
    until(&format!("{count} times {word} in {}", path.display()), || {
        let text = fs::read_to_string(path).ok()?;
        (text.matches(word).count() >= count).then_some(text)
    })
}

/// Runs mp4box.js on a file; tracks, samples, their durations and everything that it says.
#[track_caller]
fn read(script: &Path, file: &Path) -> Value {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/players/boxes.mjs");
    let done = tool("node", [Path::new(own), script, file]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn mp4box_js_reads_segments_and_recordings_without_a_warning() {
    if tool("node", ["--version"]).output().is_err() {
        eprintln!("SKIPPED: node is missing");
        return;
    }
    let Some(script) = MP4BOX.get() else { return };
    let prefix = Prefix::new();
    fs::create_dir(prefix.path().join("rec")).unwrap();
    let locations = "location /hls2 { hls2_live {rtmp_port} app=live; }";
    let conf = Conf::live(APPLICATION).rtmp("max_message 16m;").http_server(locations);
    let server = Server::start_in(prefix, &conf);
    let dir = server.prefix().path();
    // Six seconds, with pictures that are not in the order of their times.
    let frames = clip(&["-bf", "2"]);
    let client = publish(&server, "s", &frames);
    let memory = until("fragments in memory", || {
        let master = http::get(server.http, "/hls2/s.m3u8").text();
        let media = master.lines().find(|line| !line.is_empty() && !line.starts_with('#'))?;
        let text = http::get(server.http, &format!("/hls2/{media}")).text();
        (text.matches("#EXTINF").count() >= 5).then_some(text)
    });
    let memory: Vec<u8> = listed(&memory)
        .into_iter()
        .flat_map(|uri| http::get(server.http, &format!("/hls2/{uri}")).body)
        .collect();
    client.leave();
    let playlist = text_with(&dir.join("hls/s.m3u8"), "#EXTINF", 6);
    let manifest = text_with(&dir.join("dash/s.mpd"), "<S t=", 12);
    let dash = |end: &str| {
        let of = |part: &&str| part.contains(&format!(".{end}"));
        let set = manifest.split("<AdaptationSet").find(of).unwrap();
        let segments = between(set, "<S t=\"", '"').into_iter().map(|at| format!("s-{at}.{end}"));
        joined(&dir.join("dash"), [format!("s-init.{end}")].into_iter().chain(segments))
    };
    server.wait_log("recorded 's'");
    let recorded = fs::read(dir.join("rec/s.mp4")).unwrap();
    // The name of a file, its bytes, and how many samples of which codecs it has at least.
    type Expected<'a> = (&'a str, Vec<u8>, &'a [(&'a str, u64)]);
    let files: [Expected<'_>; 5] = [
        ("hls.mp4", joined(&dir.join("hls"), listed(&playlist)), &[("avc1", 150), ("mp4a", 250)]),
        ("hls2.mp4", memory, &[("avc1", 125), ("mp4a", 200)]),
        ("video.mp4", dash("m4v"), &[("avc1", 150)]),
        ("audio.mp4", dash("m4a"), &[("mp4a", 250)]),
        ("recording.mp4", recorded, &[("avc1", 150), ("mp4a", 250)]),
    ];
    for (name, bytes, tracks) in files {
        let file: PathBuf = dir.join(name);
        fs::write(&file, bytes).unwrap();
        let found = read(&script, &file);
        assert_eq!(found["said"], serde_json::json!([]), "{name}: {found:#}");
        let mut read: Vec<(&str, u64)> = found["tracks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|track| (&track["codec"].as_str().unwrap()[..4], track["samples"].as_u64().unwrap()))
            .collect();
        read.sort_unstable();
        assert_eq!(read.len(), tracks.len(), "{name}: {found:#}");
        for ((codec, samples), (wanted, least)) in read.iter().zip(tracks) {
            assert!(codec == wanted && samples >= least, "{name}: {found:#}");
        }
    }
}
