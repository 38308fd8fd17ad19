//! What a large configuration costs: test, start, parse, memory; beside nginx with its rtmp module if asked.
//!
//! `cargo bench --bench conf -- --nginx`; see benches/README.md.

mod conf;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conf::{Dialect, Ports, Shape};
use pingosd::config::{LoadOptions, load};
use pingosd::modules::{LANGUAGE, REGISTRY};
use pingosd::syntax::parser::Parser;

/// Directives per second that parsing alone must reach.
const GOAL_DIRECTIVES: f64 = 400_000.0;
/// Resident memory that a loaded configuration may take, in KiB.
const GOAL_RESIDENT: u64 = 40 << 10;
/// How long a server may take to listen before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Debian's rtmp module, which brings the directives.
const RTMP_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

struct Options {
    nginx: bool,
    runs: usize,
    server: PathBuf,
}

/// What was measured of one server.
struct Figures {
    test: Duration,
    start: Duration,
    resident_kib: u64,
}

fn main() -> ExitCode {
    let mut options = Options { nginx: false, runs: 11, server: env!("CARGO_BIN_EXE_pingosd").into() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nginx" => options.nginx = true,
            "--runs" => options.runs = words.next().and_then(|n| n.parse().ok()).expect("--runs NUMBER"),
            "--server" => options.server = words.next().expect("--server PROGRAM").into(),
            // What cargo itself says to a benchmark.
            "--bench" => {}
            other => panic!("unknown option {other}; known: --nginx, --runs NUMBER, --server PROGRAM"),
        }
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ports = Ports::free();
    let ours = prepare(&directory.path().join("pingosd"), Dialect::Pingos, &ports);
    let bytes = std::fs::metadata(&ours).expect("just written").len();
    println!(
        "{} applications, {} locations, {:.2} MB",
        conf::APPLICATIONS,
        conf::LOCATIONS,
        bytes as f64 / 1e6
    );

    let (directives, parse, whole) = in_process(&ours, options.runs);
    let rate = f64::from(directives) / parse.as_secs_f64();
    println!("{directives} directives: parse {} ms ({rate:.0}/s), load {} ms", ms(parse), ms(whole));

    let figures = measure(&command(&options.server, &ours), &ports, options.runs);
    print("pingosd", &figures);
    let mut missed = Vec::new();
    if rate < GOAL_DIRECTIVES {
        missed.push(format!("parse: {rate:.0} directives per second, {GOAL_DIRECTIVES:.0} wanted"));
    }
    if figures.resident_kib > GOAL_RESIDENT {
        missed.push(format!("memory: {} KiB, {GOAL_RESIDENT} wanted", figures.resident_kib));
    }
    if options.nginx {
        if Path::new(RTMP_MODULE).exists() {
            let theirs = prepare(&directory.path().join("nginx"), Dialect::NginxRtmp, &ports);
            let other = measure(&command(Path::new("/usr/sbin/nginx"), &theirs), &ports, options.runs);
            print("nginx", &other);
            if figures.test > other.test || figures.start > other.start {
                missed.push("time: slower than nginx".into());
            }
        } else {
            println!("nginx with libnginx-mod-rtmp is not installed");
        }
    }
    missed.iter().for_each(|text| println!("missed: {text}"));
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lays out a prefix with its configuration.
fn prepare(prefix: &Path, dialect: Dialect, ports: &Ports) -> PathBuf {
    for name in ["conf", "logs", "html"] {
        std::fs::create_dir_all(prefix.join(name)).expect("a directory in a temporary directory");
    }
    let file = prefix.join("conf/nginx.conf");
    std::fs::write(&file, conf::text(dialect, ports, &Shape::default()))
        .expect("a file in a temporary directory");
    file
}

/// Program and words that name a configuration.
fn command(program: &Path, file: &Path) -> (PathBuf, Vec<String>) {
    let prefix = file.parent().and_then(Path::parent).expect("laid out so");
    let words =
        ["-p", &format!("{}/", prefix.display()), "-c", &file.display().to_string()].map(str::to_owned);
    (program.into(), words.into())
}

/// Directives, the time to parse them, and the time of a whole load, medians of several runs in this process.
fn in_process(file: &Path, runs: usize) -> (u32, Duration, Duration) {
    let bytes = Bytes::from(std::fs::read(file).expect("just written"));
    let mut directives = 0;
    let parse = median(runs, || {
        let mut parser = Parser::new(PathBuf::new(), &*REGISTRY);
        parser.given(file, bytes.clone());
        let reading = parser.finish();
        assert!(!reading.reports.has_errors());
        directives = reading.tree.len();
    });
    let options = LoadOptions::choose(&LANGUAGE, None, Some(file.into()), Vec::new(), None);
    let whole = median(runs, || {
        let loaded = load(&options);
        assert!(
            loaded.is_ok(),
            "{}",
            String::from_utf8_lossy(&loaded.err().map(|r| r.render(Default::default())).unwrap_or_default())
        );
    });
    (directives, parse, whole)
}

fn measure((program, words): &(PathBuf, Vec<String>), ports: &Ports, runs: usize) -> Figures {
    let test = median(runs, || {
        let out = Command::new(program).args(words).arg("-t").output().expect("the server can be started");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    });
    let mut resident_kib = 0;
    let mut starts = Vec::new();
    for _ in 0..runs {
        let begin = Instant::now();
        let spawned = Command::new(program).args(words).stderr(Stdio::null()).spawn();
        let mut server = Server(spawned.expect("the server can be started"));
        while TcpStream::connect(("127.0.0.1", ports.http)).is_err() {
            let over = server.0.try_wait().expect("a child of ours").is_some();
            assert!(!over && begin.elapsed() < PATIENCE, "{} does not listen", program.display());
            std::thread::sleep(Duration::from_micros(500));
        }
        starts.push(begin.elapsed());
        std::thread::sleep(Duration::from_millis(100));
        resident_kib = resident_kib.max(resident(server.0.id()));
    }
    starts.sort();
    Figures { test, start: starts[starts.len() / 2], resident_kib }
}

/// A server that ends with its measurement.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Resident memory of a process in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn median(runs: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..runs.max(1))
        .map(|_| {
            let begin = Instant::now();
            run();
            begin.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn print(name: &str, figures: &Figures) {
    let Figures { test, start, resident_kib } = figures;
    println!(
        "{name}: -t {} ms, start to listening {} ms, resident {:.1} MiB",
        ms(*test),
        ms(*start),
        *resident_kib as f64 / 1024.0
    );
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
