//! Listening sockets: their options as the system has them, the sharing of sockets, and changes by reloads and upgrades.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::GetSockOpt;
use nix::{getsockopt_impl, sockopt_impl};
use socket2::Socket;
use support::http::{Connection, get};
use support::server::{Prefix, Signal, free_port};
use support::sockets::sockets;
use support::upgrade::{Successor, start};
use support::wait::{PATIENCE, until, until_true};
use support::{Conf, Publisher, Server};

sockopt_impl!(
    /// Whether connections are accepted only once data has arrived.
    DeferAccept, GetOnly, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, libc::c_int);
sockopt_impl!(
    /// Length of the queue of TCP Fast Open.
    FastOpen, GetOnly, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, libc::c_int);
sockopt_impl!(
    /// State of a connection.
    Info, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info);

fn listening(server: &Server, port: u16) -> Vec<Socket> {
    sockets(server.pid(), port, true)
}

/// Length of the accept queue.
fn backlog(socket: &impl AsFd) -> u32 {
    // Of a listening socket these are the number of waiting connections and their maximum.
    Info.get(&socket).unwrap().tcpi_sacked
}

fn defers(socket: &impl AsFd) -> bool {
    DeferAccept.get(&socket).unwrap() > 0
}

fn fast_open(socket: &impl AsFd) -> i32 {
    FastOpen.get(&socket).unwrap()
}

/// A server with one `listen` line of http beside the usual ones.
fn conf(line: &str) -> Conf {
    Conf::live("").http(&format!("server {{ listen {line}; return 200 own; }}"))
}

/// Requests, one after the other on connections of their own, that must all be answered.
struct Requests {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU32>,
    thread: JoinHandle<()>,
}

impl Requests {
    fn start(port: u16) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let thread = thread::spawn({
            let (stop, count) = (stop.clone(), count.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(get(port, "/").text(), "own");
                    count.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Requests { stop, count, thread }
    }

    /// Waits until more requests have been answered.
    fn go_on(&self) {
        let before = self.count.load(Ordering::Relaxed);
        until_true("further requests are answered", || {
            assert!(!self.thread.is_finished(), "a request has failed");
            self.count.load(Ordering::Relaxed) > before + 20
        });
    }

    fn finish(self) {
        self.go_on();
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

#[test]
fn options_reach_the_sockets() {
    let port = free_port();
    let server = Server::start(&conf(&format!(
        "127.0.0.1:{port} backlog=7 rcvbuf=40000 sndbuf=50000 deferred fastopen=9 so_keepalive=50:6:7"
    )));
    let [socket] = &listening(&server, port)[..] else { panic!() };
    assert_eq!((backlog(socket), fast_open(socket), defers(socket)), (7, 9, true));
    // Linux doubles the sizes.
    assert_eq!((socket.recv_buffer_size().unwrap(), socket.send_buffer_size().unwrap()), (80000, 100_000));
    assert!(!socket.reuse_port().unwrap());
    let mut connection = Connection::open(port);
    connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(connection.response(false).text(), "own");
    let [accepted] = &sockets(server.pid(), port, false)[..] else { panic!() };
    assert!(accepted.keepalive().unwrap());
    assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(50));
    assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(6));
    assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 7);
    // Sockets without options.
    for port in [server.rtmp, server.http] {
        let [socket] = &listening(&server, port)[..] else { panic!() };
        assert_eq!((backlog(socket), fast_open(socket), defers(socket)), (511, 0, false));
    }
    let _publisher = Publisher::start(server.rtmp, "s");
    assert!(!sockets(server.pid(), server.rtmp, false)[0].keepalive().unwrap());
}

#[test]
fn a_reload_changes_open_sockets_without_losing_connections() {
    let port = free_port();
    let line = |options: &str| conf(&format!("127.0.0.1:{port} {options}"));
    let server = Server::start(&line(""));
    let requests = Requests::start(port);
    let one = || listening(&server, port).into_iter().next().unwrap();
    server.reload(&line("backlog=9 deferred fastopen=3 rcvbuf=40000 so_keepalive=30"));
    let socket = one();
    assert_eq!((backlog(&socket), fast_open(&socket), defers(&socket)), (9, 3, true));
    assert_eq!(socket.recv_buffer_size().unwrap(), 80000);
    requests.go_on();
    let keepalive = |server: &Server| {
        let mut connection = Connection::open(port);
        connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        connection.response(false);
        let peer = connection.socket.local_addr().unwrap();
        let is_its = |socket: &&Socket| socket.peer_addr().is_ok_and(|addr| addr.as_socket() == Some(peer));
        let accepted = sockets(server.pid(), port, false);
        let accepted = accepted.iter().find(is_its).unwrap();
        accepted.keepalive().unwrap().then(|| accepted.tcp_keepalive_time().unwrap())
    };
    assert_eq!(keepalive(&server), Some(Duration::from_secs(30)));
    server.reload(&line("so_keepalive=off"));
    let socket = one();
    assert_eq!((backlog(&socket), defers(&socket)), (511, false));
    assert_eq!(keepalive(&server), None);
    requests.finish();
    assert!(server.log_lines("[alert]").is_empty());
}

#[test]
fn reuseport_opens_a_socket_per_worker() {
    let port = free_port();
    let line = |options: &str| conf(&format!("127.0.0.1:{port} {options}"));
    let mut server = Server::start(&line("reuseport backlog=20"));
    let open = listening(&server, port);
    assert_eq!(open.len(), 2);
    assert!(open.iter().all(|socket| socket.reuse_port().unwrap() && backlog(socket) == 20));
    drop(open);
    for _ in 0..50 {
        assert_eq!(get(port, "/").text(), "own");
    }
    // Without it, both go on accepting: connections may wait in either.
    let requests = Requests::start(port);
    server.reload(&line(""));
    requests.go_on();
    server.reload(&line("reuseport"));
    assert_eq!(listening(&server, port).len(), 2);
    requests.finish();
    assert!(server.stop().success());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_reload_adds_the_sockets_of_reuseport() {
    let port = free_port();
    let line = |options: &str| conf(&format!("127.0.0.1:{port} {options}"));
    let server = Server::start(&line(""));
    assert_eq!(listening(&server, port).len(), 1);
    let requests = Requests::start(port);
    // A reload that fails afterwards changes nothing.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = taken.local_addr().unwrap().port();
    server.rewrite(&conf(&format!("127.0.0.1:{port} reuseport; listen 127.0.0.1:{other}")));
    server.signal(Signal::SIGHUP);
    server.wait_log(&format!("bind() to 127.0.0.1:{other} failed"));
    assert_eq!(listening(&server, port).len(), 1);
    server.reload(&line("reuseport"));
    let open = listening(&server, port);
    assert_eq!(open.len(), 2);
    assert!(open.iter().all(|socket| socket.reuse_port().unwrap()));
    requests.finish();
}

#[test]
fn an_upgrade_takes_over_all_sockets_of_reuseport() {
    let port = free_port();
    let (mut server, _) = start(&conf(&format!("127.0.0.1:{port} reuseport backlog=20")));
    let requests = Requests::start(port);
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    requests.go_on();
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    requests.go_on();
    let open = sockets(successor.0, port, true);
    assert_eq!(open.len(), 2);
    assert!(open.iter().all(|socket| backlog(socket) == 20));
    requests.finish();
}

/// The answer over a Unix socket to a request for this host.
fn ask_unix(path: &Path, host: &str) -> String {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn unix_sockets_are_shared_replaced_and_removed() {
    let prefix = Prefix::new();
    let path = prefix.path().join("h.sock");
    // A killed server has left it behind.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let conf = |options: &str| {
        Conf::live("").http(&format!(
            "server {{ listen unix:{{dir}}/h.sock; return 200 first; }}
             server {{ listen unix:{{dir}}/h.sock {options}; server_name b.test; return 200 second; }}"
        ))
    };
    let mut server = Server::start_in(prefix, &conf("backlog=30 rcvbuf=40000"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    assert_eq!((ask_unix(&path, "a.test"), ask_unix(&path, "b.test")), ("first".into(), "second".into()));
    server.reload(&conf("default_server so_keepalive=on"));
    assert_eq!(ask_unix(&path, "a.test"), "second");
    // Another server does not take over a socket in use.
    let mut other = server.prefix().command();
    let output = other.args(["-g", "pid other.pid; control_socket off;"]).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(ask_unix(&path, "b.test"), "second");
    assert!(server.stop().success());
    assert!(!path.exists());
}

#[test]
fn a_unix_socket_outlives_the_process_that_hands_it_on() {
    let (mut server, _) = start(&Conf::live("").http("server { listen unix:{dir}/h.sock; return 200 own; }"));
    let path = server.prefix().path().join("h.sock");
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    assert_eq!(ask_unix(&path, "h"), "own");
    successor.signal(Signal::SIGTERM);
    until_true("the file is removed", || !path.exists());
}

#[test]
fn each_worker_has_a_socket_of_multi_listen_and_serves_its_connections() {
    let prefix = Prefix::new();
    let mut ports = std::iter::repeat_with(|| (free_port(), free_port()));
    let (base, _) = ports.find(|(first, second)| first + 1 == *second).expect("ports follow one another");
    // A killed server has left it behind.
    drop(UnixListener::bind(prefix.path().join("w.1")).unwrap());
    let conf = |events: &str| {
        Conf::live("")
            .events(events)
            .http_server("location /denied { deny all; } location / { return 200 $server_port; }")
    };
    let lines = format!(
        "multi_listen unix:{{dir}}/w {{http_port}}; multi_listen 127.0.0.1:{base} {{http_port}}; multi_listen unix:{{dir}}/r {{rtmp_port}}; multi_listen unix:{{dir}}/lost 9;"
    );
    let mut server = Server::start_in(prefix, &conf(&lines));
    let path = |name: &str| server.prefix().path().join(name);
    let (http, rtmp) = (server.http, server.rtmp);
    assert!(!path("lost.0").exists());
    for worker in ["w.0", "w.1"] {
        assert_eq!(ask_unix(&path(worker), "h"), "");
        for _ in 0..3 {
            let mut socket = UnixStream::connect(path(worker)).unwrap();
            write!(socket, "GET /denied?{worker} HTTP/1.0\r\n\r\n").unwrap();
            socket.read_to_end(&mut Vec::new()).unwrap();
        }
    }
    // `pid#tid` stands in front: one thread serves each socket.
    let threads = |worker: &str| -> std::collections::BTreeSet<String> {
        let lines = server.log_lines(&format!("denied?{worker}"));
        assert_eq!(lines.len(), 3);
        lines.iter().map(|line| line.split(['#', ':']).nth(3).unwrap().to_owned()).collect()
    };
    let (first, second) = (threads("w.0"), threads("w.1"));
    assert!(first.len() == 1 && second.len() == 1 && first != second, "{first:?} {second:?}");
    assert_eq!(
        (get(base, "/").text(), get(base + 1, "/").text()),
        (base.to_string(), (base + 1).to_string())
    );
    assert_eq!(get(http, "/").text(), http.to_string());
    let mut handshake = UnixStream::connect(path("r.1")).unwrap();
    handshake.write_all(&[vec![3], vec![0; 1536]].concat()).unwrap();
    handshake.set_read_timeout(Some(PATIENCE)).unwrap();
    handshake.read_exact(&mut [0; 1 + 1536]).unwrap();
    let _publisher = Publisher::start(rtmp, "s");
    assert!(server.stop().success());
    let prefix = server.prefix().path();
    assert!(["w.0", "w.1", "r.0", "r.1"].iter().all(|name| !prefix.join(name).exists()));
}

#[test]
fn ports_of_workers_must_exist() {
    let server = Server::start(&Conf::live(""));
    server.rewrite(&Conf::live("").events("multi_listen 127.0.0.1:65535 {rtmp_port};"));
    let said = "bind() to 127.0.0.1:65535 failed (the ports of 2 workers exceed 65535)";
    for arguments in [&["-t"][..], &["-s", "reload"]] {
        let output = server.prefix().command().args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && text.contains(said), "{text}");
    }
    Publisher::start(server.rtmp, "s").leave();
}

#[test]
fn an_upgrade_takes_over_the_sockets_of_workers() {
    let conf = Conf::live("")
        .events("multi_listen unix:{dir}/w {http_port};")
        .http_server("location / { return 200 own; }");
    let (mut server, _) = start(&conf);
    let path = |name: &str| server.prefix().path().join(name);
    let paths = [path("w.0"), path("w.1")];
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    assert!(paths.iter().all(|path| ask_unix(path, "h") == "own"));
    successor.signal(Signal::SIGTERM);
    until_true("the files are removed", || paths.iter().all(|path| !path.exists()));
}

/// Whether this machine has IPv6.
fn has_v6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn ask_at(addr: SocketAddr) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer.rsplit("\r\n\r\n").next().unwrap().to_owned())
}

#[test]
fn ipv6_sockets_leave_ipv4_to_others_unless_told() {
    if !has_v6() {
        return;
    }
    let [both, shared] = [free_port(), free_port()];
    let conf = |only: &str| {
        Conf::live("").http(&format!(
            "server {{ listen [::]:{shared}; return 200 six; }}
             server {{ listen {shared}; return 200 four; }}
             server {{ listen [::]:{both} ipv6only={only}; return 200 $remote_addr; }}
             server {{ listen [::1]:{shared}; return 200 local; }}"
        ))
    };
    let server = Server::start(&conf("off"));
    let [v4, v6] = ["127.0.0.1", "::1"].map(|ip| ip.parse().unwrap());
    let ask = |ip, port| ask_at(SocketAddr::new(ip, port)).unwrap();
    assert_eq!((ask(v4, shared), ask(v6, shared)), ("four".into(), "local".into()));
    assert_eq!((ask(v4, both), ask(v6, both)), ("127.0.0.1".into(), "::1".into()));
    // What only a new socket can have is told.
    server.reload(&conf("on"));
    server.wait_log(&format!("it takes effect on [::]:{both} after a restart"));
    assert_eq!(ask(v4, both), "127.0.0.1");
    let server = server.again();
    assert!(ask_at(SocketAddr::new(v4, both)).is_err());
    drop(server);
}

#[test]
fn a_range_of_ports_is_listened_on() {
    // Other tests take ports at the same time.
    let first = until("three ports in a row", || {
        let [first, second, third] = std::array::from_fn(|_| free_port());
        (second == first + 1 && third == first + 2).then_some(first)
    });
    let server = Server::start(&conf(&format!("127.0.0.1:{first}-{}", first + 2)));
    for port in first..=first + 2 {
        assert_eq!(get(port, "/").text(), "own");
    }
    server.reload(&conf(&format!("127.0.0.1:{first}-{}", first + 1)));
    until_true("the last port is closed", || TcpStream::connect(("127.0.0.1", first + 2)).is_err());
    assert_eq!(get(first, "/").text(), "own");
}

#[test]
fn rtmp_sockets_have_the_same_options() {
    let port = free_port();
    let server = Server::start(&Conf::new(&format!(
        "listen 127.0.0.1:{port} backlog=8 reuseport so_keepalive=20::; application live {{ live on; }}"
    )));
    let open = listening(&server, port);
    assert_eq!(open.iter().map(backlog).collect::<Vec<_>>(), [8, 8]);
    let publisher = Publisher::start(port, "s");
    let accepted = sockets(server.pid(), port, false).remove(0);
    assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(20));
    publisher.leave();
}
