//! HLS files.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::media::{Source, pids};
use crate::support::disk::files_below;
use crate::support::playlist::checked;
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Conf, Server};

/// Segments of a second, four in a playlist.
const HLS: &str = "hls on; hls_path {dir}/hls; hls_fragment 1s; hls_playlist_length 4s;";

fn start(more: &str) -> Server {
    Server::start(&Conf::live(&format!("{HLS} {more}")))
}

fn dir(server: &Server) -> PathBuf {
    server.prefix().path().join("hls")
}

/// Waits until the playlist names `last`, and returns its lines.
#[track_caller]
fn playlist(server: &Server, file: &str, last: &str) -> Vec<String> {
    let path = dir(server).join(file);
    let read = || fs::read_to_string(&path).unwrap_or_default();
    until_true(&format!("{last} in {file}"), || read().lines().any(|line| line == last));
    let text = read();
    if text.contains("#EXTINF") {
        checked(&text);
    }
    text.lines().map(str::to_owned).collect()
}

#[test]
fn playlist_slides_and_old_segments_go() {
    let server = start("");
    let mut source = Source::start(&server, "s");
    source.send_to(10_500);
    let lines = playlist(&server, "s.m3u8", "s-9.ts");
    assert_eq!(
        lines[..4],
        ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-MEDIA-SEQUENCE:6", "#EXT-X-TARGETDURATION:1"]
    );
    assert_eq!(lines[4..6], ["#EXTINF:1.000,", "s-6.ts"]);
    assert!(!lines.iter().any(|line| line.starts_with("#EXT-X-DISCONTINUITY") || line == "#EXT-X-ENDLIST"));
    until_true("old segments are gone", || !files_below(&dir(&server)).contains(&"s-1.ts".to_owned()));
    let kept = files_below(&dir(&server));
    assert_eq!(
        kept,
        ["s-10.ts", "s-2.ts", "s-3.ts", "s-4.ts", "s-5.ts", "s-6.ts", "s-7.ts", "s-8.ts", "s-9.ts", "s.m3u8"]
    );
    let ts = fs::read(dir(&server).join("s-9.ts")).unwrap();
    assert_eq!(pids(&ts).len(), 4);
    source.leave();
    let lines = playlist(&server, "s.m3u8", "s-10.ts");
    assert_eq!(lines.last().unwrap(), "s-10.ts");
    assert!(fs::metadata(dir(&server).join("s-10.ts")).unwrap().len() > 0);
}

#[test]
fn a_second_publish_goes_on_with_the_numbers() {
    let server = start("hls_nested on;");
    let mut source = Source::start(&server, "s");
    source.send_to(2_500);
    source.leave();
    playlist(&server, "s/index.m3u8", "2.ts");
    let mut source = Source::start(&server, "s");
    source.send_to(1_500);
    let lines = playlist(&server, "s/index.m3u8", "3.ts");
    assert!(lines.contains(&"#EXT-X-MEDIA-SEQUENCE:0".to_owned()));
    let at = lines.iter().position(|line| line == "3.ts").unwrap();
    assert_eq!(lines[at - 2], "#EXT-X-DISCONTINUITY");
}

#[test]
fn an_audio_stream_has_segments_too() {
    let server = start("");
    let mut source = Source::audio(&server, "s");
    source.send_to(3_500);
    playlist(&server, "s.m3u8", "s-1.ts");
    assert_eq!(pids(&fs::read(dir(&server).join("s-0.ts")).unwrap()), [0, 0x1001, 0x101]);
}

#[test]
fn a_stop_completes_the_last_segment() {
    let mut server = start("");
    let mut source = Source::start(&server, "s");
    source.send_to(1_500);
    playlist(&server, "s.m3u8", "s-0.ts");
    source.send_to(1_700);
    until_true("the second segment is open", || dir(&server).join("s-1.ts").exists());
    assert!(server.stop().success());
    playlist(&server, "s.m3u8", "s-1.ts");
    assert!(fs::read_to_string(dir(&server).join("s.m3u8")).unwrap().contains("EXTINF:0."));
}

#[test]
fn names_that_lead_elsewhere_write_nothing() {
    let server = start("");
    for name in ["../up", "a/../../up", "/etc/up"] {
        let mut source = Source::start(&server, name);
        source.send_to(2_500);
        source.leave();
    }
    until_true("all are refused", || server.log_lines("the name is not a file name").len() == 3);
    assert_eq!(files_below(&dir(&server)), Vec::<String>::new());
    assert!(!files_below(server.prefix().path()).iter().any(|file| file.contains("up")));
    let mut source = Source::start(&server, "inst/s");
    source.send_to(1_500);
    playlist(&server, "inst/s.m3u8", "s-0.ts");
}

#[test]
fn names_like_files_of_other_streams_are_in_nobodys_way() {
    for (nested, first, names) in [
        ("", ".m3u8", ["zed.m3u8/x", "zed-1.ts/y", "zed.m3u8.tmp/x", "zed"]),
        ("hls_nested on;", "/index.m3u8", ["zed/index.m3u8/x", "zed/1.ts", "zed/index.m3u8.tmp", "zed"]),
    ] {
        let server = start(nested);
        let mut sources: Vec<Source> = names.iter().map(|name| Source::start(&server, name)).collect();
        for source in &mut sources {
            source.send_to(4_500);
        }
        let playlists =
            || files_below(&dir(&server)).into_iter().filter(|file| file.ends_with(first)).count();
        until_true("each has its playlist", || playlists() == names.len());
        assert!(dir(&server).join(format!("zed{first}")).is_file());
        assert!(server.log_lines("failed (").is_empty());
    }
}

#[test]
fn what_cannot_be_written_is_said_once_and_the_stream_goes_on() {
    let server = Server::start(&Conf::live(
        "hls on; hls_path {dir}/conf/pingosd.conf/hls; hls_fragment 1s; cache_time 1s;",
    ));
    let mut source = Source::start(&server, "s");
    source.send_to(5_500);
    server.wait_log("hls: open() \"");
    source.send_to(9_500);
    let player = crate::support::Player::start(server.rtmp, "s");
    player.wait("media", |got| (!got.media.is_empty()).then_some(()));
    source.leave();
    server.wait_log("stopped publishing 's'");
    assert_eq!(
        server.log_lines("failed (20: Not a directory").len(),
        2,
        "at the start, and once for the publish"
    );
}

#[test]
fn a_segment_whose_file_cannot_be_written_is_not_listed() {
    for more in ["", "hls_type event;", "hls_keys on;"] {
        let server = start(more);
        for taken in ["s-1.ts", "s-2.ts"] {
            fs::create_dir_all(dir(&server).join(taken)).unwrap();
        }
        let mut source = Source::start(&server, "s");
        source.send_to(5_500);
        let lines = playlist(&server, "s.m3u8", "s-4.ts");
        let listed: Vec<_> = lines.iter().filter(|line| line.ends_with(".ts")).collect();
        assert_eq!(listed, ["s-0.ts", "s-3.ts", "s-4.ts"], "{more}");
        assert_eq!(lines.iter().filter(|line| *line == "#EXT-X-DISCONTINUITY").count(), 1, "{more}");
        server.wait_log("hls: open() \"");
        source.leave();
        server.wait_log("stopped publishing 's'");
        assert_eq!(server.log_lines("[crit]").len(), 1, "{more}");
    }
}

#[test]
fn variants_share_a_master_playlist() {
    let server =
        start("hls_variant _low BANDWIDTH=160000; hls_variant _hi BANDWIDTH=640000 CODECS=\"avc1\";");
    let mut source = Source::start(&server, "s_low");
    source.send_to(2_500);
    let lines = playlist(&server, "s.m3u8", "s_hi.m3u8");
    let of = |name: &str| lines[lines.iter().position(|line| line == name).unwrap() - 1].as_str();
    // What is known of the one that is published stands behind what is written; of the other there is only that.
    let known = "CODECS=\"avc1.42C00D,mp4a.40.2\",RESOLUTION=320x240";
    assert_eq!(of("s_low.m3u8"), format!("#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=160000,{known}"));
    assert_eq!(of("s_hi.m3u8"), "#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=640000,CODECS=\"avc1\"");
    playlist(&server, "s_low.m3u8", "s_low-0.ts");
}

#[test]
fn many_variants_write_one_master_playlist_and_tell_what_is_known() {
    let suffixes = ["_a", "_b", "_c", "_d"];
    let rules = suffixes.map(|suffix| format!("hls_variant {suffix};")).join(" ");
    let server = start(&format!("{rules} hls_variant _own BANDWIDTH=640000 CODECS=\"mine\";"));
    // None leaves before all have seen it.
    let seen = std::sync::Barrier::new(suffixes.len() + 1);
    std::thread::scope(|scope| {
        for suffix in suffixes.into_iter().chain(["_own"]) {
            let (server, seen) = (&server, &seen);
            scope.spawn(move || {
                let mut source = Source::start(server, &format!("s{suffix}"));
                for second in 1..=12 {
                    source.send_to(second * 1_000 + 100);
                    // Each has something to write at each interval of writing.
                    std::thread::sleep(Duration::from_millis(120));
                }
                let known = "CODECS=\"avc1.42C00D,mp4a.40.2\",RESOLUTION=320x240";
                until_true("what is known of all", || {
                    let text = fs::read_to_string(dir(server).join("s.m3u8")).unwrap_or_default();
                    text.matches(known).count() == 4
                        && text.contains("PROGRAM-ID=1,BANDWIDTH=640000,CODECS=\"mine\",RESOLUTION=320x240\n")
                });
                seen.wait();
            });
        }
    });
    // They have left, and what they were writing is written.
    until_true("no temporary file is left", || {
        !files_below(&dir(&server)).iter().any(|file| file.ends_with(".tmp"))
    });
    assert_eq!(server.log_lines("[crit]"), Vec::<String>::new());
}

#[test]
fn an_event_keeps_its_playlist_and_adds_to_it() {
    let server = start("hls_type event;");
    let mut source = Source::start(&server, "s");
    source.send_to(2_500);
    playlist(&server, "s.m3u8", "s-1.ts");
    let path = dir(&server).join("s.m3u8");
    let first = fs::metadata(&path).unwrap().ino();
    source.send_to(6_500);
    let lines = playlist(&server, "s.m3u8", "s-5.ts");
    assert_eq!(fs::metadata(&path).unwrap().ino(), first, "another file has taken its place");
    assert_eq!(lines.iter().filter(|line| line.ends_with(".ts")).count(), 6, "{lines:?}");
    // A playlist that was removed is written as a whole again.
    fs::remove_file(&path).unwrap();
    source.send_to(7_500);
    server.wait_log("hls: open() \"");
    source.send_to(9_500);
    let lines = playlist(&server, "s.m3u8", "s-8.ts");
    assert_eq!(lines.iter().filter(|line| line.ends_with(".ts")).count(), 9, "{lines:?}");
    assert!(!files_below(&dir(&server)).iter().any(|file| file.ends_with(".tmp")));
}

#[test]
fn a_playlist_that_cannot_be_replaced_leaves_no_temporary_files() {
    let server = start("");
    fs::create_dir_all(dir(&server).join("s.m3u8/in_the_way")).unwrap();
    let mut source = Source::start(&server, "s");
    source.send_to(2_500);
    server.wait_log("rename() \"");
    source.leave();
    server.wait_log("stopped publishing 's'");
    until_true("no temporary file is left", || {
        !files_below(&dir(&server)).iter().any(|file| file.ends_with(".tmp"))
    });
}

/// Makes a file that looks old.
fn old(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "old").unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

#[test]
fn what_an_earlier_server_left_is_removed_and_nothing_else() {
    let server = start("hls_continuous off; hls_keys on; hls_key_path {dir}/keys;");
    let (hls, keys) = (dir(&server), server.prefix().path().join("keys"));
    let mut source = Source::start(&server, "s");
    source.send_to(2_500);
    playlist(&server, "s.m3u8", "s-1.ts");
    for file in ["gone-1.ts", "gone.m3u8", "nested/7.ts", "nested/index.m3u8"] {
        old(&hls.join(file));
    }
    for file in ["app.ts", "index.html", "s-99.ts"] {
        old(&hls.join(file));
    }
    old(&keys.join("gone-1.key"));
    old(&keys.join("server.key"));
    until_true("leftovers are gone", || {
        let left = [files_below(&hls), files_below(&keys)].concat();
        !left.iter().any(|file| file.starts_with("gone") || file.starts_with("nested"))
    });
    // `s-99.ts` is the name of a file of a stream that is being written: its own task looks after those.
    let left = files_below(&hls);
    for file in ["app.ts", "index.html", "s-99.ts", "s-0.ts", "s.m3u8"] {
        assert!(left.contains(&file.to_owned()), "{left:?}");
    }
    assert_eq!(files_below(&keys), ["s-0.key", "server.key"]);
}

#[test]
fn a_server_without_a_place_for_files_says_so() {
    let server = Server::start(&Conf::live("hls on;"));
    assert!(server.prefix().read("stderr").contains("\"hls\" is on without \"hls_path\""));
    let mut source = Source::start(&server, "s");
    source.send_to(100);
    server.wait_log("hls_path is not set");
}

#[test]
fn what_a_killed_server_was_about_to_write_goes_whatever_hls_cleanup_says() {
    let prefix = Prefix::new();
    let dir = prefix.path().join("hls");
    fs::create_dir_all(dir.join("nested")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    let left =
        ["s.m3u8.3.tmp", "s-1.key.0.tmp", "nested/index.m3u8.12.tmp", "s.m3u8", "s-1.ts", "other.7.tmp"];
    for name in left {
        File::create(dir.join(name)).unwrap().set_modified(old).unwrap();
    }
    // Another process may be writing this one.
    File::create(dir.join("t.m3u8.1.tmp")).unwrap();
    let _server = Server::start_in(prefix, &Conf::live(&format!("{HLS} hls_cleanup off;")));
    until_true("only what is not ours, and what is new, is left", || {
        files_below(&dir) == ["other.7.tmp", "s-1.ts", "s.m3u8", "t.m3u8.1.tmp"]
    });
}
