//! What HTTP costs beside nginx: requests per second of files and of `return`, and memory of idle connections.
//!
//! pingosd and Debian's nginx get the same configuration, with one worker each, and are measured in turn by `wrk`, so
//! that both meet the same machine. `benches/README.md` tells the method.
//!
//! ```text
//! cargo bench --bench http                 everything
//! cargo bench --bench http -- small 32     cases with that in their names
//! ```

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// Rounds of each case; the median is told, with the least and the most.
const ROUNDS: usize = 5;
/// Seconds of each round.
const SECONDS: u32 = 4;
/// Connections of the memory case.
const IDLE: usize = 2000;

/// A server being measured.
struct Server {
    name: &'static str,
    port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// One measurement of `wrk`.
#[derive(Clone, Copy, Debug)]
struct Figure {
    /// Requests per second.
    rate: f64,
    /// 99th percentile of the latency in microseconds.
    p99: f64,
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    for tool in ["wrk", "nginx"] {
        if Command::new("which")
            .arg(tool)
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| !status.success())
        {
            eprintln!("{tool} is needed");
            return ExitCode::FAILURE;
        }
    }
    let dir = env::temp_dir().join(format!("pingosd-bench-http-{}", std::process::id()));
    prepare(&dir);
    let servers = [
        start("nginx", "nginx", &dir, 18_581),
        start("pingosd", env!("CARGO_BIN_EXE_pingosd"), &dir, 18_580),
    ];
    println!("| case | connections | nginx | pingosd | ratio | p99 nginx | p99 pingosd |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (case, path) in [("small", "/1k"), ("return", "/return"), ("large", "/1m")] {
        for connections in [8, 32, 128] {
            let name = format!("{case} {connections}");
            if words.iter().all(|word| name.contains(word.as_str())) {
                compare(case, path, connections, &servers);
            }
        }
    }
    if words.iter().all(|word| "idle".contains(word.as_str())) {
        for server in &servers {
            println!("idle: {} takes {} bytes per connection", server.name, idle(server));
        }
    }
    drop(servers);
    let _ = fs::remove_dir_all(&dir);
    ExitCode::SUCCESS
}

fn prepare(dir: &Path) {
    fs::create_dir_all(dir.join("files")).expect("a directory for temporary files");
    fs::write(dir.join("files/1k"), "k".repeat(1024)).expect("a temporary file");
    fs::write(dir.join("files/1m"), vec![b'm'; 1024 * 1024]).expect("a temporary file");
    // Workers of nginx run as another user.
    for path in [dir.to_owned(), dir.join("files")] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its permissions");
    }
}

fn start(name: &'static str, program: &str, dir: &Path, port: u16) -> Server {
    let conf = format!(
        "worker_processes 1; daemon off; pid {dir}/{name}.pid; error_log {dir}/{name}.log;
         events {{ worker_connections 8192; }}
         http {{ access_log off; sendfile on; keepalive_requests 100000000; keepalive_timeout 300s;
             server {{ listen 127.0.0.1:{port}; root {dir}/files; location = /return {{ return 200 hello; }} }} }}\n",
        dir = dir.display()
    );
    let file: PathBuf = dir.join(format!("{name}.conf"));
    fs::write(&file, conf).expect("a temporary file");
    let mut command = Command::new(program);
    command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("the server starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{name} does not listen");
        thread::sleep(Duration::from_millis(50));
    }
    Server { name, port, child }
}

fn compare(case: &str, path: &str, connections: u32, servers: &[Server; 2]) {
    let mut figures: [Vec<Figure>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (server, figures) in servers.iter().zip(&mut figures) {
            figures.push(measure(server.port, path, connections));
        }
    }
    let [nginx, pingosd] = figures.map(|figures| Spread::of(&figures));
    println!(
        "| {case} | {connections} | {nginx} | {pingosd} | {:.2} | {:.0} us | {:.0} us |",
        pingosd.rate / nginx.rate,
        nginx.p99,
        pingosd.p99
    );
}

/// Median, least and most of several figures.
struct Spread {
    rate: f64,
    least: f64,
    most: f64,
    p99: f64,
}

impl Spread {
    fn of(figures: &[Figure]) -> Self {
        let sorted = |of: fn(&Figure) -> f64| {
            let mut values: Vec<f64> = figures.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (rates, p99) = (sorted(|figure| figure.rate), sorted(|figure| figure.p99));
        let middle = figures.len() / 2;
        Spread { rate: rates[middle], least: rates[0], most: rates[rates.len() - 1], p99: p99[middle] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s ({:.0} to {:.0})", self.rate, self.least, self.most)
    }
}

fn measure(port: u16, path: &str, connections: u32) -> Figure {
    let output = Command::new("wrk")
        .args(["-t1", "--latency"])
        .arg(format!("-c{connections}"))
        .arg(format!("-d{SECONDS}"))
        .arg(format!("http://127.0.0.1:{port}{path}"))
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let after = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().last()).unwrap_or_default().to_owned()
    };
    Figure { rate: after("Requests/sec:").parse().unwrap_or(0.0), p99: microseconds(&after("99%")) }
}

fn microseconds(text: &str) -> f64 {
    let number = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[number.len()..] {
        "ms" => 1e3,
        "s" => 1e6,
        _ => 1.0,
    };
    number.parse::<f64>().unwrap_or(0.0) * factor
}

/// Bytes of resident memory per idle connection that has had a request.
fn idle(server: &Server) -> u64 {
    let before = resident(server.child.id());
    let request = b"GET /1k HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
    let connections: Vec<TcpStream> = (0..IDLE)
        .map(|_| {
            let mut connection = TcpStream::connect(("127.0.0.1", server.port)).expect("it accepts");
            connection.write_all(request).expect("it reads");
            let mut answer = [0; 4096];
            let mut length = 0;
            while length < 1024 {
                length += connection.read(&mut answer).expect("it answers");
            }
            connection
        })
        .collect();
    thread::sleep(Duration::from_secs(2));
    let after = resident(server.child.id());
    drop(connections);
    after.saturating_sub(before) / IDLE as u64
}

/// Resident memory of a process and its children in bytes.
fn resident(pid: u32) -> u64 {
    let of = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().to_owned();
        line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    of(&pid.to_string()) + children.split_whitespace().map(of).sum::<u64>()
}
