//! What hangs or dies within the server is seen and does not take the rest with it.

mod support;

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use support::server::{PROGRAM, Signal};
use support::wait::{until, until_true};
use support::{Conf, Player, Publisher, Server, http, process};

/// A log that hangs whatever opens it, as a file on a file system that hangs does. Configuration files have to be regular
/// files, so they can't be made to hang by the same means.
struct Hanging(PathBuf);

impl Hanging {
    /// Makes it, and a configuration that names it.
    fn log_of(server: &Server, conf: Conf) -> Self {
        let path = server.prefix().path().join("logs/hangs.log");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        server.rewrite(&conf.main("error_log logs/hangs.log;"));
        Hanging(path)
    }

    /// Lets go of those that wait, for as long as what comes back is kept.
    fn release(&self) -> fs::File {
        fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.0).unwrap()
    }
}

fn wait_hung(server: &Server) {
    until_true("files are not read", || server.status()["configuration"]["on_disk"] == "unknown");
}

fn live() -> Conf {
    Conf::live("")
        .http_server("location /flv { flv_live {rtmp_port} app=live; } location /stat { rtmp_stat all; }")
}

/// As `pingosd -s reload`, without waiting for it.
fn begin(server: &Server, words: &[&str]) -> Child {
    let mut command = std::process::Command::new(PROGRAM);
    command.args(words).arg("-p").arg(server.prefix().path()).arg("-c").arg(server.prefix().conf());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_reload_that_hangs_holds_up_nothing_else() {
    let mut server = Server::start(&live());
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let first = Player::start(server.rtmp, "s");
    let _hanging = Hanging::log_of(&server, live());
    server.signal(Signal::SIGHUP);
    server.wait_log("(SIGHUP)");
    // More callers than the control socket has places wait for it; those that only look are answered.
    let mut callers: Vec<Child> = (0..9).map(|_| begin(&server, &["-s", "reload"])).collect();
    until_true("some are refused", || callers.iter_mut().any(|caller| caller.try_wait().unwrap().is_some()));
    wait_hung(&server);
    assert!(http::get(server.http, "/stat").text().contains("unknown"));
    let late = Player::http(server.http, "/flv/s");
    late.wait_key();
    let next = feed.next();
    first.wait_frame(next);
    late.wait_frame(next);
    fs::remove_file(server.prefix().path().join("logs/error.log")).unwrap();
    server.signal(Signal::SIGUSR1);
    until_true("the log is there again", || server.log().contains("reopening logs"));
    assert!(server.stop().success());
    assert!(callers.iter_mut().all(|caller| !caller.wait().unwrap().success()), "none was reloaded");
}

#[test]
fn a_server_ends_gracefully_while_a_reload_hangs() {
    let mut server = Server::start(&live());
    let publisher = Publisher::start(server.rtmp, "s");
    let _hanging = Hanging::log_of(&server, live());
    let mut caller = begin(&server, &["-s", "reload"]);
    server.wait_log("reload over the control socket");
    server.signal(Signal::SIGQUIT);
    server.wait_log("shutting down");
    assert!(!caller.wait().unwrap().success());
    assert!(server.is_running(), "its publisher is there");
    publisher.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn reloads_asked_for_during_one_are_one_more() {
    let server = Server::start(&live());
    let hanging = Hanging::log_of(&server, Conf::live("cache_time 1s;"));
    server.signal(Signal::SIGHUP);
    server.wait_log("(SIGHUP)");
    let mut caller = begin(&server, &["-s", "reload"]);
    for count in 2..6 {
        server.signal(Signal::SIGHUP);
        until_true("the signal is taken", || server.log_lines("(SIGHUP)").len() >= count);
    }
    // The file was read before; what comes now is for the next one.
    wait_hung(&server);
    server.rewrite(&Conf::live("cache_time 2s;"));
    let _reader = hanging.release();
    server.wait_log(" reloaded, generation 3, ");
    assert!(caller.wait().unwrap().success());
    assert!(server.run(&["-s", "reload"]).status.success());
    let done = server.log_lines(" reloaded, generation ");
    // Generations 2 and 3, the caller's and ours, which change nothing.
    assert_eq!(done.len(), 4, "{done:?}");
    assert_eq!(server.log_lines("generation 3 goes on").len(), 2, "{done:?}");
}

#[test]
fn a_new_binary_takes_the_place_of_a_reload_that_hangs() {
    let server = Server::start(&live());
    let hanging = Hanging::log_of(&server, live());
    server.signal(Signal::SIGHUP);
    wait_hung(&server);
    server.rewrite(&Conf::live("cache_time 1s;"));
    server.signal(Signal::SIGUSR2);
    server.wait_log("start new binary process");
    server.wait_log("the reload is given up");
    let pid_file = server.prefix().path().join("logs/pingosd.pid");
    let successor: i32 = until("the new pid file", || {
        fs::read_to_string(&pid_file).ok()?.trim().parse().ok().filter(|pid| *pid != server.pid())
    });
    until_true("it serves", || server.log_lines(" started, ").len() == 2);
    let _reader = hanging.release();
    assert!(server.log_lines(" reloaded, ").is_empty());
    process::signal(successor, Signal::SIGTERM);
    server.wait_log("this process goes on in its place");
    server.reload(&live());
}
