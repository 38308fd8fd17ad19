//! DASH files: manifests, segments, their removal, and what ffmpeg makes of them.

mod support;

#[path = "ts_hls/media.rs"]
mod media;

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use media::Source;
use support::disk::files_below;
use support::server::Prefix;
use support::tool::run;
use support::wait::until_true;
use support::{Conf, Server};

const DASH: &str = "dash on; dash_path {dir}/dash; dash_fragment 1s; dash_playlist_length 4s;";

fn start(more: &str) -> Server {
    Server::start(&Conf::live(&format!("{DASH} {more}")))
}

fn dir(server: &Server) -> PathBuf {
    server.prefix().path().join("dash")
}

/// Values of an attribute, in the order of the text.
fn values<'m>(manifest: &'m str, attribute: &str) -> Vec<&'m str> {
    let begin = format!(" {attribute}=\"");
    let parts = manifest.split(&begin).skip(1);
    parts.map(|part| part.split('"').next().unwrap()).collect()
}

/// The part of a manifest about video or audio; empty if it has no such track.
fn track<'m>(manifest: &'m str, kind: &str) -> &'m str {
    let begin = format!("contentType=\"{kind}\"");
    let Some((_, rest)) = manifest.split_once(&begin) else { return "" };
    rest.split("</AdaptationSet>").next().unwrap()
}

/// Start and duration of each segment, in milliseconds.
fn segments(track: &str) -> Vec<(u64, u64)> {
    let numbers =
        |name| values(track, name).into_iter().map(|number| number.parse().unwrap()).collect::<Vec<u64>>();
    numbers("t").into_iter().zip(numbers("d")).collect()
}

#[track_caller]
fn wait_manifest(server: &Server, file: &str, fits: impl Fn(&str) -> bool) -> String {
    let path = dir(server).join(file);
    let read = || fs::read_to_string(&path).unwrap_or_default();
    until_true(&format!("{file} as it should be"), || fits(&read()));
    read()
}

/// Whether segments of this length in all are listed, in milliseconds.
fn lists(manifest: &str, kind: &str, least: u64) -> bool {
    segments(track(manifest, kind)).iter().map(|(_, duration)| duration).sum::<u64>() >= least
}

/// A track in one file: initialisation segment and listed segments.
fn joined(server: &Server, manifest: &str, kind: &str) -> PathBuf {
    let part = track(manifest, kind);
    let mut bytes = fs::read(dir(server).join(values(part, "initialization")[0])).unwrap();
    for (start, _) in segments(part) {
        let name = values(part, "media")[0].replace("$Time$", &start.to_string());
        bytes.extend(fs::read(dir(server).join(name)).unwrap());
    }
    let path = server.prefix().path().join(format!("{kind}.mp4"));
    fs::write(&path, bytes).unwrap();
    path
}

/// Number of frames that ffprobe decodes.
#[track_caller]
fn frames(input: &str, track: &str) -> usize {
    let args = ["-v", "error", "-count_frames", "-select_streams", track];
    let args = [&args[..], &["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", input]].concat();
    let done = run("ffprobe", &args);
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout).unwrap();
    told.trim().trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{told:?}"))
}

#[test]
fn everything_that_ffmpeg_publishes_is_in_the_files() {
    let conf = Conf::live("dash on; dash_path {dir}/dash; dash_fragment 1s; dash_playlist_length 30s;");
    let server = Server::start(&conf.http_server("location /dash { root {dir}; }"));
    let url = format!("rtmp://127.0.0.1:{}/live/clip", server.rtmp);
    #[rustfmt::skip]
    let done = run("ffmpeg", &[
        "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-t", "6",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-f", "flv", &url,
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let manifest =
        wait_manifest(&server, "clip.mpd", |text| lists(text, "video", 6_000) && lists(text, "audio", 5_960));
    let (video, audio) = (track(&manifest, "video"), track(&manifest, "audio"));
    assert_eq!(values(&manifest, "frameRate"), ["25"]);
    assert_eq!((values(video, "width"), values(video, "height")), (vec!["320"], vec!["180"]));
    assert!(values(video, "codecs")[0].starts_with("avc1.") && values(audio, "codecs") == ["mp4a.40.2"]);
    assert_eq!(values(audio, "audioSamplingRate"), ["44100"]);
    let listed = segments(video);
    assert_eq!(listed.len(), 6, "{manifest}");
    for pair in listed.windows(2) {
        assert_eq!(pair[0].0 + pair[0].1, pair[1].0, "{manifest}");
    }
    for part in [video, audio] {
        let length: u64 = segments(part).iter().map(|(_, duration)| duration).sum();
        assert!(length.abs_diff(6_000) <= 40, "{length} ms");
    }
    assert_eq!(frames(joined(&server, &manifest, "video").to_str().unwrap(), "v"), 150);
    assert!((258..=261).contains(&frames(joined(&server, &manifest, "audio").to_str().unwrap(), "a")));
    // The times are those of the day.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert!(now.abs_diff(listed[0].0) < 60_000);
    let mut found = support::tool::codecs(&format!("http://127.0.0.1:{}/dash/clip.mpd", server.http));
    found.dedup();
    assert_eq!(found, ["aac", "h264"]);
}

#[test]
fn the_window_slides_and_old_segments_go() {
    let server = start("");
    let mut source = Source::start(&server, "a/s");
    source.send_to(14_500);
    let manifest = wait_manifest(&server, "a/s.mpd", |text| {
        segments(track(text, "video"))
            .first()
            .zip(segments(track(text, "video")).last())
            .is_some_and(|(f, l)| l.0 - f.0 >= 3_000)
    });
    assert!(manifest.contains("type=\"dynamic\"") && manifest.contains("minimumUpdatePeriod=\"PT1S\""));
    assert!(
        manifest.contains("timeShiftBufferDepth=\"PT4S\"")
            && manifest.contains("http-head:2014\" value=\"s.mpd\"")
    );
    source.leave();
    let is_last =
        |text: &str| segments(track(text, "video")).last().is_some_and(|(_, duration)| *duration < 1_000);
    let manifest = wait_manifest(&server, "a/s.mpd", is_last);
    assert!(manifest.contains("minimumUpdatePeriod"), "the stream may come back");
    let listed = segments(track(&manifest, "video"));
    assert!(listed.len() <= 5 && listed.len() >= 4, "{manifest}");
    let on_disk: Vec<u64> = files_below(&dir(&server))
        .iter()
        .filter_map(|name| name.strip_prefix("a/s-")?.strip_suffix(".m4v")?.parse().ok())
        .collect();
    assert!((8..=10).contains(&on_disk.len()), "twice the window stays: {on_disk:?}");
}

#[test]
fn one_track_alone_in_a_directory_of_its_own() {
    let server = start("dash_nested on; dash_cleanup off;");
    let mut source = Source::audio(&server, "s");
    source.send_to(4_500);
    source.leave();
    let manifest = wait_manifest(&server, "s/index.mpd", |text| lists(text, "audio", 4_400));
    assert!(
        track(&manifest, "video").is_empty() && segments(track(&manifest, "audio")).len() >= 4,
        "{manifest}"
    );
    assert_eq!(values(&manifest, "initialization"), ["init.m4a"]);
    assert_eq!(values(&manifest, "media"), ["$Time$.m4a"]);
    assert!(files_below(&dir(&server)).contains(&"s/init.m4a".to_owned()));
}

#[test]
fn a_stream_that_comes_back_goes_on_later() {
    let server = start("dash_cleanup off;");
    let mut ends = Vec::new();
    for _ in 0..2 {
        let mut source = Source::start(&server, "s");
        source.send_to(2_500);
        source.leave();
        let after = ends.last().copied().unwrap_or(0);
        let is_new = |text: &str| lists(text, "video", 2_400) && segments(track(text, "video"))[0].0 > after;
        let manifest = wait_manifest(&server, "s.mpd", is_new);
        ends.push(segments(track(&manifest, "video"))[0].0);
    }
    assert!(files_below(&dir(&server)).contains(&format!("s-{}.m4v", ends[0])), "names do not repeat");
}

#[test]
fn what_earlier_servers_have_left_goes_and_nothing_else() {
    let prefix = Prefix::new();
    let dash = prefix.path().join("dash");
    fs::create_dir_all(dash.join("old")).unwrap();
    let ours =
        ["s.mpd", "s-init.m4v", "s-17.m4a", "s-17.init.m4v", "old/index.mpd", "old/9.m4v", "s.mpd.7.tmp"];
    let others = ["film.m4v", "s-x.m4v", "s.mpd.tmp", "index.html", "s-7.ts", "s-7.mp4"];
    for name in ours.iter().chain(&others) {
        let file = File::create(dash.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3_600)).unwrap();
    }
    let server = Server::start_in(prefix, &Conf::live(DASH));
    let gone = || ours.iter().all(|name| !dir(&server).join(name).exists());
    until_true("the old files are gone", gone);
    assert!(others.iter().all(|name| dir(&server).join(name).exists()));
}
