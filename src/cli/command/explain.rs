//! `pingosd explain`: effective values for a client or a line, with their origin.

mod line;
mod page;
mod target;
mod values;

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bstr::{BStr, ByteSlice};

use super::origin::{SourcePositions, block};
use super::sample::Sample;
use super::task::{CommandError, Streams, Task};
use crate::config::load::read;
use crate::config::model::{HttpServer, RtmpServer};
use crate::config::{Config, load};
use crate::directive::context::{APPLICATION, HTTP_SERVER, LOCATION, RTMP_SERVER};
use crate::directive::outline::Outline;
use crate::http::routes::Location;
use crate::media::listen::DEFAULT_PORT;
use crate::media::server_conf::ServerConf;
use crate::modules::REGISTRY;
use line::explain_line;
use page::{ExplanationPage, SAMPLE_NAME};
use target::{ClientAddress, ExplainedSocket, meet};

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let ([], words) = task.switches([])?;
    let [target] = words[..] else { return Err(CommandError::Usage) };
    let text = match place(target) {
        Some((file, line)) => explain_line(task, file, line)?,
        None => {
            let config = match load(&task.load) {
                Ok(config) => config,
                Err(report) => {
                    streams.err.write_all(&report.render(streams.style))?;
                    return Err(CommandError::Told);
                }
            };
            explain_client(task, &config, target.as_bytes())?
        }
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Parses `FILE:LINE`, which differs from `SERVER:PORT/APP` by ending in digits.
fn place(target: &OsStr) -> Option<(&Path, u32)> {
    let (file, line) = target.as_bytes().rsplit_once_str(":")?;
    let line = line.to_str().ok()?.parse().ok()?;
    (!file.is_empty()).then(|| (Path::new(OsStr::from_bytes(file)), line))
}

fn explain_client(task: &Task, config: &Config, text: &[u8]) -> Result<String, CommandError> {
    let target = ClientAddress::parse(text).ok_or(CommandError::Usage)?;
    let (reading, _) = read(&task.load);
    let outline = Outline::new(&reading.tree, &REGISTRY);
    let origins = SourcePositions { reading: &reading };
    let mut page = ExplanationPage { origins: &origins, outline: &outline, out: String::new() };
    if target.http {
        page.location(config, &target)?;
    } else {
        page.application(config, &target)?;
    }
    Ok(page.out)
}

impl ExplanationPage<'_, '_> {
    fn application(&mut self, config: &Config, target: &ClientAddress<'_>) -> Result<(), CommandError> {
        let none = |text: &str| CommandError::Text(text.as_bytes().to_vec());
        let rtmp = config.rtmp.as_ref().ok_or_else(|| none("the configuration has no rtmp server"))?;
        let sockets: Vec<ExplainedSocket<'_, RtmpServer>> = rtmp
            .listeners
            .iter()
            .map(|l| ExplainedSocket { addr: &l.addr, names: &l.servers, specific: &l.specific })
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
            return Err(CommandError::Text(text.into()));
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
            serverid: server.get::<ServerConf>().serverid.0.clone(),
            port: target.port.unwrap_or(DEFAULT_PORT),
        };
        self.values(application, Some(&sample));
        Ok(())
    }

    fn location(&mut self, config: &Config, target: &ClientAddress<'_>) -> Result<(), CommandError> {
        let none = |text: &str| CommandError::Text(text.as_bytes().to_vec());
        let http = config.http.as_ref().ok_or_else(|| none("the configuration has no http server"))?;
        let sockets: Vec<ExplainedSocket<'_, HttpServer>> = http
            .listeners
            .iter()
            .map(|l| ExplainedSocket { addr: &l.addr, names: &l.servers, specific: &l.specific })
            .collect();
        let usual = crate::http::listen::DEFAULT_PORT;
        let (server, how) =
            meet(&sockets, target, usual).ok_or_else(|| none("no http server listens on that port"))?;
        let number = http.servers.iter().position(|s| Arc::ptr_eq(s, server));
        let section = number.and_then(|number| self.outline.of(HTTP_SERVER).nth(number));
        let section = section.ok_or_else(|| none("the configuration has changed meanwhile"))?;
        self.head(section, &how);
        let path = target.path.split(|b| *b == b'?').next().unwrap_or_default();
        let location =
            server.routes().location_for(path).map_err(|undecided| none(&undecided.to_string()))?;
        // What a variable says depends on the request.
        let unless =
            if server.routes().locations.has_predicates() { ", unless a predicate holds" } else { "" };
        match self.outline.of(LOCATION).find(|at| self.is(*at, location, section)) {
            Some(at) => {
                self.head(at, &format!("takes that path{unless}"));
                self.values(at, None);
            }
            None => {
                let _ =
                    writeln!(self.out, "no location takes that path{unless}; the server's own values count");
                self.values(section, None);
            }
        }
        Ok(())
    }

    /// Whether a block of a server is that location.
    fn is(&self, section: usize, location: &Location, server: usize) -> bool {
        let Some(head) = self.outline.sections[section].head else { return false };
        // Several blocks may stand in one line: it is the one with this name, not with one that ends with it, and none where
        // no location takes the path.
        let spelled = location.name.spelled();
        let modifiers = [&b""[..], b"=", b"^~", b"~", b"~*"];
        let is_name =
            |word: &[u8]| modifiers.iter().any(|modifier| word.strip_prefix(*modifier) == Some(spelled));
        let named = !spelled.is_empty() && head.words().last().is_some_and(|word| is_name(&word.bytes));
        let inside = self.outline.around(section).any(|at| at == server);
        named && inside && self.origins.reading.sources.pos(head.terminator()) == location.pos
    }

    fn head(&mut self, section: usize, how: &str) {
        let Some(head) = self.outline.sections[section].head else { return };
        let _ =
            writeln!(self.out, "{}  ({how})\n    at {}", block(self.outline, section), self.origins.of(head));
    }
}
