//! The process: one per pid file, its limits, and messages to peers at its end.

mod support;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use pingosd::wire::rtmp::client_session::ClientPurpose;
use support::server::{Prefix, Signal};
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server, process, rtmp};

/// A limit of the process: soft and hard.
fn limit(pid: i32, name: &str) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn a_second_server_with_the_same_pid_file_is_refused() {
    let mut server = Server::start(&Conf::live(""));
    let pid_file = server.prefix().path().join("logs/pingosd.pid");
    let text = fs::read_to_string(&pid_file).unwrap();
    // Other addresses: only the pid file is shared.
    let other = Conf::live("").text(
        support::server::free_port(),
        support::server::free_port(),
        server.prefix().path(),
    );
    let conf = server.prefix().write("conf/other.conf", other);
    let mut command = std::process::Command::new(support::server::PROGRAM);
    command.arg("-p").arg(server.prefix().path()).arg("-c").arg(conf).stdin(Stdio::null());
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains(&format!("belongs to process {}, which is running", server.pid())), "{said}");
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), text);
    assert!(server.stop().success());
    assert!(!pid_file.exists());
}

#[test]
fn a_stale_pid_file_is_no_obstacle() {
    let prefix = Prefix::new();
    // The number is of a process that runs, but it does not hold the file.
    prefix.write("logs/pingosd.pid", format!("{}\n", std::process::id()));
    let server = Server::start_in(prefix, &Conf::live(""));
    assert_eq!(server.prefix().read("logs/pingosd.pid").trim(), server.pid().to_string());
}

#[test]
fn a_server_that_was_killed_can_be_started_again() {
    let prefix = Prefix::new();
    let (rtmp, http) = (support::server::free_port(), support::server::free_port());
    fs::write(prefix.conf(), Conf::live("").text(rtmp, http, prefix.path())).unwrap();
    for _ in 0..2 {
        let mut child = prefix.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id().to_string();
        until_true("it serves", || {
            assert!(child.try_wait().unwrap().is_none(), "{}", prefix.read("logs/error.log"));
            let log = prefix.read("logs/error.log");
            log.lines().any(|line| line.contains(&format!(" {pid}#")) && line.contains(" started, "))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(prefix.read("logs/pingosd.pid").trim(), pid);
    }
}

#[test]
fn a_start_that_fails_leaves_no_pid_file() {
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let prefix = Prefix::new();
    let port = taken.local_addr().unwrap().port();
    fs::write(prefix.conf(), Conf::live("").text(port, support::server::free_port(), prefix.path())).unwrap();
    let failed = prefix.command().stdin(Stdio::null()).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("bind() to "), "{failed:?}");
    assert!(!prefix.path().join("logs/pingosd.pid").exists());
}

#[test]
fn a_pid_file_that_is_none_is_left_alone() {
    let prefix = Prefix::new();
    let text = Conf::live("").text(support::server::free_port(), support::server::free_port(), prefix.path());
    fs::write(prefix.conf(), text.replace("pid logs/pingosd.pid", "pid /dev/null")).unwrap();
    let mut child = prefix.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_true("it serves", || prefix.read("logs/error.log").contains(" started, "));
    process::signal(i32::try_from(child.id()).unwrap(), Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
    assert!(fs::metadata("/dev/null").is_ok());
}

#[test]
fn limits_and_the_working_directory_are_set() {
    let server = Server::start(
        &Conf::live("")
            .main("worker_rlimit_nofile 700; worker_rlimit_core 64k; working_directory {dir}/html;"),
    );
    let pid = server.pid();
    assert_eq!(limit(pid, "Max open files").0, "700");
    assert_eq!(limit(pid, "Max core file size").0, "65536");
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    assert_eq!(cwd, server.prefix().path().join("html").canonicalize().unwrap());
}

#[test]
fn every_thread_has_the_priority() {
    let server = Server::start(&Conf::live("").main("worker_priority 7;"));
    for task in fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        // The allocator's thread begins before the configuration is read.
        if stat.contains("(jemalloc") {
            continue;
        }
        // The fields after the name, which is in parentheses; the nice value is the 19th of all.
        let fields = stat.rsplit(") ").next().unwrap();
        assert_eq!(fields.split(' ').nth(16), Some("7"), "{stat}");
    }
}

#[test]
fn a_server_that_gave_root_up_may_still_dump_core() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let prefix = Prefix::new();
    let text = Conf::live("").text(support::server::free_port(), support::server::free_port(), prefix.path());
    fs::write(prefix.conf(), text.replacen("user root;", "user nobody nogroup; worker_rlimit_core 1m;", 1))
        .unwrap();
    let mut child = prefix.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_true("it serves", || prefix.read("logs/error.log").contains(" started, "));
    let pid = i32::try_from(child.id()).unwrap();
    // The kernel gives the files of a process that cannot be dumped to root.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{pid}/stat")).unwrap());
    assert_ne!(owner, 0);
    assert_eq!(process::status(pid, "Groups:"), "65534", "all groups of root are gone");
    process::signal(pid, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}

#[test]
fn term_tells_the_publisher_and_all_ends() {
    let notify = NotifyServer::start();
    let conf = Conf::live("on_publish {callback}/ stage=done; on_play {callback}/ stage=done;")
        .var("callback", notify.url(""));
    let mut server = Server::start(&conf);
    let mut settings = rtmp::settings(server.rtmp, "live", ClientPurpose::Publish { name: "s".into() });
    settings.extra.push(("capsEx".into(), 1.0.into()));
    let mut publisher = RtmpClient::open(server.rtmp, settings).wait_started();
    let player = Player::start(server.rtmp, "s");
    server.signal(Signal::SIGTERM);
    publisher.wait_status("NetConnection.Connect.AppShutdown");
    player.wait_end();
    assert!(server.wait_exit().success());
    notify.wait("call=publish act=done");
    notify.wait("call=play act=done");
}

#[test]
fn a_signal_that_follows_the_first_connection_at_once_waits_for_the_start() {
    const WORKERS: usize = 2;
    let notify = NotifyServer::start();
    let conf = Conf::live("").rtmp("on_proc {callback}/;").var("callback", notify.url(""));
    for round in 1..=5 {
        let (prefix, rtmp) = (Prefix::new(), support::server::free_port());
        fs::write(prefix.conf(), conf.text(rtmp, support::server::free_port(), prefix.path())).unwrap();
        let mut child = prefix.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Tried without a pause, so that the signal arrives as early as one can that follows a connection.
        until_true("it accepts a connection", || {
            (0..10_000).any(|_| std::net::TcpStream::connect(("127.0.0.1", rtmp)).is_ok())
        });
        process::signal(i32::try_from(child.id()).unwrap(), Signal::SIGTERM);
        assert!(child.wait().unwrap().success());
        notify.wait_count("call=init_process", round * WORKERS);
    }
}

#[test]
fn quit_asks_clients_that_can_to_connect_again() {
    let mut server = Server::start(&Conf::live(""));
    let mut settings = rtmp::settings(server.rtmp, "live", ClientPurpose::Publish { name: "s".into() });
    settings.extra.push(("capsEx".into(), 1.0.into()));
    let mut able = RtmpClient::open(server.rtmp, settings).wait_started();
    let mut other = Publisher::start(server.rtmp, "t");
    server.signal(Signal::SIGQUIT);
    able.wait_status("NetConnection.Connect.ReconnectRequest");
    able.leave();
    // It continues as long as it likes, and receives nothing that it might not understand.
    server.wait_log("reason: ");
    other.send(20);
    other.client.read(Duration::from_millis(50));
    while let Some(event) = other.client.poll_event() {
        assert!(!format!("{event:?}").contains("Reconnect"), "{event:?}");
    }
    assert!(server.is_running());
    other.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn a_log_that_is_not_read_holds_nothing_up() {
    let prefix = Prefix::new();
    let path = prefix.path().join("logs/fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let conf = Conf::live("").main("error_log logs/fifo info;").http_server("location / { deny all; }");
    let mut server = Server::start_in(prefix, &conf);
    // Far more than a FIFO holds.
    for _ in 0..15 {
        let mut client = support::http::Connection::open(server.http);
        for _ in 0..100 {
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(client.response(false).status(), 403);
        }
    }
    // The other log has every line: each has a thread of its own.
    until_true("the other log is complete", || server.log_lines("access forbidden by rule").len() == 1500);
    // Nor the end, which waits for the log for a moment only.
    assert!(server.stop().success());
    drop(reader);
}
