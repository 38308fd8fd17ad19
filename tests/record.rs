//! Recording as FLV and as MPEG-TS: files, their contents, and callbacks about them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use pingosd::wire::MediaKind;
use pingosd::wire::flv::{FlvReader, FlvTag};
use support::disk::SmallDisk;
use support::frame::{Frame, Tracks};
use support::server::Prefix;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http, tool};

/// A server whose directory `rec` exists.
fn start(directives: &str) -> Server {
    start_with(&Conf::live(directives))
}

fn start_with(conf: &Conf) -> Server {
    let prefix = Prefix::new();
    fs::create_dir_all(prefix.path().join("rec")).unwrap();
    Server::start_in(prefix, conf)
}

/// Files below a directory of the prefix, by name.
fn files(server: &Server, directory: &str) -> Vec<PathBuf> {
    fn walk(directory: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.path().is_dir() { walk(&entry.path(), out) } else { out.push(entry.path()) }
        }
    }
    let mut found = Vec::new();
    walk(&server.prefix().path().join(directory), &mut found);
    found.sort();
    found
}

fn tags(path: &Path) -> Vec<FlvTag> {
    let bytes = fs::read(path).unwrap();
    let mut input = &bytes[..];
    let mut reader = FlvReader::new(1 << 20);
    let mut tags = Vec::new();
    while let Some(tag) = reader.read(&mut input).unwrap() {
        tags.push(tag);
    }
    assert!(
        input.is_empty() && reader.is_between_tags(),
        "{}: the file ends in the middle of a tag",
        path.display()
    );
    tags
}

fn wait_recorded(server: &Server, count: usize) {
    until_true("the recordings are complete", || server.log_lines("record: recorded ").len() >= count);
}

#[test]
fn recorders_choose_their_tracks_and_timestamps_start_at_zero() {
    let server = start(
        "record all; record_path {dir}/rec;
         recorder aud { record audio; record_suffix .audio.flv; }
         recorder key { record keyframes; record_suffix .key.flv; }",
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.skip_to(1000);
    publisher.send(120);
    publisher.leave();
    wait_recorded(&server, 3);
    let rec = server.prefix().path().join("rec");
    let all = tags(&rec.join("s.flv"));
    assert_eq!(all[0].kind, MediaKind::Data);
    assert!(all.iter().any(|t| t.kind == MediaKind::Audio) && all.iter().any(|t| t.kind == MediaKind::Video));
    assert_eq!(all.iter().map(|t| t.timestamp).min(), Some(0));
    assert!(all.last().unwrap().timestamp > 0);
    let audio = tags(&rec.join("s.audio.flv"));
    assert!(audio[1..].iter().all(|t| t.kind == MediaKind::Audio) && audio.len() > 10);
    assert_eq!(fs::read(rec.join("s.audio.flv")).unwrap()[4], 4);
    let keys = tags(&rec.join("s.key.flv"));
    assert!(keys[1..].iter().all(|t| t.kind == MediaKind::Video && t.payload[0] >> 4 == 1));
}

/// Frames of the usual publisher, with timestamps of their own.
fn at(tracks: Tracks, n: u64, timestamp: u32) -> Frame {
    Frame { timestamp, ..tracks.frame(n, 100) }
}

#[test]
fn audio_before_the_first_key_frame_is_recorded() {
    let server = start("record all; record_path {dir}/rec;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let audio: Vec<Frame> = (0..100).map(|n| at(Tracks::Audio, n, n as u32 * 30)).collect();
    audio.iter().for_each(|frame| publisher.send_frame(frame));
    (0..25).for_each(|n| publisher.send_frame(&at(Tracks::Video, n, 3_000 + n as u32 * 40)));
    publisher.leave();
    wait_recorded(&server, 1);
    let all = tags(&server.prefix().path().join("rec/s.flv"));
    let recorded = |frame: &Frame| all.iter().any(|tag| tag.payload == frame.payload);
    assert!(audio.iter().all(recorded), "of {} tags", all.len());
    assert_eq!(all.iter().map(|tag| tag.timestamp).max(), Some(3_960));
}

#[test]
fn a_recording_lasts_as_long_as_its_media_whatever_timestamps_jump() {
    let server = start("record all; record_path {dir}/rec;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let mut sent = 0;
    for second in 0..6 {
        for n in 0..25 {
            // Every other second is 5,000 s ahead.
            sent = second % 2 * 5_000_000 + second * 1_000 + n * 40;
            publisher.send_frame(&at(Tracks::Video, u64::from(second * 25 + n), sent));
        }
    }
    player.wait_frame(149);
    publisher.leave();
    wait_recorded(&server, 1);
    let last = |media: &mut dyn Iterator<Item = u32>| media.max().unwrap();
    let recorded = last(&mut tags(&server.prefix().path().join("rec/s.flv")).iter().map(|tag| tag.timestamp));
    assert!((5_500..6_500).contains(&recorded), "{recorded} ms");
    // Without a cache players get the jumps forward as sent.
    let played = last(&mut player.got().media.iter().map(|media| media.timestamp));
    assert!(played > sent, "{played} ms");
}

#[test]
fn a_name_never_leaves_the_directory() {
    let server = start("record all; record_path {dir}/rec;");
    let client = RtmpClient::publish(server.rtmp, "live", "../../x y");
    let mut publisher = Publisher::with(client, Tracks::Both);
    publisher.send(60);
    publisher.leave();
    wait_recorded(&server, 1);
    let names: Vec<_> = files(&server, "rec");
    assert_eq!(names, [server.prefix().path().join("rec/..%2F..%2Fx%20y.flv")]);
}

#[test]
fn appending_continues_the_timestamps() {
    let server = start("record all; record_path {dir}/rec; record_append on;");
    for round in 1..=2 {
        let mut publisher = Publisher::start(server.rtmp, "s");
        publisher.send(60);
        publisher.leave();
        wait_recorded(&server, round);
    }
    let times: Vec<u32> = tags(&server.prefix().path().join("rec/s.flv"))
        .into_iter()
        .filter(|t| t.kind == MediaKind::Video && t.payload.get(1) != Some(&0))
        .map(|t| t.timestamp)
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    let zeros = times.iter().filter(|time| **time == 0).count();
    assert!(zeros <= 1, "{times:?}");
}

#[test]
fn a_limit_ends_the_file_and_keeps_it() {
    let server = start("record all; record_path {dir}/rec; record_max_frames 20;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(300);
    publisher.leave();
    wait_recorded(&server, 1);
    let path = server.prefix().path().join("rec/s.flv");
    let video = tags(&path).iter().filter(|t| t.kind == MediaKind::Video).count();
    assert!((19..=22).contains(&video), "{video}");
}

#[test]
fn without_a_directory_the_log_says_why_and_the_stream_goes_on() {
    let server = start("record all; record_path {dir}/nowhere; record_notify on;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(60);
    server.wait_log("record: open() ");
    assert_eq!(server.log_lines("[crit]").len(), 1);
    publisher.client.wait_status("NetStream.Record.Failed");
    publisher.send(60);
    publisher.leave();
}

#[test]
fn a_file_that_is_removed_is_noticed() {
    let server = start("record all; record_path {dir}/rec;");
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    server.wait_log("record: recording 's'");
    fs::remove_dir_all(server.prefix().path().join("rec")).unwrap();
    server.wait_log("the file was removed");
    publisher.stop().leave();
}

#[test]
fn the_publisher_is_told_and_control_requests_start_and_stop() {
    let conf = Conf::live("recorder m { record all manual; record_path {dir}/rec; record_notify on; }")
        .http_server("location /control { rtmp_control all; }");
    let server = start_with(&conf);
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let record = |method: &str, rec: &str| {
        let target = format!("/control/record/{method}?srv=default&app=live&name=s&rec={rec}");
        let response = http::get(server.http, &target);
        (response.status(), response.text())
    };
    assert_eq!(record("start", "other").0, 500);
    assert!(files(&server, "rec").is_empty());
    assert_eq!(record("start", "m"), (200, "ok\n".to_owned()));
    server.wait_log("record: recording 's'");
    assert_eq!(record("stop", "m").0, 200);
    wait_recorded(&server, 1);
    let mut publisher = feed.stop();
    publisher.client.wait_status("NetStream.Record.Start");
    publisher.client.wait_status("NetStream.Record.Stop");
    publisher.leave();
}

#[test]
fn a_reload_starts_and_ends_recorders_of_running_streams() {
    let server = start("");
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    server.reload(&Conf::live("record all; record_path {dir}/rec;"));
    server.wait_log("record: recording 's'");
    server.reload(&Conf::live("record off;"));
    wait_recorded(&server, 1);
    feed.stop().leave();
    assert_eq!(files(&server, "rec").len(), 1);
}

#[test]
fn a_command_is_run_when_a_recording_is_complete() {
    let server = start(
        r#"recorder r1 { record all; record_path {dir}/rec; record_unique on;
           exec_record_done sh -c 'printf "%s|%s|%s|%s|%s\n" "$0" "$1" "$2" "$3" "$4"' $path $filename $basename $recorder $name >>{dir}/log; }"#,
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(60);
    publisher.leave();
    wait_recorded(&server, 1);
    until_true("the command has written", || server.prefix().read("log").ends_with('\n'));
    let file = files(&server, "rec").remove(0);
    let (path, name) = (file.display(), file.file_name().unwrap().to_string_lossy().into_owned());
    let base = name.strip_suffix(".flv").unwrap();
    assert_eq!(server.prefix().read("log"), format!("{path}|{name}|{base}|r1|s\n"));
}

const LIVE: &str = "live_record_path {dir}/ts; live_record_min_fragment 500ms; live_record_max_fragment 2s;
     live_record_interval 1s;
     on_record {callback}/r stage=start,update,done groupid=g args=p=$pargs;";

fn live(notify: &NotifyServer, directives: &str) -> Server {
    start_with(&Conf::live(&format!("{directives} {LIVE}")).var("callback", notify.url("")))
}

#[test]
fn a_transport_stream_has_an_index_and_callbacks_name_both() {
    let notify = NotifyServer::start();
    let server = live(&notify, "live_record on;");
    let ffmpeg = tool::publish_clip(&format!("rtmp://127.0.0.1:{}/live/s?t=1", server.rtmp));
    let update = notify.wait("call=record act=update");
    ffmpeg.interrupt();
    let done = notify.wait("call=record act=done");
    let fields = ["begintime", "endtime", "index", "file", "groupid", "p"];
    assert_eq!(update.names()[6..], fields);
    assert_eq!(done.names()[6..], fields);
    let start = notify.requests_of("call=record act=start").remove(0);
    assert_eq!(start.names()[6..], ["groupid", "p"]);
    assert!(update.value("file") != done.value("file"), "each tells of its own file");
    for told in [&update, &done] {
        let (begin, end) = (told.value("begintime").parse::<u64>(), told.value("endtime").parse::<u64>());
        assert!(begin.unwrap() <= end.unwrap());
        let file = fs::read(told.value("file")).unwrap();
        assert!(file.len() > 376 && file.len() % 188 == 0 && file.chunks(188).all(|p| p[0] == 0x47));
        let index = fs::read_to_string(told.value("index")).unwrap();
        let number = |line: &str, name: &str| -> usize {
            let at = line.find(&format!("{name}=")).unwrap() + name.len() + 1;
            line[at..].split('&').next().unwrap().parse().unwrap()
        };
        let mut next = 376;
        for line in index.lines() {
            assert_eq!(number(line, "startsize"), next, "{index}");
            next = number(line, "endsize") + 1;
            assert!(number(line, "starttime") <= number(line, "endtime"));
        }
        assert_eq!(next, file.len(), "{index}");
    }
}

#[test]
fn the_answer_to_on_record_decides_and_nothing_begun_is_not_ended() {
    let notify = NotifyServer::start();
    notify.answer("call=record act=start name=no", Answer::Status(403));
    let server = live(&notify, "live_record off;");
    let refused = Publisher::start(server.rtmp, "no").keep_sending();
    let wanted = tool::publish_clip(&format!("rtmp://127.0.0.1:{}/live/yes", server.rtmp));
    server.wait_log("record: recording 'yes'");
    refused.stop().leave();
    wanted.interrupt();
    notify.wait("call=record act=done name=yes");
    assert!(notify.requests_of("call=record act=done name=no").is_empty());
    assert!(files(&server, "ts").iter().all(|file| file.to_string_lossy().contains("/yes/")));
}

#[test]
fn a_written_update_tells_of_the_file_being_written_at_that_interval() {
    let notify = NotifyServer::start();
    let directives = |update: &str| {
        let line = format!("on_record {}/r stage=update,done {update};", notify.url(""));
        format!("live_record on; live_record_path {{dir}}/ts; live_record_interval 24h; {line}")
    };
    let server = start(&directives(""));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    server.wait_log("record: recording 's'");
    // Without it there are no callbacks about the file being written; a reload that adds it starts them.
    server.reload(&Conf::live(&directives("update=200ms")));
    let updates = notify.wait_count("call=record act=update", 3);
    assert_eq!(updates[0].names()[6..], ["begintime", "endtime", "index", "file"]);
    assert!(Path::new(updates[0].value("file")).exists() && Path::new(updates[0].value("index")).exists());
    for pair in updates.windows(2) {
        let end = |at: usize| pair[at].value("endtime").parse::<u64>().unwrap();
        assert!(end(1) >= end(0) + 200 && pair[0].value("begintime").parse::<u64>().unwrap() <= end(0));
        for same in ["begintime", "index", "file", "clientid"] {
            assert_eq!(pair[0].value(same), pair[1].value(same));
        }
    }
    publisher.stop().leave();
    let done = notify.wait("call=record act=done");
    assert_eq!(done.value("file"), updates[0].value("file"));
    assert_eq!(notify.requests().last().unwrap().value("act"), "done");
}

#[test]
fn a_refused_heartbeat_ends_the_recording_under_the_old_name_only() {
    for (name, ends) in [("oclp_record", true), ("on_record", false)] {
        let notify = NotifyServer::start();
        notify.answer("call=record act=update", Answer::Status(403));
        let line = format!("{name} {}/r stage=update,done update=200ms;", notify.url(""));
        let server = start(&format!("live_record_path {{dir}}/ts; live_record_interval 24h; {line}"));
        let publisher = Publisher::start(server.rtmp, "s").keep_sending();
        if ends {
            notify.wait("call=record act=done");
            assert_eq!(notify.requests_of("call=record act=update").len(), 1);
        } else {
            notify.wait_count("call=record act=update", 3);
            assert!(notify.requests_of("call=record act=done").is_empty());
        }
        publisher.stop().leave();
        notify.wait("call=record act=done");
    }
}

#[test]
fn a_full_disk_is_left_without_empty_and_temporary_files() {
    let prefix = Prefix::new();
    let Some(disk) = SmallDisk::mount(&prefix.path().join("full"), "64k") else { return };
    fs::write(disk.0.join("rest"), vec![0; 64 * 1024]).unwrap();
    let conf = Conf::live(
        "record all; record_path {dir}/full; record_unique on; record_suffix -%S.flv;
         live_record on; live_record_path {dir}/full;
         hls on; hls_path {dir}/full; hls_fragment 1s;",
    );
    let server = Server::start_in(prefix, &conf);
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    server.wait_log("record: write() \"");
    server.wait_log("hls: ");
    feed.stop().leave();
    server.wait_log("stopped publishing 's'");
    let left = || -> Vec<String> {
        let names =
            fs::read_dir(&disk.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(".flv") || name.ends_with(".tmp")).collect();
        names.sort_unstable();
        names
    };
    until_true("neither empty recordings nor temporary files", || left().is_empty());
}
