//! The server as a process of its own, in a prefix of its own.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::thread;
use std::{env, fs};

pub use nix::sys::signal::Signal;

use super::conf::Conf;
use super::process;
use super::wait::{until, until_true};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pingosd");

/// A running server. Dropping it kills it; when the test has failed, its log is printed.
pub struct Server {
    /// Port of the RTMP listener.
    pub rtmp: u16,
    /// Port of the HTTP listener.
    pub http: u16,
    prefix: Prefix,
    child: Child,
    may_panic: bool,
}

/// A directory as nginx wants its prefix, removed when dropped.
pub struct Prefix(PathBuf);

impl Prefix {
    /// With `conf`, `logs` and `html`.
    pub fn new() -> Self {
        Prefix::below(&env::temp_dir())
    }

    /// As [`Prefix::new`], in another directory.
    pub fn below(directory: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("pingosd-test-{}-{count}", std::process::id()));
        for name in ["conf", "logs", "html"] {
            fs::create_dir_all(path.join(name)).unwrap();
        }
        Prefix(path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration file.
    pub fn conf(&self) -> PathBuf {
        self.0.join("conf/pingosd.conf")
    }

    /// A file's text, empty if there is none. Logs may hold any bytes.
    pub fn read(&self, name: &str) -> String {
        fs::read(self.0.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Writes a file, with the directories above it.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// The program with `-p` and `-c` for this prefix.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("-p").arg(self.path()).arg("-c").arg(self.conf());
        command
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        // Empty: it has been handed on.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Server {
    /// Starts a server and waits until it accepts connections.
    pub fn start(conf: &Conf) -> Self {
        Server::start_in(Prefix::new(), conf)
    }

    /// As [`Server::start`], in a prefix that was prepared.
    pub fn start_in(prefix: Prefix, conf: &Conf) -> Self {
        Server::start_with(prefix, conf, |_, _, _| {})
    }

    /// As [`Server::start_in`]; `prepare` gets the command and the ports of RTMP and HTTP.
    pub fn start_with(prefix: Prefix, conf: &Conf, prepare: impl FnOnce(&mut Command, u16, u16)) -> Self {
        let (rtmp, http) = (free_port(), free_port());
        fs::write(prefix.conf(), conf.text(rtmp, http, prefix.path())).unwrap();
        Server::launch(prefix, rtmp, http, prepare)
    }

    /// Starts a server with a file that listens on these ports.
    pub fn start_text(prefix: Prefix, rtmp: u16, http: u16, text: &str) -> Self {
        fs::write(prefix.conf(), text).unwrap();
        Server::launch(prefix, rtmp, http, |_, _, _| {})
    }

    /// Stops and restarts it with the files as they are and a new error log.
    #[track_caller]
    pub fn again(mut self) -> Self {
        assert!(self.stop().success());
        fs::remove_file(self.prefix.path().join("logs/error.log")).unwrap();
        let prefix = Prefix(std::mem::take(&mut self.prefix.0));
        Server::launch(prefix, self.rtmp, self.http, |_, _, _| {})
    }

    fn launch(prefix: Prefix, rtmp: u16, http: u16, prepare: impl FnOnce(&mut Command, u16, u16)) -> Self {
        let output = |name: &str| Stdio::from(fs::File::create(prefix.path().join(name)).unwrap());
        let mut command = prefix.command();
        prepare(&mut command, rtmp, http);
        let child =
            command.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr")).spawn().unwrap();
        let mut server = Server { rtmp, http, prefix, child, may_panic: false };
        until_true("the server says that it has started", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended at once ({status}): {}", server.prefix.read("stderr"));
            }
            // Its sockets listen before it says so.
            server.log().contains(" started, ")
        });
        server
    }

    /// Its files.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Its process number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Everything its error log says. A thread of its own writes it: what was logged before this call is waited for.
    #[track_caller]
    pub fn log(&self) -> String {
        let mut waited = 0;
        until_true("the log is written", || {
            waited = if log_thread_waits(self.pid()) { waited + 1 } else { 0 };
            waited == 2
        });
        self.prefix.read("logs/error.log")
    }

    /// Waits until the error log holds `text`.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        until_true(&format!("`{text}` in the error log"), || self.log().contains(text));
    }

    /// Lines of the error log with `text`.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// Replaces the configuration file; a signal makes the server use it.
    pub fn rewrite(&self, conf: &Conf) {
        fs::write(self.prefix.conf(), conf.text(self.rtmp, self.http, self.prefix.path())).unwrap();
    }

    /// Replaces the configuration file and waits until it is in force.
    #[track_caller]
    pub fn reload(&self, conf: &Conf) {
        let before = self.log_lines(" reloaded, generation ").len();
        self.rewrite(conf);
        self.signal(Signal::SIGHUP);
        until_true("the reload is through", || self.log_lines(" reloaded, generation ").len() > before);
    }

    /// Runs a command of the program for this server.
    pub fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(words).arg("-p").arg(self.prefix.path()).arg("-c").arg(self.prefix.conf());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What `pingosd status` tells.
    #[track_caller]
    pub fn status(&self) -> serde_json::Value {
        let output = self.run(&["status", "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The test makes it panic.
    pub fn may_panic(&mut self) {
        self.may_panic = true;
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory in KiB.
    pub fn resident(&self) -> u64 {
        process::resident(self.pid())
    }

    /// Waits until the process has ended, without a signal to it.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        until("the server ends", || self.child.try_wait().unwrap())
    }

    /// Ends it with SIGTERM.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_exit()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let stderr = self.prefix.read("stderr");
        if thread::panicking() {
            // A hostile one may be larger than the memory, or a FIFO.
            let path = self.prefix.conf();
            let conf = fs::metadata(&path).is_ok_and(|conf| conf.is_file()).then(|| fs::File::open(path));
            let mut start = Vec::new();
            if let Some(Ok(file)) = conf {
                let _ = file.take(64 * 1024).read_to_end(&mut start);
            }
            eprintln!("---- conf\n{}", String::from_utf8_lossy(&start));
            let log = self.prefix.read("logs/error.log");
            eprintln!("---- error log\n{log}---- stderr\n{stderr}----");
            return;
        }
        // A panic in one session leaves the others alive, so nothing else would show it.
        assert!(self.may_panic || !stderr.contains("panicked at"), "the server has panicked:\n{stderr}");
    }
}

/// A port on which no process listens, below the range for outgoing connections; never the same one twice.
pub fn free_port() -> u16 {
    const FIRST: u16 = 21_000;
    const COUNT: u16 = 5_500;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time have ports of their own: `.ci/tests` numbers them, 0 or 1. Others begin at
    // different places.
    let slot = env::var("PINGOSD_TEST_SLOT").ok().and_then(|slot| slot.parse().ok()).unwrap_or(0_u16) % 2;
    let start = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    loop {
        let number = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + start;
        let port = FIRST + slot * COUNT + (number % u32::from(COUNT)) as u16;
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// Whether the thread that writes the log sleeps, or is gone.
fn log_thread_waits(pid: i32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    let read = |path: &Path, file| fs::read_to_string(path.join(file)).unwrap_or_default();
    tasks.flatten().map(|task| task.path()).filter(|task| read(task, "comm") == "log\n").all(|task| {
        let stat = read(&task, "stat");
        stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('S'))
    })
}
