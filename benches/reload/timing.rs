//! From the signal until a reload shows, and what the players of a stream notice of it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::args::Args;
use crate::client;
use crate::conf::APPLICATIONS;
use crate::role::Options;
use crate::site::{Site, Target};

/// Median time from the signal until a reload shows.
const BAR_EFFECTIVE_MS: f64 = 60.0;

/// 99th percentile of the frames' latency, with reloads above without.
const BAR_LATENCY_MS: f64 = 10.0;

/// Players that look for the stream after the reloads.
const NEWCOMERS: usize = 4;

const ANSWER: Duration = Duration::from_secs(10);

/// One server's figures.
struct Figures {
    effective_ms: Vec<f64>,
    before: Latency,
    during: Latency,
    found: usize,
    second_is_let_in: bool,
}

struct Latency {
    p50_ms: f64,
    p99_ms: f64,
    gaps: u64,
    closed: u64,
}

/// Returns the bars that were missed.
pub fn run(args: &Args) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    if args.reloads == 0 {
        return Ok(missed);
    }
    println!("{} applications, {} players, {} reloads\n", APPLICATIONS, args.players, args.reloads);
    println!(
        "| server | signal to effective, ms | p99 before, ms | p99 during, ms | p50 before, ms | p50 during, ms | gaps | \
         closed | found by newcomers | second publisher |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|");
    let pingosd = Target::Pingosd(args.server.clone());
    let ours = measure(&pingosd, args)?;
    ours.print(pingosd.name());
    if let Some(nginx) = &args.nginx {
        let nginx = Target::Nginx(nginx.clone());
        measure(&nginx, args)?.print(nginx.name());
    }
    println!();
    let effective = median(&ours.effective_ms);
    if effective >= BAR_EFFECTIVE_MS {
        missed.push(format!("signal to effective: {effective:.1} ms, under {BAR_EFFECTIVE_MS} wanted"));
    }
    let more = ours.during.p99_ms - ours.before.p99_ms;
    if more > BAR_LATENCY_MS {
        missed.push(format!("p99 of frames: {more:.1} ms more during reloads, {BAR_LATENCY_MS} allowed"));
    }
    if ours.during.gaps + ours.during.closed > 0 {
        missed.push("frames or players were lost".into());
    }
    if ours.found < NEWCOMERS || ours.second_is_let_in {
        missed.push("newcomers do not meet the stream from before".into());
    }
    Ok(missed)
}

fn measure(target: &Target, args: &Args) -> Result<Figures> {
    eprintln!("reload: {}, timing {} reloads", target.name(), args.reloads);
    let mut site = Site::open(target, APPLICATIONS, args.players, args)?;
    site.players.ask("begin", "begun", ANSWER)?;
    sleep(args.window);
    let before = Latency::of(&site.players.ask("end", "result", ANSWER)?)?;
    site.players.ask("begin", "begun", ANSWER)?;
    let mut effective_ms = Vec::new();
    for _ in 0..args.reloads {
        let began = Instant::now();
        effective_ms.push(site.reload()?.as_secs_f64() * 1000.0);
        // What follows a reload belongs to its window: comparing, letting go of the old values.
        sleep(args.pause.saturating_sub(began.elapsed()));
    }
    let during = Latency::of(&site.players.ask("end", "result", ANSWER)?)?;
    let mut found = 0;
    for _ in 0..NEWCOMERS {
        found += usize::from(client::finds_stream(site.port())?);
    }
    let second_is_let_in = client::second_publisher_is_let_in(site.port())?;
    Ok(Figures { effective_ms, before, during, found, second_is_let_in })
}

impl Latency {
    fn of(result: &Options) -> Result<Latency> {
        let ms = |key: &str| result.number::<f64>(key).map(|us| us / 1000.0);
        Ok(Latency {
            p50_ms: ms("p50_us")?,
            p99_ms: ms("p99_us")?,
            gaps: result.number("gaps")?,
            closed: result.number("closed")?,
        })
    }
}

impl Figures {
    fn print(&self, name: &str) {
        let (before, during) = (&self.before, &self.during);
        let times = &self.effective_ms;
        let least = times.iter().copied().fold(f64::INFINITY, f64::min);
        let most = times.iter().copied().fold(0.0, f64::max);
        println!(
            "| {name} | {:.1} ({least:.1}..{most:.1}) | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {} of {NEWCOMERS} | {} |",
            median(times),
            before.p99_ms,
            during.p99_ms,
            before.p50_ms,
            during.p50_ms,
            during.gaps,
            during.closed,
            self.found,
            if self.second_is_let_in { "let in" } else { "refused" },
        );
    }
}

/// Of at least one.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
