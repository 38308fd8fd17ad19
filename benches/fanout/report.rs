//! The figures as Markdown tables: medians over the runs, with the smallest and the largest.

use crate::args::Args;
use crate::hls_case::Way;
use crate::server::Target;

/// One run of a live case against one server or the floor.
pub struct Live {
    pub server_per_gb: f64,
    pub players_per_gb: f64,
    pub server_percent: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub gaps: f64,
    pub short: f64,
    pub closed: f64,
    /// Stamps seen by the sampled players, as a percentage of those in the window. Far from 100, no other figure
    /// counts.
    pub seen_percent: f64,
    pub kib_per_player: f64,
    /// What processes that are no part of the measurement used. They slow everything measured, by half if they use a core.
    pub others_percent: f64,
}

pub struct Idle {
    pub server_percent: f64,
    pub kib_per_connection: f64,
    pub closed: f64,
}

/// One run of players of HLS, from memory or of files.
pub struct Hls {
    /// Without what the server uses when it has no players.
    pub server_per_gb: f64,
    pub players_per_gb: f64,
    pub server_percent: f64,
    /// What the server uses when it has no players.
    pub alone_percent: f64,
    pub segments: f64,
    /// From the request for a segment to its last byte.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Segments that stood in no playlist that a player read.
    pub gaps: f64,
    /// Players that lack segments.
    pub short: f64,
    /// Requests that were not answered with status 200.
    pub failed: f64,
    pub closed: f64,
    pub kib_per_player: f64,
    pub others_percent: f64,
}

/// New players beside many others.
pub struct Join {
    pub joins: f64,
    /// From connecting until the first key frame is read.
    pub connect_p50_ms: f64,
    pub connect_p99_ms: f64,
    /// From `play` until then.
    pub play_p50_ms: f64,
    pub play_p99_ms: f64,
}

/// All runs of one case on one server.
struct Row<T> {
    case: String,
    server: String,
    runs: Vec<T>,
}

pub struct Report {
    head: String,
    live: Vec<Row<Live>>,
    hls: Vec<Row<Hls>>,
    join: Vec<Row<Join>>,
    idle: Vec<Row<Idle>>,
    start: Vec<Row<f64>>,
}

/// Below this, what others use is within the kernel's own housekeeping and the sampling of it.
const QUIET_PERCENT: f64 = 10.0;

impl Report {
    pub fn new(args: &Args, targets: &[Target]) -> Report {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let names: Vec<&str> = targets.iter().map(Target::name).collect();
        let floor = match args.floor_delay.as_millis() {
            0 => "sends each message at once".to_owned(),
            millis => format!("sends every {millis} ms"),
        };
        let head = format!(
            "{cores} cores {}, Linux {}. Servers: {}. Windows of {} s, {} runs: median (min..max). \
             pingosd: worker_processes {}{}. The floor {floor}.{}",
            model.map_or("", |(_, model)| model),
            read("/proc/sys/kernel/osrelease").trim(),
            names.join(", "),
            args.window.as_secs(),
            args.runs,
            args.workers,
            if args.app_conf.is_empty() { String::new() } else { format!(", `{}`", args.app_conf.trim()) },
            if args.pin { " Server on the first core alone." } else { "" },
        );
        Report {
            head,
            live: Vec::new(),
            hls: Vec::new(),
            join: Vec::new(),
            idle: Vec::new(),
            start: Vec::new(),
        }
    }

    pub fn add_live(&mut self, case: &str, server: &str, run: Live) {
        let (per_gb, p50, p99) = (run.server_per_gb, run.p50_ms, run.p99_ms);
        let others = run.others_percent;
        eprintln!(
            "  {server}: {per_gb:.3} CPU s/GB, p50 {p50:.2} ms, p99 {p99:.2} ms (others {others:.0} % of a core)"
        );
        add(&mut self.live, case, server, run);
    }

    pub fn add_hls(&mut self, case: &str, server: &str, way: &str, run: Hls) {
        let (per_gb, p99, others) = (run.server_per_gb, run.p99_ms, run.others_percent);
        eprintln!(
            "  {server}, {way}: {per_gb:.3} CPU s/GB, segment p99 {p99:.2} ms (others {others:.0} % of a core)"
        );
        add(&mut self.hls, case, &format!("{server}, {way}"), run);
    }

    pub fn add_join(&mut self, case: &str, server: &str, run: Join) {
        let (joins, p99) = (run.joins, run.connect_p99_ms);
        eprintln!("  {server}: {joins} joins, first key frame p99 {p99:.2} ms after connecting");
        add(&mut self.join, case, server, run);
    }

    pub fn add_idle(&mut self, case: &str, server: &str, run: Idle) {
        add(&mut self.idle, case, server, run);
    }

    pub fn add_start(&mut self, case: &str, server: &str, millis: f64) {
        add(&mut self.start, case, server, millis);
    }

    pub fn print(&self) {
        println!("{}", self.head);
        self.print_live();
        self.print_hls();
        let of_live = self.live.iter().flat_map(|row| &row.runs).map(|run| run.others_percent);
        let of_hls = self.hls.iter().flat_map(|row| &row.runs).map(|run| run.others_percent);
        let others = of_live.chain(of_hls);
        if let Some(most) = others.max_by(f64::total_cmp).filter(|most| *most > QUIET_PERCENT) {
            println!("\nThe machine was not idle: other processes used up to {most:.0} % of a core.");
        }
        if !self.join.is_empty() {
            println!(
                "\n| case | server | joins | connect to key frame p50 ms | p99 ms | play to key frame p50 ms | p99 ms |"
            );
            println!("|---|---|{}", "--:|".repeat(5));
        }
        for row in &self.join {
            let cell = |value: fn(&Join) -> f64, digits| spread(row.runs.iter().map(value), digits);
            println!(
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.case,
                row.server,
                cell(|run| run.joins, 0),
                cell(|run| run.connect_p50_ms, 2),
                cell(|run| run.connect_p99_ms, 2),
                cell(|run| run.play_p50_ms, 2),
                cell(|run| run.play_p99_ms, 2),
            );
        }
        if !self.idle.is_empty() {
            println!("\n| case | server | CPU % | KiB/connection | closed |");
            println!("|---|---|--:|--:|--:|");
        }
        for row in &self.idle {
            let cell = |value: fn(&Idle) -> f64, digits| spread(row.runs.iter().map(value), digits);
            println!(
                "| {} | {} | {} | {} | {} |",
                row.case,
                row.server,
                cell(|run| run.server_percent, 2),
                cell(|run| run.kib_per_connection, 1),
                cell(|run| run.closed, 0),
            );
        }
        if !self.start.is_empty() {
            println!("\n| case | server | exec to listening, ms |");
            println!("|---|---|--:|");
        }
        for row in &self.start {
            println!("| {} | {} | {} |", row.case, row.server, spread(row.runs.iter().copied(), 1));
        }
    }

    fn print_live(&self) {
        if self.live.is_empty() {
            return;
        }
        println!(
            "\n| case | server | server CPU s/GB | × floor | players CPU s/GB | server+players CPU s/GB | × floor \
             | server CPU % | p50 ms | p99 ms | gaps | short | closed | seen % | KiB/player |"
        );
        println!("|---|---|{}", "--:|".repeat(13));
        for row in &self.live {
            let cell = |value: fn(&Live) -> f64, digits| spread(row.runs.iter().map(value), digits);
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.case,
                row.server,
                cell(|run| run.server_per_gb, 3),
                self.ratio(row, |run| run.server_per_gb),
                cell(|run| run.players_per_gb, 3),
                cell(|run| run.server_per_gb + run.players_per_gb, 3),
                self.ratio(row, |run| run.server_per_gb + run.players_per_gb),
                cell(|run| run.server_percent, 1),
                cell(|run| run.p50_ms, 2),
                cell(|run| run.p99_ms, 2),
                cell(|run| run.gaps, 0),
                cell(|run| run.short, 0),
                cell(|run| run.closed, 0),
                cell(|run| run.seen_percent, 0),
                cell(|run| run.kib_per_player, 1),
            );
        }
    }

    fn print_hls(&self) {
        if self.hls.is_empty() {
            return;
        }
        println!(
            "\n| case | server | server CPU s/GB | × files | players CPU s/GB | server+players CPU s/GB | × files \
             | server CPU % | without players | segments | p50 ms | p99 ms | gaps | short | failed | closed | KiB/player |"
        );
        println!("|---|---|{}", "--:|".repeat(15));
        for row in &self.hls {
            let cell = |value: fn(&Hls) -> f64, digits| spread(row.runs.iter().map(value), digits);
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.case,
                row.server,
                cell(|run| run.server_per_gb, 3),
                self.to_files(row, |run| run.server_per_gb),
                cell(|run| run.players_per_gb, 3),
                cell(|run| run.server_per_gb + run.players_per_gb, 3),
                self.to_files(row, |run| run.server_per_gb + run.players_per_gb),
                cell(|run| run.server_percent, 1),
                cell(|run| run.alone_percent, 1),
                cell(|run| run.segments, 0),
                cell(|run| run.p50_ms, 2),
                cell(|run| run.p99_ms, 2),
                cell(|run| run.gaps, 0),
                cell(|run| run.short, 0),
                cell(|run| run.failed, 0),
                cell(|run| run.closed, 0),
                cell(|run| run.kib_per_player, 1),
            );
        }
    }

    /// Each run against the static files of the same run and server.
    fn to_files(&self, row: &Row<Hls>, value: fn(&Hls) -> f64) -> String {
        let ours = row.server.strip_suffix(Way::Memory.name());
        let files = ours.and_then(|server| {
            let name = format!("{server}{}", Way::Files.name());
            self.hls.iter().find(|other| other.case == row.case && other.server == name)
        });
        match files {
            Some(files) => {
                spread(row.runs.iter().zip(&files.runs).map(|(run, file)| value(run) / value(file)), 2)
            }
            None => "1".to_owned(),
        }
    }

    /// Each run against the floor of the same run: what the machine did to both cancels out.
    fn ratio(&self, row: &Row<Live>, value: fn(&Live) -> f64) -> String {
        let floor = self.live.iter().find(|other| other.case == row.case && other.server == "floor");
        match floor {
            Some(floor) if row.server != "floor" => {
                spread(row.runs.iter().zip(&floor.runs).map(|(run, floor)| value(run) / value(floor)), 2)
            }
            _ => "1".to_owned(),
        }
    }
}

fn add<T>(rows: &mut Vec<Row<T>>, case: &str, server: &str, run: T) {
    match rows.iter_mut().find(|row| row.case == case && row.server == server) {
        Some(row) => row.runs.push(run),
        None => rows.push(Row { case: case.to_owned(), server: server.to_owned(), runs: vec![run] }),
    }
}

fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (values.first(), values.last()) else { return String::new() };
    let upper = values[values.len() / 2];
    let lower = values[(values.len() - 1) / 2];
    let shown = |value: f64| format!("{value:.digits$}");
    let median = shown((lower + upper) / 2.0);
    if shown(*low) == shown(*high) { median } else { format!("{median} ({}..{})", shown(*low), shown(*high)) }
}
