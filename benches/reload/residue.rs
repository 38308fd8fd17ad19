//! What a long series of reloads leaves behind: memory, descriptors, threads, tasks.

use std::collections::VecDeque;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::args::Args;
use crate::client;
use crate::conf::APPLICATIONS;
use crate::process;
use crate::site::{Site, Target};

/// Applications of the small configuration.
const SMALL: usize = 20;

/// Players of the stream meanwhile.
const PLAYERS: usize = 20;

/// Number of permanent connections, each made after one of the last reloads.
const GUESTS: usize = 10;

/// Memory is looked at so often.
const LOOKS: usize = 100;

/// The part of the series that counts as warming up.
const WARM: f64 = 0.2;

/// A thread that may wait ends when it has had nothing to do for ten seconds.
const REST: Duration = Duration::from_secs(11);

/// Allowed growth of memory per reload in KiB: far less than anything that a reload could leak.
const BAR_KIB: f64 = 1.0;

/// And by this share of itself in the whole series, since the allocator takes and returns pages in steps.
const BAR_SHARE: f64 = 0.05;

/// What can be counted exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    descriptors: usize,
    threads: usize,
    tasks: usize,
}

/// Returns the bars that were missed.
pub fn run(args: &Args) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    let series = [(SMALL, args.small), (APPLICATIONS, args.large)];
    let wanted: Vec<_> = series.into_iter().filter(|(_, reloads)| *reloads > 0).collect();
    if wanted.is_empty() {
        return Ok(missed);
    }
    println!(
        "| applications | reloads | memory after warming up, KiB | at the end, KiB | KiB per reload | descriptors | threads | tasks |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (applications, reloads) in wanted {
        missed.extend(measure(applications, reloads, args)?);
    }
    println!();
    Ok(missed)
}

fn measure(applications: usize, reloads: usize, args: &Args) -> Result<Vec<String>> {
    eprintln!("reload: {reloads} reloads of {applications} applications");
    let mut site = Site::open(&Target::Pingosd(args.server.clone()), applications, PLAYERS, args)?;
    let warm = ((reloads as f64 * WARM) as usize).max(GUESTS + 1);
    let mut guests = VecDeque::new();
    let mut memory = Vec::new();
    let mut before = None;
    let step = (reloads / LOOKS).max(1);
    for reload in 0..warm + reloads {
        if reload == warm {
            sleep(REST);
            before = Some(counts(&site, args)?);
        }
        site.reload()?;
        guests.push_back(client::stay(site.port(), &site.newest())?);
        if guests.len() > GUESTS {
            guests.pop_front();
        }
        if reload >= warm && (reload - warm).is_multiple_of(step) {
            memory.push(process::resident_kib(&[site.server.pid()])? as f64);
        }
    }
    sleep(REST);
    let after = counts(&site, args)?;
    let before = before.expect("the series is longer than the warming up");
    // Looks differ by what a reload has in hands, which is megabytes of a large configuration; the least of each quarter
    // of the series is without it.
    let quarter = (memory.len() / 4).max(1);
    let least = |looks: &[f64]| looks.iter().copied().fold(f64::INFINITY, f64::min);
    let (first, last) = (least(&memory[..quarter]), least(&memory[memory.len() - quarter..]));
    let grown = last - first;
    let each = grown / (reloads as f64 * 0.75);
    let pair = |before: usize, after: usize| format!("{before} -> {after}");
    println!(
        "| {applications} | {reloads} | {first:.0} | {last:.0} | {each:.3} | {} | {} | {} |",
        pair(before.descriptors, after.descriptors),
        pair(before.threads, after.threads),
        pair(before.tasks, after.tasks),
    );
    let mut missed = Vec::new();
    if each > BAR_KIB && grown > BAR_SHARE * first {
        missed.push(format!("{applications} applications: memory grows by {each:.1} KiB per reload"));
    }
    if before != after {
        missed.push(format!("{applications} applications: {before:?} became {after:?}"));
    }
    Ok(missed)
}

fn counts(site: &Site, args: &Args) -> Result<Counts> {
    // First, since it takes a thread that may wait.
    let tasks = tasks(site, args)?;
    let process = format!("/proc/{}", site.server.pid());
    let count = |what: &str| Ok::<_, std::io::Error>(std::fs::read_dir(format!("{process}/{what}"))?.count());
    Ok(Counts { descriptors: count("fd")?, threads: count("task")?, tasks })
}

/// What the server counts itself.
fn tasks(site: &Site, args: &Args) -> Result<usize> {
    let (prefix, conf) = site.place();
    let output = Command::new(&args.server)
        .args(["status", "--json", "-p"])
        .arg(prefix)
        .arg("-c")
        .arg(conf)
        .output()?;
    if !output.status.success() {
        return Err(format!("status: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(status["tasks"].as_u64().ok_or("status without tasks")? as usize)
}
