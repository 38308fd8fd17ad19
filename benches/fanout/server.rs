//! The servers under test: their configuration, start and end.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::args::Args;
use crate::process;
use crate::role;
use crate::session::APP;
use crate::stamp;

/// Discarding players answer no ping requests, so none may fall due while they are measured.
pub const PING: &str = "10m";

const STARTING: Duration = Duration::from_secs(10);
const ENDING: Duration = Duration::from_secs(5);

/// How often a starting server is tried.
const TRY_EVERY: Duration = Duration::from_micros(200);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Pingosd(PathBuf),
    /// Debian's nginx with libnginx-mod-rtmp.
    Nginx(PathBuf),
    /// A command line with `{rtmp}`, `{http}` and `{dir}`.
    Other(String),
}

impl Target {
    pub fn all(args: &Args) -> Vec<Target> {
        let pingosd = args.server.clone().map(Target::Pingosd);
        let nginx = args.nginx.clone().map(Target::Nginx);
        let other = args.server_cmd.clone().map(Target::Other);
        [pingosd, nginx, other].into_iter().flatten().collect()
    }

    pub fn name(&self) -> &str {
        match self {
            Target::Pingosd(_) => "pingosd",
            Target::Nginx(_) => "nginx-rtmp",
            Target::Other(_) => "other",
        }
    }

    /// Whether new players start from a cached key frame.
    pub fn caches(&self) -> bool {
        !matches!(self, Target::Nginx(_))
    }

    pub fn speaks_flv(&self) -> bool {
        !matches!(self, Target::Nginx(_))
    }
}

/// Configuration and logs, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let scratch = Scratch(std::env::temp_dir().join(format!("fanout-{}", std::process::id())));
        std::fs::create_dir_all(scratch.0.join("logs"))?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Server {
    child: Child,
    scratch: Scratch,
    pub rtmp_port: u16,
    pub http_port: u16,
    /// From exec until a connection was accepted.
    pub start_time: Duration,
}

impl Server {
    /// `app_conf` stands in pingosd's application.
    pub fn start(target: &Target, args: &Args, app_conf: &str) -> Result<Server> {
        let scratch = Scratch::new()?;
        let dir = &scratch.0;
        let (rtmp_port, http_port) = free_ports()?;
        let command = command_line(target, args.workers, app_conf, dir, (rtmp_port, http_port))?;
        let output = std::fs::File::create(dir.join("output.log"))?;
        let note = dir.join("exec-time");
        let child = role::command("launch", args.server_cores())?
            .arg(&note)
            .args(&command)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut server = Server { child, scratch, rtmp_port, http_port, start_time: Duration::ZERO };
        let listening_ns = server.wait_until_listening(rtmp_port).map_err(|error| server.explain(&error))?;
        if target.speaks_flv() {
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

    fn pid(&self) -> Pid {
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

/// Ports nobody listens on. Both are held until both are known.
fn free_ports() -> Result<(u16, u16)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

fn command_line(
    target: &Target,
    workers: usize,
    app_conf: &str,
    dir: &Path,
    (rtmp, http): (u16, u16),
) -> Result<Vec<String>> {
    let conf = dir.join("server.conf");
    let conf_path = conf.display().to_string();
    let dir_path = dir.display().to_string();
    match target {
        Target::Pingosd(program) => {
            std::fs::write(&conf, pingosd_conf(workers, app_conf, &dir_path, (rtmp, http)))?;
            let program =
                program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
            let prefix = format!("{dir_path}/");
            Ok(vec![program.display().to_string(), "-p".into(), prefix, "-c".into(), conf_path])
        }
        Target::Nginx(program) => {
            std::fs::write(&conf, nginx_conf(&dir_path, rtmp))?;
            let log = format!("{dir_path}/error.log");
            Ok(vec![program.display().to_string(), "-e".into(), log, "-c".into(), conf_path])
        }
        Target::Other(command) => {
            let fill = |word: &str| {
                let word = word.replace("{rtmp}", &rtmp.to_string()).replace("{http}", &http.to_string());
                word.replace("{dir}", &dir_path)
            };
            Ok(command.split_whitespace().map(fill).collect())
        }
    }
}

fn pingosd_conf(workers: usize, app_conf: &str, dir: &str, (rtmp, http): (u16, u16)) -> String {
    format!(
        "daemon off;
worker_processes {workers};
pid {dir}/server.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 8192; }}
rtmp {{
    ping {PING};
    server {{
        listen 127.0.0.1:{rtmp};
        application {APP} {{ live on; {app_conf} }}
    }}
}}
http {{
    server {{
        listen 127.0.0.1:{http};
        location /{APP} {{ flv_live 127.0.0.1:{rtmp} app={APP}; }}
    }}
}}
"
    )
}

/// One worker: the RTMP module keeps streams within a worker. The chunk size is the one of the floor.
fn nginx_conf(dir: &str, rtmp: u16) -> String {
    format!(
        "load_module modules/ngx_rtmp_module.so;
daemon off;
worker_processes 1;
pid {dir}/server.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 8192; }}
rtmp {{
    access_log off;
    chunk_size 4096;
    ping {PING};
    server {{
        listen 127.0.0.1:{rtmp};
        application {APP} {{ live on; }}
    }}
}}
"
    )
}
