//! Upgrades of the program by SIGUSR2.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use pingosd::wire::rtmp::client_session::ClientEvent;

use super::Conf;
use super::process;
use super::rtmp::RtmpClient;
use super::server::{PROGRAM, Prefix, Server, Signal};
use super::wait::{until, until_true};

/// A server whose program is a link, which an upgrade can point elsewhere.
pub fn start(conf: &Conf) -> (Server, PathBuf) {
    let prefix = Prefix::new();
    let program = prefix.path().join("pingosd");
    symlink(PROGRAM, &program).unwrap();
    let server = Server::start_with(prefix, conf, |command, _, _| {
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        *command = Command::new(&program);
        command.args(args);
    });
    (server, program)
}

/// The pid file of the process that serves.
pub fn pid_file(server: &Server) -> PathBuf {
    server.prefix().path().join("logs/pingosd.pid")
}

/// The pid file of the process being replaced.
pub fn old_pid_file(server: &Server) -> PathBuf {
    server.prefix().path().join("logs/pingosd.pid.oldbin")
}

/// The number in a pid file.
pub fn number(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A client that may publish `live/NAME`, as soon as no other one does.
#[track_caller]
pub fn publish_when_free(port: u16, name: &str) -> RtmpClient {
    until("the name is free", || {
        let mut client = RtmpClient::publish(port, "live", name);
        let answer = client.wait_event("an answer", |event| match event {
            ClientEvent::Started => true,
            ClientEvent::Status { level, .. } => &level[..] == b"error",
            _ => false,
        });
        matches!(answer, ClientEvent::Started).then_some(client)
    })
}

/// A process that took over. It would otherwise outlive the test.
pub struct Successor(pub i32);

impl Successor {
    /// The one that the upgrade of `server` has started, once it serves.
    pub fn of(server: &Server) -> Self {
        Successor::after(server, server.pid())
    }

    /// The one that an upgrade of the process `pid` has started, once it serves.
    pub fn after(server: &Server, pid: i32) -> Self {
        let successor =
            Successor(until("the new pid file", || number(&pid_file(server)).filter(|found| *found != pid)));
        successor.wait_log(server, " started, ");
        successor
    }

    /// Its lines in the error log.
    pub fn log(&self, server: &Server) -> Vec<String> {
        server.log_lines(&format!(" {}#", self.0))
    }

    /// Waits for one of its lines.
    #[track_caller]
    pub fn wait_log(&self, server: &Server, text: &str) {
        until_true(&format!("`{text}` of the new process"), || {
            self.log(server).iter().any(|line| line.contains(text))
        });
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.0, signal);
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if process::is_running(self.0) {
            process::signal(self.0, Signal::SIGKILL);
        }
    }
}
