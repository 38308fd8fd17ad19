//! What HTTP costs beside nginx: requests per second and processor time per request, of files, of `return`, proxied, from the cache,
//! over HTTP/2 and with TLS handshakes; and memory of idle connections.
//!
//! pingosd and Debian's nginx get the same configuration, with one worker each, and are loaded in turn, so that both meet the
//! same machine. `benches/README.md` tells the method.
//!
//! ```text
//! cargo bench --bench http                          everything
//! cargo bench --bench http -- small 32              cases with these words in their names
//! cargo bench --bench http -- --beside PROGRAM      another pingosd in nginx's place
//! cargo bench --bench http -- --rounds 9 --seconds 1 --server PROGRAM
//! ```

#![forbid(unsafe_code)]

#[path = "../../tests/support/any_server.rs"]
mod any_server;
mod handshakes;
mod idle;
mod load;
#[path = "../fanout/process.rs"]
#[allow(dead_code, reason = "other benchmarks use the rest")]
mod process;
mod servers;
mod spread;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use handshakes::Handshake;
use load::{Figure, Load};
use servers::Server;
use spread::Spread;

/// Outcome of a step of the measurement.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is measured, with the numbers of connections, and the least rate compared with nginx's.
const CASES: [(&str, Load, &[u32], f64); 13] = [
    ("small", Load::Http1("/1k"), &[8, 32, 128], 1.0),
    ("return", Load::Http1("/return"), &[8, 32, 128], 1.0),
    ("logged", Load::Http1("/logged"), &[32], 1.0),
    ("large", Load::Http1("/1m"), &[8, 32, 128], 1.0),
    ("proxied", Load::Http1("/proxied"), &[8, 32], 0.9),
    ("cached", Load::Http1("/cached"), &[8, 32], 1.0),
    ("http2", Load::Http2 { tls: false }, &[8, 32], 0.9),
    ("http2-tls", Load::Http2 { tls: true }, &[8, 32], 0.9),
    ("handshake", Load::Connection(Handshake::FULL), &[8], 0.9),
    ("handshake-tls12", Load::Connection(Handshake::FULL_TLS12), &[8], 0.9),
    ("resumed", Load::Connection(Handshake::RESUMED), &[8], 0.9),
    ("resumed-sha384", Load::Connection(Handshake::RESUMED_SHA384), &[8], 0.9),
    ("resumed-tls12", Load::Connection(Handshake::RESUMED_TLS12), &[8], 0.9),
];

/// Kinds of idle connections, and the most bytes that one may take.
const IDLE: [(&str, idle::Kind, u64); 4] = [
    ("idle", idle::Kind { http2: false, tls: false }, 8 * 1024),
    ("idle-tls", idle::Kind { http2: false, tls: true }, u64::MAX),
    ("idle-http2", idle::Kind { http2: true, tls: false }, 16 * 1024),
    ("idle-http2-tls", idle::Kind { http2: true, tls: true }, u64::MAX),
];

/// What the command line says.
struct Args {
    /// Rounds of each case.
    rounds: u32,
    /// Seconds of each round.
    seconds: u32,
    /// The program being measured.
    server: String,
    /// The program beside it.
    beside: String,
    /// Words of the cases.
    words: Vec<String>,
}

impl Args {
    fn read() -> Result<Args> {
        let mut args = Args {
            rounds: 9,
            seconds: 1,
            server: env!("CARGO_BIN_EXE_pingosd").into(),
            beside: "nginx".into(),
            words: Vec::new(),
        };
        let mut given = env::args().skip(1);
        while let Some(word) = given.next() {
            let mut value = || given.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => args.rounds = value()?.parse()?,
                "--seconds" => args.seconds = value()?.parse()?,
                "--server" => args.server = value()?,
                "--beside" => args.beside = value()?,
                // From cargo.
                "--bench" => {}
                _ if word.starts_with("--") => return Err(format!("unknown option {word}").into()),
                _ => args.words.push(word),
            }
        }
        Ok(args)
    }

    fn wants(&self, name: &str) -> bool {
        self.words.iter().all(|word| name.split(' ').any(|part| part == word))
    }
}

fn main() -> ExitCode {
    let dir = env::temp_dir().join(format!("pingosd-bench-http-{}", std::process::id()));
    let measured = run(&dir);
    let _ = fs::remove_dir_all(&dir);
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures everything that is asked for. Returns whether all bars were met.
fn run(dir: &Path) -> Result<bool> {
    let args = Args::read()?;
    for tool in ["wrk", "h2load", "nginx"] {
        let found = Command::new("which").arg(tool).stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(format!("{tool} is needed").into());
        }
    }
    prepare(dir)?;
    let origin = Server::origin(dir)?;
    let start = |name, program: &str| Server::start(name, program, dir, origin.ports.http);
    let beside = if args.beside == "nginx" { "nginx" } else { "other" };
    let servers = [start(beside, &args.beside)?, start("pingosd", &args.server)?];
    servers.iter().try_for_each(Server::fill_cache)?;
    let mut all_met = true;
    let cases = CASES.iter().flat_map(|(name, load, connections, bar)| {
        connections
            .iter()
            .map(move |connections| (format!("{name} {connections}"), *load, *connections, *bar))
    });
    println!(
        "| case | {beside} /s | pingosd /s | rate x | {beside} CPU us | pingosd CPU us | CPU x | p99 {beside} us | p99 pingosd us | bar |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|");
    for (name, load, connections, bar) in cases.filter(|(name, ..)| args.wants(name)) {
        all_met &= compare(&name, load, connections, bar, &servers, &args, dir)?;
    }
    println!("\n| idle connections | {beside} bytes | pingosd bytes | bar |\n|---|--:|--:|---|");
    for (name, kind, bar) in IDLE.iter().filter(|(name, ..)| args.wants(name)) {
        let [beside, own] = [idle::measure(&servers[0], *kind)?, idle::measure(&servers[1], *kind)?];
        all_met &= own <= *bar;
        let bar = if *bar == u64::MAX { "none".into() } else { format!("{bar}: {}", met(own <= *bar)) };
        println!("| {name} | {beside} | {own} | {bar} |");
    }
    Ok(all_met)
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

fn prepare(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir.join("files"))?;
    fs::write(dir.join("files/1k"), "k".repeat(1024))?;
    fs::write(dir.join("files/1m"), vec![b'm'; 1024 * 1024])?;
    // rcgen's keys are ECDSA P-256.
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(dir.join("cert.pem"), made.cert.pem())?;
    fs::write(dir.join("key.pem"), made.signing_key.serialize_pem())?;
    // Workers of nginx run as another user.
    for path in [dir.to_owned(), dir.join("files")] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Measures a case and prints its row. Returns whether its bar was met.
fn compare(
    name: &str,
    load: Load,
    connections: u32,
    bar: f64,
    servers: &[Server; 2],
    args: &Args,
    dir: &Path,
) -> Result<bool> {
    let measure = |server: &Server| load::measure(server, load, connections, args.seconds, dir);
    // Caches and memory are as they stay from the second round on.
    for server in servers {
        measure(server)?;
    }
    let mut rounds: Vec<[Figure; 2]> = Vec::new();
    for round in 0..args.rounds {
        // Each server is as often the first, in the quieter half of a round, as the other.
        rounds.push(if round % 2 == 0 {
            [measure(&servers[0])?, measure(&servers[1])?]
        } else {
            let own = measure(&servers[1])?;
            [measure(&servers[0])?, own]
        });
    }
    let of = |server: usize, figure: fn(&Figure) -> f64| {
        Spread::of(rounds.iter().map(|round| figure(&round[server])))
    };
    // Round by round: what the machine does to both cancels out.
    let ratio = |figure: fn(&Figure) -> f64| {
        Spread::of(rounds.iter().map(|[beside, own]| figure(own) / figure(beside)))
    };
    let rate = ratio(|figure| figure.rate);
    println!(
        "| {name} | {:.0} | {:.0} | {rate:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {bar}: {} |",
        of(0, |figure| figure.rate),
        of(1, |figure| figure.rate),
        of(0, |figure| figure.cpu),
        of(1, |figure| figure.cpu),
        ratio(|figure| figure.cpu),
        of(0, |figure| figure.p99),
        of(1, |figure| figure.p99),
        met(rate.middle >= bar),
    );
    Ok(rate.middle >= bar)
}
