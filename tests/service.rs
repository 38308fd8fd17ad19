//! Operation under a service manager: notifications, and sockets passed by it.

mod support;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use support::server::{Prefix, Signal};
use support::wait::{until, until_true};
use support::{Conf, Player, Publisher, Server, http};

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
}

impl Manager {
    fn new(prefix: &Prefix) -> Self {
        let path = prefix.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Manager { socket, path }
    }

    /// The next message that holds this line; others are thrown away.
    #[track_caller]
    fn wait(&self, line: &str) -> Vec<String> {
        until(line, || {
            let message = self.receive()?;
            message.iter().any(|l| l == line).then_some(message)
        })
    }

    fn receive(&self) -> Option<Vec<String>> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect())
    }
}

fn start(conf: &Conf, watchdog: Option<Duration>) -> (Server, Manager) {
    let prefix = Prefix::new();
    let manager = Manager::new(&prefix);
    let server = Server::start_with(prefix, conf, |command, _, _| {
        command.env("NOTIFY_SOCKET", &manager.path);
        if let Some(watchdog) = watchdog {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
    });
    (server, manager)
}

#[test]
fn the_manager_follows_the_life_of_the_server() {
    let conf = Conf::live("");
    let (mut server, manager) = start(&conf, None);
    let ready = manager.wait("READY=1");
    assert!(ready.iter().any(|line| line.starts_with("STATUS=Serving")), "{ready:?}");
    assert!(!ready.iter().any(|line| line.starts_with("MAINPID=")), "{ready:?}");
    server.reload(&conf);
    let reloading = manager.wait("RELOADING=1");
    let stamp = reloading.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(stamp.parse::<u64>().unwrap() > 0);
    manager.wait("READY=1");
    // Also a reload that is refused comes to its end.
    server.rewrite(&Conf::new("no_such_directive;"));
    server.signal(Signal::SIGHUP);
    manager.wait("RELOADING=1");
    let ready = manager.wait("READY=1");
    assert!(ready.iter().any(|line| line.starts_with("STATUS=") && line.contains("refused")), "{ready:?}");
    let publisher = Publisher::start(server.rtmp, "s");
    server.signal(Signal::SIGQUIT);
    manager.wait("STOPPING=1");
    publisher.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn a_server_that_is_followed_does_not_detach() {
    let prefix = Prefix::new();
    let manager = Manager::new(&prefix);
    let (rtmp, http) = (support::server::free_port(), support::server::free_port());
    let text = Conf::live("").text(rtmp, http, prefix.path()).replace("daemon off;", "daemon on;");
    std::fs::write(prefix.conf(), text).unwrap();
    let mut child = prefix.command().env("NOTIFY_SOCKET", &manager.path).spawn().unwrap();
    manager.wait("READY=1");
    assert_eq!(prefix.read("logs/pingosd.pid").trim(), child.id().to_string());
    support::process::signal(i32::try_from(child.id()).unwrap(), Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_watchdog_is_told_also_while_the_server_drains() {
    let (mut server, manager) = start(&Conf::live(""), Some(Duration::from_millis(60)));
    for _ in 0..3 {
        manager.wait("WATCHDOG=1");
    }
    let publisher = Publisher::start(server.rtmp, "s");
    server.signal(Signal::SIGQUIT);
    manager.wait("STOPPING=1");
    for _ in 0..3 {
        manager.wait("WATCHDOG=1");
    }
    publisher.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn a_server_that_hangs_does_not_say_that_it_is_alive() {
    let (server, manager) = start(&Conf::live(""), Some(Duration::from_millis(60)));
    manager.wait("WATCHDOG=1");
    server.signal(Signal::SIGSTOP);
    let stopped = || support::process::status(server.pid(), "State:").starts_with('T');
    until_true("it is stopped", stopped);
    while manager.receive().is_some() {}
    let end = Instant::now() + Duration::from_millis(500);
    while Instant::now() < end {
        assert_eq!(manager.receive(), None);
    }
    server.signal(Signal::SIGCONT);
    manager.wait("WATCHDOG=1");
}

#[cfg(debug_assertions)]
#[test]
fn the_watchdog_is_told_while_a_reload_hangs() {
    let prefix = Prefix::new();
    let manager = Manager::new(&prefix);
    let fault = prefix.path().join("reload_stalls");
    let mut server = Server::start_with(prefix, &Conf::live(""), |command, _, _| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "60000");
        command.env("PINGOSD_FAULTS", fault.parent().unwrap());
    });
    std::fs::write(&fault, "").unwrap();
    server.signal(Signal::SIGHUP);
    manager.wait("RELOADING=1");
    for _ in 0..3 {
        manager.wait("WATCHDOG=1");
    }
    assert!(server.stop().success());
}

#[cfg(debug_assertions)]
#[test]
fn the_watchdog_is_not_told_while_a_worker_hangs() {
    let prefix = Prefix::new();
    let manager = Manager::new(&prefix);
    let fault = prefix.path().join("delivery_stalls");
    let server = Server::start_with(prefix, &Conf::live(""), |command, _, _| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "60000");
        command.env("PINGOSD_FAULTS", fault.parent().unwrap());
    });
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    std::fs::write(&fault, "").unwrap();
    server.wait_log("no answer from: worker thread 1; the watchdog is not notified");
    while manager.receive().is_some() {}
    // The timer keeps running, but the watchdog is not served.
    let said = server.log_lines("no answer from").len();
    until_true("it is still looked at", || server.log_lines("no answer from").len() > said + 3);
    assert_eq!(manager.receive(), None);
    std::fs::remove_file(&fault).unwrap();
    manager.wait("WATCHDOG=1");
    drop((player, feed));
}

#[test]
fn a_manager_that_is_gone_is_no_obstacle() {
    let prefix = Prefix::new();
    let server = Server::start_with(prefix, &Conf::live(""), |command, _, _| {
        command.env("NOTIFY_SOCKET", "/no/such/socket");
    });
    server.wait_log("the service manager could not be notified");
    Publisher::start(server.rtmp, "s");
}

#[test]
fn sockets_of_the_manager_are_used() {
    let prefix = Prefix::new();
    let path = prefix.path().join("rtmp.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let stranger_port = stranger.local_addr().unwrap().port();
    let mut kept = None;
    let conf = Conf::live("").http_server("listen unix:{dir}/rtmp.sock; return 200 hello;");
    let mut server = Server::start_with(prefix, &conf, |command, rtmp, _| {
        // As systemd does it: one socket for both versions.
        let both = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
        both.set_reuse_address(true).unwrap();
        both.set_only_v6(false).unwrap();
        both.bind(&std::net::SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, rtmp)).into()).unwrap();
        both.listen(100).unwrap();
        let sockets: [OwnedFd; 3] = [both.try_clone().unwrap().into(), stranger.into(), unix.into()];
        kept = Some(both);
        let mappings = sockets.into_iter().zip(3..);
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).unwrap();
        command.env("LISTEN_FDS", "3");
    });
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(support::frame::GOP);
    player.assert_whole(support::frame::Tracks::Both, last);
    assert_eq!(http::get(server.http, "/").text(), "hello");
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    // Unused sockets are closed and logged.
    server.wait_log(&format!("inherited socket 127.0.0.1:{stranger_port} is closed"));
    assert!(std::net::TcpStream::connect(("127.0.0.1", stranger_port)).is_err());
    assert!(server.stop().success());
    // The manager's socket is still there for the next start.
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.rtmp)).is_ok());
    drop(kept);
}

#[test]
fn sockets_meant_for_another_process_are_not_touched() {
    let server = Server::start_with(Prefix::new(), &Conf::live(""), |command, _, _| {
        command.env("LISTEN_FDS", "2").env("LISTEN_PID", "1");
    });
    Publisher::start(server.rtmp, "s");
    assert!(server.log_lines("inherited").is_empty());
}
