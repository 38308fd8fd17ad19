//! The process: values kept until the next start, logs, and watching of files.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::support::process::status;
use crate::support::raw::Raw;
use crate::support::server::{Prefix, Signal};
use crate::support::wait::until_true;
use crate::support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server};
use crate::walk::{Case, Place, walk};

pub const CASES: &[Case] = &[
    Case {
        row: "core/error_log",
        place: Place::Main,
        before: "error_log logs/one.log info;",
        after: "error_log logs/two.log info;",
        look: |walk| {
            let publisher = walk.publish("s");
            Box::new(move || {
                publisher.leave();
                let log = || walk.server.prefix().read("logs/two.log");
                until_true("the session's end in the new log", || log().contains("stopped publishing 's'"));
                assert!(!walk.server.prefix().read("logs/one.log").contains("stopped publishing 's'"));
            })
        },
    },
    Case {
        row: "core/log_args",
        place: Place::Main,
        before: "log_args off;",
        after: "log_args on;",
        look: |walk| {
            walk.publish("t?token=secret").leave();
            walk.server.wait_log("args='token=***'");
            Box::new(move || {
                walk.publish("t?token=secret").leave();
                walk.server.wait_log("args='token=secret'");
                assert_eq!(walk.server.log_lines("token=secret").len(), 1);
            })
        },
    },
    Case {
        row: "core/conf_watch",
        place: Place::Main,
        before: "conf_watch off;",
        after: "conf_watch 50ms;",
        look: |walk| {
            Box::new(move || {
                // Another edit, of which no signal tells.
                let path = walk.server.prefix().conf();
                let text = fs::read_to_string(&path).unwrap();
                let edited = format!("{text}\n# edited\n");
                fs::write(walk.server.prefix().path().join("conf/new"), edited).unwrap();
                fs::rename(walk.server.prefix().path().join("conf/new"), path).unwrap();
                walk.server.wait_log(" reloaded, generation 3");
            })
        },
    },
];

/// What stands in `main` before, and afterwards: rows of class *restart*.
pub const KEPT: &[(&str, &str, &str)] = &[
    ("core/user", "user root;", "user daemon;"),
    ("core/daemon", "daemon off;", "daemon on;"),
    ("core/worker_processes", "worker_processes 2;", "worker_processes 4;"),
    ("core/worker_failure", "worker_failure replace;", "worker_failure exit;"),
    ("core/worker_rlimit_nofile", "worker_rlimit_nofile 4000;", "worker_rlimit_nofile 5000;"),
    ("core/worker_rlimit_core", "worker_rlimit_core 1m;", "worker_rlimit_core 2m;"),
    ("core/worker_shutdown_timeout", "worker_shutdown_timeout 300ms;", "worker_shutdown_timeout 1h;"),
    ("core/worker_priority", "worker_priority 3;", "worker_priority 4;"),
    ("core/working_directory", "working_directory {dir}/html;", "working_directory {dir}/logs;"),
    ("core/pid", "pid logs/pingosd.pid;", "pid logs/other.pid;"),
    ("core/control_socket", "control_socket logs/one.sock;", "control_socket logs/two.sock;"),
    ("core/conf_generations", "conf_generations {dir}/one;", "conf_generations {dir}/two;"),
    ("events/delivery", "delivery uring;", "delivery writev;"),
    ("events/worker_connections", "worker_connections 5;", "worker_connections 100;"),
];

/// All of them as a file, with the values of this side.
fn text(
    conf: &Conf,
    rtmp: u16,
    http: u16,
    prefix: &Path,
    side: fn(&(&str, &'static str, &'static str)) -> &'static str,
) -> String {
    let text = conf.text(rtmp, http, prefix);
    let usual = ["user root;", "daemon off;", "worker_processes 2;", "pid logs/pingosd.pid;"];
    let text = usual.iter().fold(text, |text, line| text.replacen(line, "", 1));
    let lines = |events: bool| -> String {
        let rows = KEPT.iter().filter(|(row, ..)| row.starts_with("events/") == events);
        rows.map(|row| side(row).replace("{dir}", &prefix.display().to_string())).collect()
    };
    format!("{}\n{}", lines(false), text.replace("events {", &format!("events {{ {}", lines(true))))
}

#[test]
fn what_a_restart_changes_is_kept_and_warned_of() {
    let told = NotifyServer::start();
    let conf = Conf::live("").rtmp(&format!("on_proc {};", told.url("/")));
    let prefix = Prefix::new();
    let path = prefix.path().to_owned();
    let write = {
        let (conf, path) = (conf.clone(), path.clone());
        move |rtmp, http, side| {
            fs::write(path.join("conf/pingosd.conf"), text(&conf, rtmp, http, &path, side)).unwrap();
        }
    };
    // The server begins with the values before; `prepare` comes when the ports are known.
    let mut server = Server::start_with(prefix, &conf, |_, rtmp, http| write(rtmp, http, |row| row.1));
    let (player, mut publisher) = (Player::start(server.rtmp, "s"), Publisher::start(server.rtmp, "s"));
    let process = |server: &Server| {
        let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
        let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let cwd = fs::read_link(format!("/proc/{}/cwd", server.pid())).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let nice = stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().to_owned();
        (
            status(server.pid(), "Uid:"),
            limit("Max open files"),
            limit("Max core file size"),
            cwd,
            rings(server),
            nice,
        )
    };
    let before = process(&server);
    assert!(before.1.contains("4000") && before.2.contains("1048576"), "{before:?}");
    assert_eq!(before.5, "3");
    assert_eq!(before.3, path.join("html").canonicalize().unwrap());
    let workers = told.wait_count("call=init_process", 2).len();
    write(server.rtmp, server.http, |row| row.2);
    server.signal(Signal::SIGHUP);
    server.wait_log(" reloaded, generation 2");
    for (row, ..) in KEPT {
        let name = row.split('/').nth(1).unwrap();
        let warning = format!("\"{name}\" has changed, the change takes effect after a restart only");
        until_true(&warning, || server.log_lines("[warn]").iter().any(|line| line.contains(&warning)));
    }
    assert!(server.is_running(), "it has not become a daemon");
    assert_eq!(process(&server), before);
    // Workers are announced again, as many as before.
    assert_eq!(told.wait_count("call=init_process", 2 * workers).len(), 2 * workers);
    let logs = path.join("logs");
    assert!(logs.join("pingosd.pid").exists() && !logs.join("other.pid").exists());
    assert!(UnixStream::connect(logs.join("one.sock")).is_ok() && !logs.join("two.sock").exists());
    until_true("the generation in the old directory", || files(&path.join("one")) > 0);
    assert_eq!(files(&path.join("two")), 0);
    let newcomer = RtmpClient::play(server.rtmp, "live", "s").wait_started();
    player.wait_frame(publisher.send(40));
    let crowd: Vec<Raw> = (0..10).map(|_| Raw::open(server.rtmp)).collect();
    server.wait_log("10 worker_connections are not enough");
    drop(crowd);
    server.signal(Signal::SIGQUIT);
    // The player stays, but not for an hour.
    server.wait_exit();
    drop((player, newcomer, told));
}

/// Rings of io_uring that the server has open; none where the system has not.
fn rings(server: &Server) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains("io_uring")).count()
}

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn logs() {
    walk(&CASES[..2]);
}

#[test]
fn watching() {
    walk(&CASES[2..]);
}
