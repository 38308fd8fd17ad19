//! `pingosd explain`: which values count for a client or a line, and where they come from.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use super::origin::{Origins, block, remark, spelled, value};
use super::sample::Sample;
use super::{Failure, Streams, Task};
use crate::conf::context::{APPLICATION, HTTP_SERVER, LOCATION, MAIN, RTMP_SERVER};
use crate::conf::manual;
use crate::conf::outline::{Outline, Said};
use crate::conf::tree::End;
use crate::conf::{Inherit, ListenAddr, Row, Shape};
use crate::config::load::read;
use crate::config::model::{HttpServer, Location, RtmpServer};
use crate::config::names::NameTable;
use crate::config::{Config, load};
use crate::module::rtmp::listen::DEFAULT_PORT;
use crate::modules::{MODULES, REGISTRY};

/// What it takes.
pub const USAGE: &str = "explain server[:port]/application[/name] | http://server[:port]/path | file:line";

/// The stream's name in sample requests unless one is given.
const SAMPLE_NAME: &[u8] = b"stream";
/// Columns of names and of values; longer ones push what follows to the right.
const NAME_WIDTH: usize = 24;
const VALUE_WIDTH: usize = 24;

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, Failure> {
    let ([], words) = task.switches([])?;
    let [target] = words[..] else { return Err(Failure::Usage) };
    let text = match place(target) {
        Some((file, line)) => explain_line(task, file, line)?,
        None => {
            let config = match load(&task.load) {
                Ok(config) => config,
                Err(report) => {
                    streams.err.write_all(&report.render(streams.style))?;
                    return Err(Failure::Told);
                }
            };
            explain_client(task, &config, target.as_bytes())?
        }
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// `FILE:LINE`, told from `SERVER:PORT/APP` by ending in digits.
fn place(target: &OsStr) -> Option<(&Path, u32)> {
    let (file, line) = target.as_bytes().rsplit_once_str(":")?;
    let line = line.to_str().ok()?.parse().ok()?;
    (!file.is_empty()).then(|| (Path::new(OsStr::from_bytes(file)), line))
}

/// A client's address, taken apart.
struct Target<'t> {
    http: bool,
    host: &'t [u8],
    port: Option<u16>,
    /// What follows the host, with its slash.
    path: &'t [u8],
}

impl<'t> Target<'t> {
    fn parse(text: &'t [u8]) -> Option<Target<'t>> {
        let (http, rest) = match text.split_once_str("://") {
            Some((b"rtmp", rest)) => (false, rest),
            Some((b"http" | b"https", rest)) => (true, rest),
            Some(_) => return None,
            None => (false, text),
        };
        let slash = rest.find_byte(b'/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let colon = authority.rfind_byte(b':').filter(|at| !authority[*at..].contains(&b']'));
        let (host, port) = match colon {
            Some(at) => (&authority[..at], Some(authority[at + 1..].to_str().ok()?.parse().ok()?)),
            None => (authority, None),
        };
        (!path.is_empty()).then_some(Target { http, host, port, path })
    }
}

/// One socket, as finding a server needs it.
struct Socket<'c, S> {
    addr: &'c ListenAddr,
    names: &'c NameTable<S>,
    specific: &'c [(ListenAddr, NameTable<S>)],
}

/// The server that a client meets, and how it comes to that.
fn meet<'c, S>(sockets: &[Socket<'c, S>], target: &Target<'_>, usual: u16) -> Option<(&'c Arc<S>, String)> {
    let port = |addr: &ListenAddr| matches!(addr, ListenAddr::Tcp(addr) if target.port.is_none_or(|p| p == addr.port()));
    let is_usual = |addr: &ListenAddr| matches!(addr, ListenAddr::Tcp(addr) if addr.port() == usual);
    let tables = sockets.iter().flat_map(|socket| {
        let specific = socket.specific.iter().map(|(addr, names)| (addr, names));
        specific.chain([(socket.addr, socket.names)])
    });
    let ip = target.host.to_str().ok().and_then(|h| h.parse::<std::net::IpAddr>().ok());
    // An address that is listened on by itself comes first, then one that has the name, then the usual port.
    let rank = |(addr, names): &(&ListenAddr, &NameTable<S>)| {
        let exact = matches!(addr, ListenAddr::Tcp(addr) if Some(addr.ip()) == ip);
        let other = ip.is_some() && !exact && !addr.is_wildcard();
        let named = !Arc::ptr_eq(names.find(target.host), names.default_server());
        (other, !exact, !named, !is_usual(addr))
    };
    let (addr, names) = tables.filter(|(addr, _)| port(addr)).min_by_key(rank)?;
    let server = names.find(target.host);
    let host = BStr::new(target.host);
    let how = if Arc::ptr_eq(server, names.default_server()) {
        format!("on {addr}; the default there for hosts that no other server names, such as \"{host}\"")
    } else {
        format!("on {addr}; named \"{host}\"")
    };
    Some((server, how))
}

fn explain_client(task: &Task, config: &Config, text: &[u8]) -> Result<String, Failure> {
    let target = Target::parse(text).ok_or(Failure::Usage)?;
    let (reading, _) = read(&task.load);
    let outline = Outline::new(&reading.tree, &REGISTRY);
    let origins = Origins { reading: &reading };
    let mut page = Page { origins: &origins, outline: &outline, out: String::new() };
    if target.http {
        page.location(config, &target)?
    } else {
        page.application(config, &target)?
    }
    Ok(page.out)
}

/// An explanation while it is written.
struct Page<'p, 't> {
    origins: &'p Origins<'p>,
    outline: &'p Outline<'t>,
    out: String,
}

impl Page<'_, '_> {
    fn application(&mut self, config: &Config, target: &Target<'_>) -> Result<(), Failure> {
        let none = |text: &str| Failure::Text(text.as_bytes().to_vec());
        let rtmp = config.rtmp.as_ref().ok_or_else(|| none("the configuration has no rtmp server"))?;
        let sockets: Vec<Socket<'_, RtmpServer>> = rtmp
            .listeners
            .iter()
            .map(|l| Socket { addr: &l.addr, names: &l.servers, specific: &l.specific })
            .collect();
        let (server, how) = meet(&sockets, target, DEFAULT_PORT)
            .ok_or_else(|| none("no rtmp server listens on that port"))?;
        let number = rtmp.servers.iter().position(|s| Arc::ptr_eq(s, server));
        let section = number.and_then(|number| self.outline.of(RTMP_SERVER).nth(number));
        let section = section.ok_or_else(|| none("the configuration has changed meanwhile"))?;
        self.head(section, &how);

        let mut parts = target.path[1..].splitn(2, |b| *b == b'/');
        let app = parts.next().unwrap_or_default();
        let name = parts.next().filter(|name| !name.is_empty()).unwrap_or(SAMPLE_NAME);
        let sections = &self.outline.sections;
        let find = |wanted: &[u8]| {
            let mut inner = sections[section].inner.iter().filter(|at| sections[**at].context == APPLICATION);
            inner.find(|at| sections[**at].words().first().is_some_and(|w| &w.bytes[..] == wanted)).copied()
        };
        let Some(application) = find(app).or_else(|| find(b"*")) else {
            let known = server.applications.iter().map(|a| a.name.to_string()).collect::<Vec<_>>().join(", ");
            let app = BStr::new(app);
            let text = format!("{}no application \"{app}\" in this server; it has: {known}", self.out);
            return Err(Failure::Text(text.into()));
        };
        let named = find(app).is_some();
        self.head(
            application,
            if named { "of that name" } else { "takes every name without a block of its own" },
        );
        let sample = Sample {
            domain: target.host.into(),
            app: app.into(),
            name: name.into(),
            serverid: server.serverid.clone(),
            port: target.port.unwrap_or(DEFAULT_PORT),
        };
        self.values(application, Some(&sample));
        Ok(())
    }

    fn location(&mut self, config: &Config, target: &Target<'_>) -> Result<(), Failure> {
        let none = |text: &str| Failure::Text(text.as_bytes().to_vec());
        let http = config.http.as_ref().ok_or_else(|| none("the configuration has no http server"))?;
        let sockets: Vec<Socket<'_, HttpServer>> = http
            .listeners
            .iter()
            .map(|l| Socket { addr: &l.addr, names: &l.servers, specific: &l.specific })
            .collect();
        let usual = crate::module::http::listen::DEFAULT_PORT;
        let (server, how) =
            meet(&sockets, target, usual).ok_or_else(|| none("no http server listens on that port"))?;
        let number = http.servers.iter().position(|s| Arc::ptr_eq(s, server));
        let section = number.and_then(|number| self.outline.of(HTTP_SERVER).nth(number));
        let section = section.ok_or_else(|| none("the configuration has changed meanwhile"))?;
        self.head(section, &how);
        let path = target.path.split(|b| *b == b'?').next().unwrap_or_default();
        let location = server.location_for(path);
        match self.outline.of(LOCATION).find(|at| self.is(*at, location, section)) {
            Some(at) => {
                self.head(at, "takes that path");
                self.values(at, None);
            }
            None => {
                self.out.push_str("no location takes that path; the server's own values count\n");
                self.values(section, None);
            }
        }
        Ok(())
    }

    /// Whether a block of a server is that location.
    fn is(&self, section: usize, location: &Location, server: usize) -> bool {
        let Some(head) = self.outline.sections[section].head else { return false };
        let named = head.words().last().is_some_and(|w| w.bytes.ends_with(location.name.spelled()));
        let inside = self.outline.around(section).any(|at| at == server);
        named && inside && self.origins.reading.sources.pos(head.terminator()) == location.pos
    }

    fn head(&mut self, section: usize, how: &str) {
        let Some(head) = self.outline.sections[section].head else { return };
        let _ =
            writeln!(self.out, "{}  ({how})\n    at {}", block(self.outline, section), self.origins.of(head));
    }

    /// Every value that counts in a block, by module, in the order of the manual.
    fn values(&mut self, section: usize, sample: Option<&Sample>) {
        for module in MODULES {
            let mut lines = String::new();
            for row in module.rows.iter().filter(|row| !matches!(row.shape, Shape::Opens(_))) {
                self.row(row, section, sample, &mut lines);
            }
            if !lines.is_empty() {
                let _ = write!(self.out, "\n{}\n{lines}", module.name);
            }
        }
    }

    fn row(&self, row: &'static Row, section: usize, sample: Option<&Sample>, out: &mut String) {
        let levels = levels(self.outline, row, section);
        if levels.is_empty() {
            return;
        }
        let mut counted = counted(self.outline, row, &levels).peekable();
        if counted.peek().is_none() {
            let Some(default) = row.default else { return };
            let shown = if default.is_empty() { "\"\"" } else { default };
            let _ = writeln!(out, "    {:NAME_WIDTH$} {shown:VALUE_WIDTH$} default", row.name());
            return;
        }
        for said in counted {
            let name = said.name().text().to_string();
            let shown = value(said);
            let from = self.origins.of(said.node);
            let origin = if said.section == section {
                from
            } else {
                format!("inherited from {} at {from}", block(self.outline, said.section))
            };
            let _ = writeln!(out, "    {name:NAME_WIDTH$} {shown:VALUE_WIDTH$} {origin}{}", remark(said));
            if let Some(request) = sample.and_then(|s| s.request(row.name(), said.words())) {
                let _ = writeln!(out, "    {:NAME_WIDTH$} {request}", "");
            }
        }
        if let Some(hidden) = hidden(self.outline, row, &levels) {
            let (other, from) = (value(hidden), self.origins.of(hidden.node));
            let _ = writeln!(out, "    {:NAME_WIDTH$} (instead of {other} at {from})", "");
        }
    }
}

/// The blocks in which a row may stand, the innermost first; what stands outside every block is the process's.
fn levels(outline: &Outline<'_>, row: &Row, section: usize) -> Vec<usize> {
    let inside = outline.around(section).filter(|at| outline.sections[*at].context != MAIN);
    inside.filter(|at| row.contexts & outline.sections[*at].context != 0).collect()
}

/// The statements that count for a row.
fn counted<'o, 't>(
    outline: &'o Outline<'t>,
    row: &'static Row,
    levels: &[usize],
) -> impl Iterator<Item = &'o Said<'t>> {
    let says = |at: &&usize| outline.own(**at, row.name()).next().is_some();
    let levels: Vec<usize> = match row.inherit {
        Inherit::Joined => levels.to_vec(),
        Inherit::Nearest => levels.iter().find(says).copied().into_iter().collect(),
        Inherit::Never => levels.first().copied().into_iter().collect(),
    };
    // The same name may be another row in another context.
    let same = move |said: &&Said<'_>| said.row().is_some_and(|r| std::ptr::eq(r, row));
    levels.into_iter().flat_map(move |at| outline.own(at, row.name())).filter(same)
}

/// The value that would count without the nearest one.
fn hidden<'o, 't>(outline: &'o Outline<'t>, row: &'static Row, levels: &[usize]) -> Option<&'o Said<'t>> {
    if row.inherit != Inherit::Nearest {
        return None;
    }
    let mut saying = levels.iter().filter(|at| outline.own(**at, row.name()).next().is_some());
    saying.nth(1).and_then(|at| outline.own(*at, row.name()).last())
}

fn explain_line(task: &Task, file: &Path, line: u32) -> Result<String, Failure> {
    let (reading, _) = read(&task.load);
    let outline = Outline::new(&reading.tree, &REGISTRY);
    let origins = Origins { reading: &reading };
    let whole = std::fs::canonicalize(file).ok();
    let named = |name: &Path| {
        name == file || name.ends_with(file) || whole.is_some() && std::fs::canonicalize(name).ok() == whole
    };
    let is_file = |id| reading.sources.file(id).is_some_and(|f| named(&f.name));
    if !reading.sources.files().iter().any(|f| named(&f.name)) {
        let text = format!("\"{}\" is no file of {}", file.display(), task.load.conf_name().display());
        return Err(Failure::Text(text.into()));
    }
    let here: Vec<&Said<'_>> = outline.statements.iter().filter(|s| is_file(s.name().span.file)).collect();
    let begins: Vec<&Said<'_>> = here.iter().filter(|s| s.name().span.line == line).copied().collect();
    let chosen = if begins.is_empty() {
        // The innermost one that reaches over the line.
        here.into_iter()
            .rev()
            .find(|s| (s.name().span.line..=last_line(s)).contains(&line))
            .into_iter()
            .collect()
    } else {
        begins
    };
    if chosen.is_empty() {
        return Err(Failure::Text(format!("nothing is said at {}:{line}", file.display()).into()));
    }
    let mut out = String::new();
    for said in chosen {
        if !out.is_empty() {
            out.push('\n');
        }
        explain_statement(&outline, &origins, said, &mut out);
    }
    Ok(out)
}

/// The last line of a statement and its body.
fn last_line(said: &Said<'_>) -> u32 {
    match said.node.end() {
        End::Block { close: Some(close) } => close.line,
        _ => said.node.terminator().line,
    }
}

fn explain_statement(outline: &Outline<'_>, origins: &Origins<'_>, said: &Said<'_>, out: &mut String) {
    let words = spelled(said.node.words());
    let end = if said.node.opens_block() { " { ... }" } else { ";" };
    let _ = writeln!(out, "{words}{end}{}\n    at {}", remark(said), origins.of(said.node));
    for at in outline.around(said.section) {
        if let Some(head) = outline.sections[at].head {
            let _ = writeln!(out, "    in {} at {}", block(outline, at), origins.of(head));
        }
    }
    let Some(row) = said.row() else {
        let name = &said.name().bytes;
        let context = outline.sections[said.section].context;
        let known = if REGISTRY.find(name).is_empty() { "no directive of ours" } else { "not allowed here" };
        let _ = writeln!(out, "    {known}");
        if let Some(advice) = REGISTRY.advice(name, context) {
            let _ = writeln!(out, "    {advice}");
        }
        return;
    };
    if said.opens.is_none() {
        let levels = levels(outline, row, said.section);
        match hidden(outline, row, &levels) {
            Some(hidden) => {
                let (other, from) = (value(hidden), origins.of(hidden.node));
                let _ =
                    writeln!(out, "    instead of {other} from {} at {from}", block(outline, hidden.section));
            }
            None => {
                let default = row.default.filter(|_| row.inherit != Inherit::Joined);
                let _ = default.map(|d| {
                    writeln!(out, "    instead of the default {}", if d.is_empty() { "\"\"" } else { d })
                });
            }
        }
        for inner in overriding(outline, row, said) {
            let (other, from) = (value(inner), origins.of(inner.node));
            let _ = writeln!(out, "    but {other} in {} at {from}", block(outline, inner.section));
        }
        let sample = Sample {
            domain: b"example.com".into(),
            app: application(outline, said),
            name: SAMPLE_NAME.into(),
            serverid: b"default".into(),
            port: DEFAULT_PORT,
        };
        if let Some(request) = sample.request(row.name(), said.words()) {
            let _ = writeln!(out, "    sends, for example: {request}");
        }
    }
    let _ = write!(out, "\n{}", manual::of(row));
}

/// Inner blocks that say something else.
fn overriding<'o, 't>(
    outline: &'o Outline<'t>,
    row: &'static Row,
    said: &'o Said<'t>,
) -> impl Iterator<Item = &'o Said<'t>> {
    let nearest = row.inherit == Inherit::Nearest;
    outline.statements.iter().filter(move |other| {
        let same = other.row().is_some_and(|r| std::ptr::eq(r, row));
        nearest && same && outline.around(other.section).skip(1).any(|at| at == said.section)
    })
}

/// The name of the application around a statement.
fn application(outline: &Outline<'_>, said: &Said<'_>) -> BString {
    let section = outline.up_to(said.section, APPLICATION);
    let name = section.and_then(|at| outline.sections[at].words().first());
    name.map_or_else(|| b"live".into(), |name| name.text().to_owned())
}
