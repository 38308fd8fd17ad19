//! One round of load on one server.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::handshakes::{self, Handshake};
use crate::servers::Server;
use crate::{Result, spread};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// A path over HTTP/1.1, on connections that stay open, by `wrk`.
    Http1(&'static str),
    /// A file of 1 KiB over HTTP/2, ten requests of each connection at a time, by `h2load`.
    Http2 {
        /// Whether over TLS.
        tls: bool,
    },
    /// A TLS connection for each request.
    Connection(Handshake),
}

/// Requests that a connection of HTTP/2 has under way at a time.
const STREAMS: u32 = 10;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Requests per second.
    pub rate: f64,
    /// Microseconds of the server's processor time per request.
    pub cpu: f64,
    /// 99th percentile of the latency in microseconds.
    pub p99: f64,
}

/// What the program that asks has counted.
pub struct Counted {
    /// Requests that were answered.
    pub requests: u64,
    /// Over this time.
    pub time: Duration,
    /// 99th percentile of the latency in microseconds.
    pub p99: f64,
}

/// Loads a server.
///
/// # Errors
///
/// The load could not be made, or answers failed.
pub fn measure(server: &Server, load: Load, connections: u32, seconds: u32, dir: &Path) -> Result<Figure> {
    let before = server.cpu()?;
    let counted = match load {
        Load::Http1(path) => wrk(server.ports.http, path, connections, seconds)?,
        Load::Http2 { tls } => h2load(server, tls, connections, seconds, dir)?,
        Load::Connection(handshake) => {
            handshakes::run(server.ports.https, handshake, connections, Duration::from_secs(seconds.into()))?
        }
    };
    let cpu = server.cpu()?.saturating_sub(before);
    if counted.requests == 0 {
        return Err(format!("{} answers nothing", server.name).into());
    }
    Ok(Figure {
        rate: counted.requests as f64 / counted.time.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / counted.requests as f64,
        p99: counted.p99,
    })
}

fn wrk(port: u16, path: &str, connections: u32, seconds: u32) -> Result<Counted> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "--latency"]).arg(format!("-c{connections}")).arg(format!("-d{seconds}"));
    let text = output(command.arg(format!("http://{}:{port}{path}", Ipv4Addr::LOCALHOST)))?;
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(format!("{path}: {}", line.trim()).into());
    }
    // `  160921 requests in 1.00s, 26.09MB read`
    let line =
        text.lines().find(|line| line.contains(" requests in ")).ok_or("wrk tells no number of requests")?;
    let mut words = line.split_whitespace();
    let requests = words.next().unwrap_or_default().parse()?;
    let time = microseconds(words.nth(2).unwrap_or_default().trim_end_matches(','));
    let p99 = text.lines().find_map(|line| line.trim_start().strip_prefix("99%")).unwrap_or_default();
    Ok(Counted { requests, time: Duration::from_secs_f64(time / 1e6), p99: microseconds(p99.trim()) })
}

fn h2load(server: &Server, tls: bool, connections: u32, seconds: u32, dir: &Path) -> Result<Counted> {
    let log = dir.join("h2load.log");
    // It is appended to.
    let _ = std::fs::remove_file(&log);
    let url = match tls {
        true => format!("https://{}:{}/1k", Ipv4Addr::LOCALHOST, server.ports.https2),
        false => format!("http://{}:{}/1k", Ipv4Addr::LOCALHOST, server.ports.http2),
    };
    let mut command = Command::new("h2load");
    command
        .arg("-t1")
        .arg(format!("-c{connections}"))
        .arg(format!("-m{STREAMS}"))
        .arg(format!("-D{seconds}"));
    let began = Instant::now();
    let text = output(command.arg("--log-file").arg(&log).arg(url))?;
    let elapsed = began.elapsed();
    if text.lines().any(|line| line.starts_with("status codes:") && !line.contains(" 0 4xx, 0 5xx")) {
        return Err(format!("{}: {text}", server.name).into());
    }
    // One line per request: when it began, its status, and how long it took in microseconds.
    let lines = std::fs::read_to_string(&log)?;
    let mut times: Vec<f64> =
        lines.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse().ok()).collect();
    let time = Duration::from_secs(seconds.into()).min(elapsed);
    Ok(Counted { requests: times.len() as u64, time, p99: spread::percentile(&mut times, 0.99) })
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn microseconds(text: &str) -> f64 {
    let number = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[number.len()..] {
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 6e7,
        _ => 1.0,
    };
    number.parse::<f64>().unwrap_or(0.0) * factor
}
