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
        print_table(
            &self.join,
            &[
                column("joins", 0, |run| run.joins),
                column("connect to key frame p50 ms", 2, |run| run.connect_p50_ms),
                column("p99 ms", 2, |run| run.connect_p99_ms),
                column("play to key frame p50 ms", 2, |run| run.play_p50_ms),
                column("p99 ms", 2, |run| run.play_p99_ms),
            ],
        );
        print_table(
            &self.idle,
            &[
                column("CPU %", 2, |run| run.server_percent),
                column("KiB/connection", 1, |run| run.kib_per_connection),
                column("closed", 0, |run| run.closed),
            ],
        );
        print_table(&self.start, &[column("exec to listening, ms", 1, |run| *run)]);
    }

    fn print_live(&self) {
        let to_floor = |value: fn(&Live) -> f64| {
            ratio("× floor", value, |row: &Row<Live>| {
                let mut rows = self.live.iter().filter(|other| other.case == row.case);
                rows.find(|other| other.server == "floor" && row.server != "floor")
            })
        };
        print_table(
            &self.live,
            &[
                column("server CPU s/GB", 3, |run| run.server_per_gb),
                to_floor(|run| run.server_per_gb),
                column("players CPU s/GB", 3, |run| run.players_per_gb),
                column("server+players CPU s/GB", 3, |run| run.server_per_gb + run.players_per_gb),
                to_floor(|run| run.server_per_gb + run.players_per_gb),
                column("server CPU %", 1, |run| run.server_percent),
                column("p50 ms", 2, |run| run.p50_ms),
                column("p99 ms", 2, |run| run.p99_ms),
                column("gaps", 0, |run| run.gaps),
                column("short", 0, |run| run.short),
                column("closed", 0, |run| run.closed),
                column("seen %", 0, |run| run.seen_percent),
                column("KiB/player", 1, |run| run.kib_per_player),
            ],
        );
    }

    fn print_hls(&self) {
        let to_files = |value: fn(&Hls) -> f64| {
            ratio("× files", value, |row: &Row<Hls>| {
                let server = row.server.strip_suffix(Way::Memory.name())?;
                let name = format!("{server}{}", Way::Files.name());
                self.hls.iter().find(|other| other.case == row.case && other.server == name)
            })
        };
        print_table(
            &self.hls,
            &[
                column("server CPU s/GB", 3, |run| run.server_per_gb),
                to_files(|run| run.server_per_gb),
                column("players CPU s/GB", 3, |run| run.players_per_gb),
                column("server+players CPU s/GB", 3, |run| run.server_per_gb + run.players_per_gb),
                to_files(|run| run.server_per_gb + run.players_per_gb),
                column("server CPU %", 1, |run| run.server_percent),
                column("without players", 1, |run| run.alone_percent),
                column("segments", 0, |run| run.segments),
                column("p50 ms", 2, |run| run.p50_ms),
                column("p99 ms", 2, |run| run.p99_ms),
                column("gaps", 0, |run| run.gaps),
                column("short", 0, |run| run.short),
                column("failed", 0, |run| run.failed),
                column("closed", 0, |run| run.closed),
                column("KiB/player", 1, |run| run.kib_per_player),
            ],
        );
    }
}

/// A column of a table: its name, and what it says of a row.
type Column<'a, T> = (&'static str, Box<dyn Fn(&Row<T>) -> String + 'a>);

fn column<'a, T: 'a>(name: &'static str, digits: usize, value: fn(&T) -> f64) -> Column<'a, T> {
    (name, Box::new(move |row| spread(row.runs.iter().map(value), digits)))
}

/// Each run against the one of the same number in another row: what the machine did to both cancels out.
fn ratio<'a, T: 'a>(
    name: &'static str,
    value: fn(&T) -> f64,
    other: impl Fn(&Row<T>) -> Option<&'a Row<T>> + 'a,
) -> Column<'a, T> {
    let cell = move |row: &Row<T>| match other(row) {
        Some(other) => spread(row.runs.iter().zip(&other.runs).map(|(run, to)| value(run) / value(to)), 2),
        None => "1".to_owned(),
    };
    (name, Box::new(cell))
}

fn print_table<T>(rows: &[Row<T>], columns: &[Column<'_, T>]) {
    if rows.is_empty() {
        return;
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    println!("\n| case | server | {} |", names.join(" | "));
    println!("|---|---|{}", "--:|".repeat(columns.len()));
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|(_, cell)| cell(row)).collect();
        println!("| {} | {} | {} |", row.case, row.server, cells.join(" | "));
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
