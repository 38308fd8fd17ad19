//! A server that runs: its start, its files and its end.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::process;
use crate::role::{self, Cores};
use crate::stamp;

const STARTING: Duration = Duration::from_secs(10);
const ENDING: Duration = Duration::from_secs(5);

/// How often a starting server is tried.
const TRY_EVERY: Duration = Duration::from_micros(200);

/// Configuration and logs, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(bench: &str) -> Result<Scratch> {
        let scratch = Scratch(std::env::temp_dir().join(format!("{bench}-{}", std::process::id())));
        std::fs::create_dir_all(scratch.0.join("logs"))?;
        Ok(scratch)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left behind in the temporary directory is harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Server {
    child: Child,
    scratch: Scratch,
    pub rtmp_port: u16,
    pub http_port: u16,
    /// Port for RTMP over TLS, where it is served.
    pub rtmps_port: Option<u16>,
    /// From exec until a connection was accepted.
    pub start_time: Duration,
}

impl Server {
    /// Runs a command line and waits until it listens on the first port, and on the second if `speaks_http`.
    pub fn start(
        scratch: Scratch,
        command: &[String],
        (rtmp_port, http_port): (u16, u16),
        cores: Cores,
        speaks_http: bool,
    ) -> Result<Server> {
        let dir = &scratch.0;
        let output = std::fs::File::create(dir.join("output.log"))?;
        let note = dir.join("exec-time");
        let child = role::command("launch", cores)?
            .arg(&note)
            .args(command)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut server =
            Server { child, scratch, rtmp_port, http_port, rtmps_port: None, start_time: Duration::ZERO };
        let listening_ns = server.wait_until_listening(rtmp_port).map_err(|error| server.explain(&error))?;
        if speaks_http {
            server.wait_until_listening(http_port).map_err(|error| server.explain(&error))?;
        }
        let exec_ns: u64 = std::fs::read_to_string(&note)?.parse()?;
        server.start_time = Duration::from_nanos(listening_ns.saturating_sub(exec_ns));
        Ok(server)
    }

    pub fn tree(&self) -> Result<Vec<Pid>> {
        process::tree(self.pid())
    }

    /// An error with what the server itself had to say.
    pub fn explain(&self, error: &dyn std::fmt::Display) -> String {
        let read = |name: &str| std::fs::read_to_string(self.scratch.0.join(name)).unwrap_or_default();
        let log = read("output.log") + &read("error.log");
        let lines: Vec<&str> = log.lines().collect();
        format!("{error}\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    fn wait_until_listening(&mut self, port: u16) -> Result<u64> {
        let limit = Instant::now() + STARTING;
        while Instant::now() < limit {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(stamp::now_ns());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at its start: {status}").into());
            }
            std::thread::sleep(TRY_EVERY);
        }
        Err("the server does not listen".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let everything = self.tree().unwrap_or_default();
        // Failing means that the process is gone already, which is what is wanted.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let limit = Instant::now() + ENDING;
        while Instant::now() < limit && !matches!(self.child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            for pid in everything {
                let _ = kill(pid, Signal::SIGKILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// Free ports. Both are held until both are known.
pub fn free_ports() -> Result<(u16, u16)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}
