//! `record_keep`, `live_record_keep` and `hls_keep`: the oldest files go, never one in use.

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use support::frame::GOP;
use support::server::Prefix;
use support::wait::until_true;
use support::{Conf, Publisher, Server};

/// A file that was modified so many days ago.
fn old_file(path: PathBuf, bytes: usize, days: u64) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, vec![b'x'; bytes]).unwrap();
    let modified = SystemTime::now() - Duration::from_secs(days * 86_400);
    File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
    path
}

fn is_logged(server: &Server, directive: &str, path: &Path) -> bool {
    let line = format!("{directive}: removed \"{}\"", path.display());
    server.log_lines(&line).iter().any(|line| line.contains("[notice]"))
}

#[test]
fn the_oldest_recordings_go_first_and_those_in_use_stay() {
    let prefix = Prefix::new();
    let at = |name: &str, days| old_file(prefix.path().join("rec").join(name), 100_000, days);
    let (read, oldest, older, newer) = (at("read.flv", 9), at("a.flv", 8), at("b.flv", 7), at("c.flv", 6));
    // The same directory by another name, whose application keeps less.
    std::os::unix::fs::symlink("rec", prefix.path().join("link")).unwrap();
    let (foreign, below) = (at("notes.txt", 90), at("below/d.flv", 90));
    let reader = File::open(&read).unwrap();
    let conf = Conf::new(
        "application live { live on; record all; record_path {dir}/rec; record_keep size=150k; }
         application less { live on; record all; record_path {dir}/link; record_keep size=1; }",
    );
    let server = Server::start_in(prefix, &conf);
    // The file being written counts, too; it is not removed, however large.
    let mut publisher = Publisher::start(server.rtmp, "live");
    publisher.set_size(20_000);
    let recorded = server.prefix().path().join("rec/live.flv");
    until_true("it exceeds the bound alone", || {
        publisher.send(GOP);
        fs::metadata(&recorded).is_ok_and(|file| file.len() > 150_000)
    });
    until_true("the oldest file that is free has gone", || !oldest.exists());
    until_true("all that are free have gone", || !older.exists() && !newer.exists());
    assert!(read.exists() && recorded.exists() && foreign.exists() && below.exists());
    for path in [&oldest, &older, &newer] {
        until_true("its removal is logged", || is_logged(&server, "record_keep", path));
    }
    drop(reader);
    until_true("the file has gone that was being read", || !read.exists());
    publisher.send(GOP);
    assert!(recorded.exists());
    server.reload(&Conf::live("record all; record_path {dir}/rec; record_keep age=30d;"));
    let (young, past) = (
        old_file(server.prefix().path().join("rec/young.flv"), 10, 29),
        old_file(server.prefix().path().join("rec/past.flv"), 10, 31),
    );
    until_true("the file that is too old has gone", || !past.exists());
    assert!(young.exists());
}

#[test]
fn a_transport_stream_goes_with_its_index() {
    let prefix = Prefix::new();
    let root = prefix.path().join("ts/default/live");
    let pair = |day: &str, unix: u64, days| {
        [
            old_file(root.join(format!("s/{day}/s_{unix}.ts")), 50_000, days),
            old_file(root.join(format!("s/index/{day}/s-{unix}.m3u8")), 100, days),
        ]
    };
    let (old, new) = (pair("20200101", 1_577_836_800, 40), pair("20200301", 1_583_020_800, 10));
    let other = old_file(prefix.path().join("ts/default/kept/s/20200101/s_1577836800.ts"), 10, 400);
    let past = old_file(prefix.path().join("ts/default/past/s/20200101/s_1577836800.ts"), 10, 400);
    let foreign = old_file(root.join("s/20200101/readme.txt"), 10, 400);
    let server = Server::start_in(
        prefix,
        &Conf::new(
            "live_record_path {dir}/ts; application kept { live on; live_record on; }
             application live { live on; live_record on; live_record_keep age=30d size=1g; }
             application * { live on; live_record on; live_record_keep age=1s; }
             application past { live on; }",
        ),
    );
    until_true("the old recording has gone", || old.iter().all(|path| !path.exists()));
    assert!(new.iter().chain([&other, &foreign, &past]).all(|path| path.exists()));
    for path in &old {
        until_true("its removal is logged", || is_logged(&server, "live_record_keep", path));
    }
}

#[test]
fn hls_files_of_a_stream_that_has_ended_go_together() {
    let prefix = Prefix::new();
    let at = |name: &str, days| old_file(prefix.path().join("hls").join(name), 60_000, days);
    let old = [at("a-0.ts", 9), at("a-1.ts", 8), at("a.m3u8", 8)];
    let new = [at("b-0.ts", 20), at("b-1.ts", 2), at("b.m3u8", 2)];
    let server = Server::start_in(
        prefix,
        &Conf::live("hls on; hls_path {dir}/hls; hls_type event; hls_keep size=200k;"),
    );
    until_true("the older stream has gone", || old.iter().all(|path| !path.exists()));
    assert!(new.iter().all(|path| path.exists()), "the other is as new as its newest file");
    for path in &old {
        until_true("its removal is logged", || is_logged(&server, "hls_keep", path));
    }
}

#[test]
fn settings_without_an_effect_are_reported() {
    let prefix = Prefix::new();
    let warned = |directives: &str| {
        let conf = Conf::live(directives);
        fs::write(prefix.conf(), conf.text(1935, 8080, prefix.path())).unwrap();
        let output = prefix.command().arg("-t").output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let cleaned = warned("hls on; hls_path {dir}/hls; hls_keep age=1d;");
    assert!(cleaned.contains("\"hls_keep\" has no effect"), "{cleaned}");
    let endless = warned("record all; record_path {dir}; record_suffix -%s; record_keep age=1d;");
    assert!(endless.contains("\"record_keep\" has no effect"), "{endless}");
    for wrong in ["1d", "age=0", "age=1d age=2d", "size=x", "off age=1d"] {
        let refused = warned(&format!("record_keep {wrong};"));
        assert!(refused.contains("[emerg]") && refused.contains("invalid value"), "{wrong}: {refused}");
    }
}
