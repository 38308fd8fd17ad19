//! Commands for the running server: `status`, `top`, `reload`, `plan`, `rollback`, `confirm`, `callback`.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::streams::{Overview, duration};
use super::task::{CommandError, Name, Streams, Task};
use super::top;
use crate::config::on_disk::OnDisk;
use crate::directive::number;
use crate::notify::ledger::snapshot::LineSnapshot;
use crate::server::control::client::{ControlClientError, ask};
use crate::server::control::probe;
use crate::server::control::protocol::{
    ControlAnswer, ProtocolCount, Queues, Request, ServerStatus, SessionCounts,
};
use crate::server::control::socket::{find_alive, old_name};

/// Usage lines.
pub(super) const STATUS: &str = "status [callbacks|streams] [--json] [--watch]";
/// Interval of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

pub(super) const RELOAD: &str = "reload [--confirm time]";
pub(super) const PLAN: &str = "plan";
pub(super) const ROLLBACK: &str = "rollback";
pub(super) const CONFIRM: &str = "confirm";
pub(super) const CALLBACK: &str = "callback test file:line";

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    match task.name {
        Name::Status => status(task, streams),
        Name::Top if task.words.is_empty() => top::run(|| overview(task)),
        Name::Callback => {
            let [test, place] = &task.words[..] else { return Err(CommandError::Usage) };
            let place = place.to_str().filter(|_| test == "test").ok_or(CommandError::Usage)?;
            if find_alive(task.load.control_paths()).is_some() {
                return tell(task, streams, Request::Probe { place: place.to_owned() });
            }
            writeln!(streams.err, "pingosd: no server is running; asking from here")?;
            let text = probe::run_alone(&task.load, place)
                .map_err(|error| CommandError::Text(error.to_string().into()))?;
            streams.out.write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Name::Reload => {
            let confirm_ms = match &task.words[..] {
                [] => None,
                [switch, time] if switch == "--confirm" => Some(time_of(time)?),
                _ => return Err(CommandError::Usage),
            };
            let colour = streams.style.colour;
            tell(task, streams, Request::Reload { confirm_ms, colour })
        }
        _ if !task.words.is_empty() => Err(CommandError::Usage),
        Name::Plan => {
            let colour = streams.style.colour;
            tell(task, streams, Request::Plan { colour })
        }
        Name::Rollback => tell(task, streams, Request::Rollback),
        _ => tell(task, streams, Request::Confirm),
    }
}

/// Parses a time in the notation of configurations.
fn time_of(word: &OsStr) -> Result<u64, CommandError> {
    let text = || format!("\"{}\" is no time such as 60s", word.display()).into_bytes();
    number::msec(word.as_bytes()).filter(|time| *time > 0).ok_or_else(|| CommandError::Text(text()))
}

/// Path of a control socket on which a server answers, otherwise the most likely path.
fn socket(task: &Task) -> Result<PathBuf, CommandError> {
    let alive = find_alive(task.load.control_paths());
    let likely = || task.load.conf_file.as_ref().and_then(|_| task.load.control_paths().next());
    alive.or_else(likely).ok_or_else(|| {
        let text =
            "the configuration has no control socket (\"control_socket off\", or it is the built-in one)";
        CommandError::Text(text.into())
    })
}

/// Sends a request to the running server.
pub(super) fn question(task: &Task, request: &Request) -> Result<ControlAnswer, CommandError> {
    let path = socket(task)?;
    ask(&path, request).map_err(|error| {
        let text = match error {
            ControlClientError::Unreachable(error) => {
                let why = crate::log::os_text(&error);
                format!(
                    "no server answers on \"{}\" ({why}); is it running, with this prefix and file?",
                    path.display()
                )
            }
            ControlClientError::Broken(why) => format!("\"{}\": {why}", path.display()),
        };
        CommandError::Text(text.into())
    })
}

fn tell(task: &Task, streams: &mut Streams<'_>, request: Request) -> Result<ExitCode, CommandError> {
    match question(task, &request)? {
        ControlAnswer::Done { text } => {
            streams.out.write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        ControlAnswer::Refused { text } => {
            writeln!(streams.err, "{}", text.trim_end())?;
            Ok(ExitCode::FAILURE)
        }
        ControlAnswer::Controlled { .. }
        | ControlAnswer::Status(_)
        | ControlAnswer::Callbacks(_)
        | ControlAnswer::Streams(_) => Err(misunderstood()),
    }
}

/// Error of an answer of another version.
pub(super) fn misunderstood() -> CommandError {
    CommandError::Text(b"the server's answer is not understood".to_vec())
}

fn callbacks(task: &Task, streams: &mut Streams<'_>, json: bool) -> Result<ExitCode, CommandError> {
    let ControlAnswer::Callbacks(snapshot) = question(task, &Request::Callbacks)? else {
        return Err(misunderstood());
    };
    if json {
        let line = serde_json::to_string(&snapshot).map_err(std::io::Error::from)?;
        writeln!(streams.out, "{line}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(streams.out, "ends: {} waiting, {} lost", snapshot.done_waiting, snapshot.done_lost_total)?;
    for line in &snapshot.lines {
        write!(streams.out, "{line}")?;
        let quantiles = [50, 90, 99].map(|percent| format!("p{percent} {}", quantile(line, percent)));
        writeln!(streams.out, "  quantiles {}", quantiles.join(" "))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Upper bound of the latency class that contains this percentile.
fn quantile(line: &LineSnapshot, percent: u64) -> String {
    let total: u64 = line.latency.iter().map(|class| class.count).sum();
    let wanted = (total * percent).div_ceil(100);
    let mut seen = 0;
    let class = line.latency.iter().find(|class| {
        seen += class.count;
        seen >= wanted
    });
    match class.and_then(|class| class.most_ms) {
        Some(most) => format!("<={most}ms"),
        None => "more".into(),
    }
}

/// Streams and clients of the server.
fn overview(task: &Task) -> Result<Overview, CommandError> {
    let document = document(task)?;
    serde_json::from_value(document).map_err(|_| misunderstood())
}

/// Streams and clients of the server, as JSON.
fn document(task: &Task) -> Result<serde_json::Value, CommandError> {
    match question(task, &Request::Streams)? {
        ControlAnswer::Streams(document) => Ok(*document),
        ControlAnswer::Refused { text } => Err(CommandError::Text(text.into())),
        _ => Err(misunderstood()),
    }
}

fn list(task: &Task, streams: &mut Streams<'_>, json: bool) -> Result<ExitCode, CommandError> {
    if json {
        writeln!(streams.out, "{}", document(task)?)?;
    } else {
        streams.out.write_all(overview(task)?.page().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let ([json, watch], words) = task.switches(["--json", "--watch"])?;
    let show = match words[..] {
        [] => state,
        [word] if word == "callbacks" => callbacks,
        [word] if word == "streams" => list,
        _ => return Err(CommandError::Usage),
    };
    if !watch {
        return show(task, streams, json);
    }
    let clears = !json && std::io::stdout().is_terminal();
    loop {
        if clears {
            // Clears the terminal, and begins at its top.
            streams.out.write_all(b"\x1b[2J\x1b[H")?;
        }
        show(task, streams, json)?;
        streams.out.flush()?;
        std::thread::sleep(WATCH_INTERVAL);
    }
}

fn state(task: &Task, streams: &mut Streams<'_>, json: bool) -> Result<ExitCode, CommandError> {
    // A process being replaced answers besides the one that took over, and before that one is ready.
    let old = ask(&old_name(&socket(task)?), &Request::Status).ok();
    let found = match (question(task, &Request::Status), old) {
        (Err(failure), None) => return Err(failure),
        (new, old) => new.into_iter().chain(old),
    };
    for answer in found {
        match answer {
            ControlAnswer::Status(status) if json => {
                let line = serde_json::to_string(&status).map_err(std::io::Error::from)?;
                writeln!(streams.out, "{line}")?;
            }
            ControlAnswer::Status(status) => streams.out.write_all(page(&status).as_bytes())?,
            ControlAnswer::Callbacks(_) | ControlAnswer::Streams(_) | ControlAnswer::Controlled { .. } => {
                return Err(misunderstood());
            }
            ControlAnswer::Refused { text } | ControlAnswer::Done { text } => {
                return Err(CommandError::Text(text.into()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The status as human-readable text.
fn page(status: &ServerStatus) -> String {
    let ServerStatus { version, pid, uptime_seconds, draining, configuration: conf, .. } = status;
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<14} {value}");
    };
    let ending = if *draining { ", waiting for its sessions to end" } else { "" };
    line(
        "server",
        format!("pingosd/{version}, process {pid}, up {}{ending}", duration(uptime_seconds * 1000)),
    );
    line("configuration", conf.file.clone());
    line("generation", format!("{} since {}", conf.generation, conf.since));
    line("hash", conf.hash.clone());
    let mut name = "kept";
    for kept in &conf.kept {
        line(name, format!("{} {} of {}", kept.generation, kept.hash, kept.since));
        name = "";
    }
    match (&conf.kept_in, &conf.not_kept) {
        (Some(directory), None) => line("kept in", directory.clone()),
        (Some(_), Some(why)) => line("kept in", format!("memory only: {why}")),
        (None, _) => line("kept in", "memory".into()),
    }
    let on_disk = match conf.on_disk {
        OnDisk::Same => "holds what is in force",
        OnDisk::Newer => "holds something else, which is not in force",
        OnDisk::Rejected => "holds what was refused",
        OnDisk::Unknown => "could not be read in time",
    };
    line("on disk", on_disk.into());
    if let Some(seconds) = conf.confirm_seconds_left {
        line("to be confirmed", format!("within {seconds}s"));
    }
    if let Some(refused) = &conf.refused {
        line("refused", refused.at.clone());
        refused.reasons.iter().for_each(|reason| line("", reason.clone()));
    }
    line("listeners", status.listeners.join(", "));
    line("streams", status.streams.to_string());
    let SessionCounts { publishers, players, .. } = &status.sessions;
    line("publishers", publishers.to_string());
    line("players", players.to_string());
    for (protocol, ProtocolCount { publishers, players }) in &status.sessions.by_protocol {
        line("", format!("{protocol}: {publishers} publishers, {players} players"));
    }
    let (open, limit, total) = (status.connections, status.connections_limit, status.accepted_total);
    line("connections", format!("{open} of {limit}, {total} accepted so far"));
    line("tasks", status.tasks.to_string());
    let Queues { callbacks, unfinished, log_lines_lost_total } = &status.queues;
    line("callbacks", format!("{callbacks} under way"));
    line("done events", format!("{} waiting, {} lost", status.done_waiting, status.done_lost_total));
    line("unfinished", format!("{unfinished} files and commands"));
    if *log_lines_lost_total > 0 {
        line("log", format!("{log_lines_lost_total} lines could not be written"));
    }
    out
}
