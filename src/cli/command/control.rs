//! Commands for the running server: `status`, `top`, `reload`, `plan`, `rollback`, `confirm`, `callback`.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::{ErrorKind, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::streams::{Overview, duration};
use super::task::{CommandError, Name, Streams, Task, replace};
use super::top;
use crate::config::on_disk::OnDisk;
use crate::directive::number;
use crate::log::counted;
use crate::notify::ledger::snapshot::LineSnapshot;
use crate::server::control::client::{ControlClientError, ask};
use crate::server::control::probe::{self, Probe};
use crate::server::control::protocol::{
    CertificateStatus, ControlAnswer, FileInForce, ProtocolCount, Queues, Request, ServerStatus,
    SessionCounts,
};
use crate::server::control::socket::{find_alive, old_name};

/// Interval of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    match task.name {
        Name::Status => status(task, streams),
        Name::Top if task.words.is_empty() => top::run(|| overview(task)),
        Name::Callback => {
            let [test, place] = &task.words[..] else { return Err(CommandError::Usage) };
            let place = place.to_str().filter(|_| test == "test").ok_or(CommandError::Usage)?;
            if find_alive(task.load.control_paths()).is_some() {
                return tell(task, streams, Request::Probe { place: place.to_owned() }, false);
            }
            writeln!(streams.err, "pingosd: no server is running; this command sends the request")?;
            let Probe { text, has_failed } = probe::run_alone(&task.load, place)
                .map_err(|error| CommandError::Text(error.to_string().into()))?;
            streams.out.write_all(text.as_bytes())?;
            Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Name::Reload => {
            let mut confirm_ms = None;
            let mut rest = Vec::new();
            let mut words = task.words.iter();
            while let Some(word) = words.next() {
                match word == "--confirm" {
                    true => confirm_ms = Some(time_of(words.next().ok_or(CommandError::Usage)?)?),
                    false => rest.push(word.clone()),
                }
            }
            let rest = Task { words: rest, ..task.clone() };
            let quiet = rest.is_quiet()?;
            let colour = streams.style.colour;
            tell(task, streams, Request::Reload { confirm_ms, colour }, quiet)
        }
        Name::Plan => {
            let (quiet, colour) = (task.is_quiet()?, streams.style.colour);
            tell(task, streams, Request::Plan { colour }, quiet)
        }
        Name::Rollback => match task.switches(["--write"])? {
            ([writes], words) if words.is_empty() => roll_back(task, streams, writes),
            _ => Err(CommandError::Usage),
        },
        _ if !task.words.is_empty() => Err(CommandError::Usage),
        _ => tell(task, streams, Request::Confirm, false),
    }
}

impl Task {
    /// Whether the only arguments are `-q`.
    fn is_quiet(&self) -> Result<bool, CommandError> {
        match self.switches(["-q"])? {
            ([quiet], words) if words.is_empty() => Ok(quiet),
            _ => Err(CommandError::Usage),
        }
    }
}

/// Rolls back, and tells or mends that the files hold another configuration.
fn roll_back(task: &Task, streams: &mut Streams<'_>, writes: bool) -> Result<ExitCode, CommandError> {
    let is_rolled_back = writes && in_force(task)?.1;
    if !is_rolled_back {
        let code = tell(task, streams, Request::Rollback, false)?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    if writes {
        let (files, _) = in_force(task)?;
        let mut is_written = false;
        for file in &files {
            let (path, content) = (file.path.bytes(), file.content.bytes());
            let path = Path::new(OsStr::from_bytes(&path));
            if !path.is_absolute() {
                let text =
                    format!("\"{}\" is relative to the server's directory; write it there", path.display());
                return Err(CommandError::Text(text.into()));
            }
            if std::fs::read(path).is_ok_and(|on_disk| on_disk == content) {
                continue;
            }
            replace(path, &content)?;
            writeln!(streams.out, "\"{}\" is written", path.display())?;
            is_written = true;
        }
        if !is_written {
            writeln!(streams.out, "the files hold the configuration in force already")?;
        }
    }
    if let ControlAnswer::Status(status) = question(task, &Request::Status)?
        && matches!(status.configuration.on_disk, OnDisk::Newer | OnDisk::Rejected)
    {
        let next = if writes {
            "a file was added since; see \"pingosd plan\""
        } else {
            "\"pingosd rollback --write\" writes the one in force to the files"
        };
        writeln!(
            streams.err,
            "pingosd: the files hold another configuration, which the next reload or start would use; {next}"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Files of the configuration in force, and whether it came into force by a rollback.
fn in_force(task: &Task) -> Result<(Vec<FileInForce>, bool), CommandError> {
    match question(task, &Request::Files)? {
        ControlAnswer::Files { files, is_rolled_back } => Ok((files, is_rolled_back)),
        ControlAnswer::Refused { text } => Err(CommandError::Text(text.into())),
        _ => Err(misunderstood()),
    }
}

/// Parses a time in the notation of configurations.
fn time_of(word: &OsStr) -> Result<u64, CommandError> {
    let text = || format!("\"{}\" is not a time such as 60s", word.display()).into_bytes();
    number::msec(word.as_bytes()).filter(|time| *time > 0).ok_or_else(|| CommandError::Text(text()))
}

/// Path of a control socket on which a server answers, otherwise the most likely path.
fn socket(task: &Task) -> Result<PathBuf, CommandError> {
    let alive = find_alive(task.load.control_paths());
    let likely = || task.load.conf_file.as_ref().and_then(|_| task.load.control_paths().next());
    alive.or_else(likely).ok_or_else(|| {
        let text = match task.load.conf_file {
            Some(_) => "the configuration has no control socket (control_socket off)",
            None => {
                "no server with the built-in configuration is running; give the configuration with -p or -c"
            }
        };
        CommandError::NotRunning(text.into())
    })
}

/// Sends a request to the running server.
pub(super) fn question(task: &Task, request: &Request) -> Result<ControlAnswer, CommandError> {
    let path = socket(task)?;
    let answer = ask(&path, request).map_err(|error| {
        let path = path.display();
        match error {
            ControlClientError::Unreachable(error) if error.kind() == ErrorKind::PermissionDenied => {
                let why = crate::log::os_text(&error);
                CommandError::NotPermitted(format!(
                    "\"{path}\" cannot be opened ({why}); run this command as root or as the server's user"
                ))
            }
            ControlClientError::Unreachable(error) => {
                let why = crate::log::os_text(&error);
                CommandError::NotRunning(format!(
                    "no server answers on \"{path}\" ({why}); is it running, with this prefix (-p) and file (-c)?"
                ))
            }
            why => CommandError::Text(format!("\"{path}\": {why}").into()),
        }
    })?;
    match answer {
        ControlAnswer::NotPermitted { text } => Err(CommandError::NotPermitted(text)),
        answer => Ok(answer),
    }
}

/// Sends a request, and prints its result before the warnings, which `quiet` leaves out.
fn tell(
    task: &Task,
    streams: &mut Streams<'_>,
    request: Request,
    quiet: bool,
) -> Result<ExitCode, CommandError> {
    match question(task, &request)? {
        ControlAnswer::Done { text, warnings } => {
            streams.out.write_all(text.as_bytes())?;
            streams.out.flush()?;
            if !quiet {
                streams.err.write_all(warnings.as_bytes())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        ControlAnswer::Failed { text } => {
            streams.out.write_all(text.as_bytes())?;
            Ok(ExitCode::FAILURE)
        }
        ControlAnswer::Refused { text } => {
            // Errors of a configuration have nginx's prefix.
            let prefix = if text.starts_with("nginx: ") { "" } else { "pingosd: " };
            writeln!(streams.err, "{prefix}{}", text.trim_end())?;
            Ok(ExitCode::FAILURE)
        }
        _ => Err(misunderstood()),
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
    writeln!(
        streams.out,
        "done events: {} waiting, {} lost",
        snapshot.done_waiting, snapshot.done_lost_total
    )?;
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
            ControlAnswer::Refused { text } => return Err(CommandError::Text(text.into())),
            _ => return Err(misunderstood()),
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
    line("generation", format!("{} since {}", conf.generation, local(&conf.since)));
    line("hash", conf.hash.clone());
    let mut name = "kept";
    for kept in &conf.kept {
        line(name, format!("{} {} of {}", kept.generation, kept.hash, local(&kept.since)));
        name = "";
    }
    match (&conf.kept_in, &conf.not_kept) {
        (Some(directory), None) => line("kept in", directory.clone()),
        (Some(_), Some(why)) => line("kept in", format!("memory only: {why}")),
        (None, _) => line("kept in", "memory".into()),
    }
    let on_disk = match conf.on_disk {
        OnDisk::Same => "in force",
        OnDisk::Newer => "changed since; a reload applies them",
        OnDisk::Rejected => "refused by the last reload",
        OnDisk::Unknown => "could not be read in time",
    };
    line("files", on_disk.into());
    if let Some(seconds) = conf.confirm_seconds_left {
        line("rolls back", format!("in {seconds}s, unless confirmed"));
    }
    if let Some(refused) = &conf.refused {
        line("refused", local(&refused.at));
        refused.reasons.iter().for_each(|reason| line("", reason.clone()));
    }
    line("listeners", status.listeners.join(", "));
    let mut name = "certificates";
    for certificate in &status.certificates {
        line(name, certificate_line(certificate));
        name = "";
        if let Some(why) = &certificate.failure {
            line("", format!("  failed: {why}"));
        }
    }
    line("streams", status.streams.to_string());
    let SessionCounts { publishers, players, .. } = &status.sessions;
    line("publishers", publishers.to_string());
    line("players", players.to_string());
    for (protocol, ProtocolCount { publishers, players }) in &status.sessions.by_protocol {
        let (publishers, players) =
            (counted(*publishers as u64, "publisher"), counted(*players as u64, "player"));
        line("", format!("{protocol}: {publishers}, {players}"));
    }
    let (open, limit, total) = (status.connections, status.connections_limit, status.accepted_total);
    line("connections", format!("{open} of {limit}, {total} accepted so far"));
    line("tasks", status.tasks.to_string());
    let Queues { callbacks, unfinished, log_lines_lost_total } = &status.queues;
    line("callbacks", format!("{callbacks} in progress"));
    line("done events", format!("{} waiting, {} lost", status.done_waiting, status.done_lost_total));
    line("in progress", format!("{unfinished} files being written and commands running"));
    if *log_lines_lost_total > 0 {
        line("log", format!("{} could not be written", counted(*log_lines_lost_total, "line")));
    }
    out
}

/// A certificate that is ordered: its names, from whom, up to when it is valid, and what is next.
fn certificate_line(certificate: &CertificateStatus) -> String {
    let CertificateStatus { issuer, names, valid_until, next_order, .. } = certificate;
    let names = names.join(", ");
    let is_there = valid_until.is_some();
    let validity =
        valid_until.as_ref().map_or("not issued yet".into(), |end| format!("until {}", local(end)));
    let next = match next_order {
        Some(next) if is_there => format!("renewed after {}", local(next)),
        Some(next) => format!("ordered after {}", local(next)),
        None => "not ordered until the configuration changes".into(),
    };
    format!("{names} from {issuer}, {validity}, {next}")
}

/// A time of the protocol (RFC 3339), in the zone of this system.
fn local(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => {
            time.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %z").to_string()
        }
        Err(_) => time.to_owned(),
    }
}
