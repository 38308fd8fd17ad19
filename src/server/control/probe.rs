//! `pingosd callback test`: sends a marked request of a callback line and shows the answer.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Instant;

use strum::VariantArray;

use crate::config::{Config, LoadOptions};
use crate::log::os_text;
use crate::net::dns::Dns;
use crate::notify;
use crate::notify::answer::CallbackAnswer;
use crate::notify::hook::Hook;
use crate::notify::process::{SERVER_EVENT, WORKER_EVENT};
use crate::notify::process_proxy::ProcessProxy;
use crate::notify::proxy::HttpProxy;
use crate::notify::request::{
    QueryEscape, SessionFields, Stage, master_target, process_target, session_target,
};
use crate::notify::transport::{OutgoingRequest, Transport};
use crate::notify::{EventKind, ProcessVariables, RequestId, TransportError};

/// Stream name of a probe. The actual mark is the header `X-Pingosd-Probe: 1`, which every request carries.
const NAME: &[u8] = b"pingosd-probe";

/// Result of a probe.
pub struct Probe {
    /// The request, its answer and the decision, human-readable.
    pub text: String,
    /// Whether the answer refuses, or there is none.
    pub has_failed: bool,
}

/// A callback line.
#[derive(Clone)]
struct ProbedLine {
    about: ProbeSubject,
    hook: Hook,
    /// Whether its requests go through a proxy.
    way: HttpProxy,
}

/// Reason why no request was sent.
#[derive(Debug)]
pub enum ProbeError {
    /// The configuration is invalid.
    Configuration,
    /// The system cannot provide a runtime.
    System(io::Error),
    /// Callbacks cannot be sent as configured.
    Transport(TransportError),
    /// The argument is not of the form `FILE:LINE`.
    NotAPlace(String),
    /// There is no callback line at that position.
    NoLine {
        /// The argument.
        place: String,
        /// Positions of callback lines.
        known: Vec<String>,
    },
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeError::Configuration => {
                f.write_str("the configuration is invalid; \"pingosd -t\" shows the errors")
            }
            ProbeError::System(error) => f.write_str(&os_text(error)),
            ProbeError::Transport(error) => error.fmt(f),
            ProbeError::NotAPlace(place) => write!(f, "\"{place}\" is not FILE:LINE"),
            ProbeError::NoLine { known, .. } if known.is_empty() => {
                f.write_str("the configuration has no callback line")
            }
            ProbeError::NoLine { place, known } => {
                write!(f, "there is no callback line at {place}; there are: {}", known.join(", "))
            }
        }
    }
}

impl Error for ProbeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ProbeError::System(error) => Some(error),
            ProbeError::Transport(error) => error.source(),
            ProbeError::Configuration | ProbeError::NotAPlace(_) | ProbeError::NoLine { .. } => None,
        }
    }
}

/// Subject of a callback line.
#[derive(Clone)]
enum ProbeSubject {
    /// A session or stream of this application; for `on_connect`, of one of the server's applications.
    Session(EventKind, Vec<u8>),
    /// A worker: `on_proc`.
    Worker,
    /// The server: `on_master`.
    Server,
}

/// Sends a request of the callback line at `place` (`FILE:LINE`; the end of the file name suffices).
///
/// # Errors
///
/// There is no such line.
pub async fn run(config: &Config, transport: &Transport, place: &str) -> Result<Probe, ProbeError> {
    let ProbedLine { about, hook, way } = find(config, place)?;
    let escape = config
        .rtmp
        .as_ref()
        .map_or(QueryEscape::Minimal, |rtmp| rtmp.get::<notify::main_conf::MainCurrent>().escape);
    let target = target(&about, &hook, escape);
    let began = Instant::now();
    let id = RequestId::new();
    let exchange = transport
        .send(&hook, Stage::Start, OutgoingRequest { target: &target, id: &id, way: &way }, true)
        .await;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let answer = exchange.reply.answer;
    let address = exchange.address.map_or_else(|| "none".into(), |address| address.to_string());
    let decision = match &about {
        ProbeSubject::Session(event, _) => decision(*event, &answer, &hook),
        ProbeSubject::Worker | ProbeSubject::Server => ("no effect", !answer.is_success()),
    };
    let (decision, has_failed) = decision;
    if let Some(rest) = exchange.rest {
        rest.discard().await;
    }
    let text = format!(
        "callback   {} at {}\nserver     {}://{}:{}\nanswer     {answer}\nlatency    {took:.1}ms\naddress    {address}\ndecision   {decision}\n",
        about.name(),
        hook.pos,
        hook.url.scheme.name(),
        hook.url.host,
        hook.url.port,
    );
    Ok(Probe { text, has_failed })
}

/// As [`run`], but without a running server, with the configuration in the files.
///
/// # Errors
///
/// The configuration is invalid, or as for [`run`].
pub fn run_alone(load: &LoadOptions, place: &str) -> Result<Probe, ProbeError> {
    let config = crate::config::load(load).map_err(|_| ProbeError::Configuration)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ProbeError::System)?;
    runtime.block_on(async {
        let transport = Transport::load(&config, &Dns::new(&config), None).map_err(ProbeError::Transport)?;
        run(&config, &transport, place).await
    })
}

/// Request target of a `start`, with the name of a stream that does not exist.
fn target(about: &ProbeSubject, hook: &Hook, escape: QueryEscape) -> String {
    let path = &hook.url.path_and_query;
    match about {
        ProbeSubject::Session(event, app) => {
            let host = hook.url.host.to_string();
            let name = if event.row().has_stream { NAME } else { b"" };
            let fields = SessionFields { domain: host.as_bytes(), app, name, clientid: 0, later: &[] };
            let groupid = Some(hook.groupid.as_slice()).filter(|groupid| !groupid.is_empty());
            session_target(path, *event, Stage::Start, fields, groupid, b"", escape)
        }
        ProbeSubject::Worker => process_target(path, 0),
        ProbeSubject::Server => {
            let mut args = Vec::new();
            hook.args.expand(&ProcessVariables, escape, &mut args);
            master_target(path, Stage::Start, &args)
        }
    }
}

impl ProbeSubject {
    fn name(&self) -> &'static str {
        match self {
            ProbeSubject::Session(event, _) => event.name(),
            ProbeSubject::Worker => WORKER_EVENT.word(),
            ProbeSubject::Server => SERVER_EVENT.word(),
        }
    }
}

/// The decision that an answer to `start` would have, and whether the answer refuses or fails.
fn decision(event: EventKind, answer: &CallbackAnswer, hook: &Hook) -> (&'static str, bool) {
    let relays = event.row().relays();
    match answer {
        CallbackAnswer::Status(300..=399) if relays => ("a relay, if there is a Location", false),
        _ if answer.is_success() && relays => ("no relay", false),
        _ if answer.is_success() => ("allowed", false),
        CallbackAnswer::Status(_) if relays => ("ends sessions that depend on the relay", true),
        CallbackAnswer::Status(_) if hook.enforce.start => ("refused", true),
        CallbackAnswer::Status(_) => ("no effect", false),
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut if relays => ("retried", true),
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => {
            ("refused, unless ignore_invalid_notify is on", true)
        }
    }
}

fn find(config: &Config, place: &str) -> Result<ProbedLine, ProbeError> {
    let malformed = || ProbeError::NotAPlace(place.to_owned());
    let (file, number) = place.rsplit_once(':').ok_or_else(malformed)?;
    let number: u32 = number.parse().map_err(|_| malformed())?;
    let lines = lines(config);
    let fits =
        |line: &&ProbedLine| line.hook.pos.line == number && line.hook.pos.file.ends_with(Path::new(file));
    if let Some(line) = lines.iter().find(fits) {
        return Ok(line.clone());
    }
    let mut places: Vec<_> = lines.iter().map(|line| &line.hook.pos).collect();
    places.sort_by_key(|pos| (&pos.file, pos.line));
    places.dedup();
    let known = places.into_iter().map(|pos| pos.to_string()).collect();
    Err(ProbeError::NoLine { place: place.to_owned(), known })
}

/// All callback lines; a line that several applications share counts for the first one.
fn lines(config: &Config) -> Vec<ProbedLine> {
    let mut lines = Vec::new();
    if let Some(rtmp) = &config.rtmp {
        let notify = rtmp.get::<notify::main_conf::MainCurrent>();
        let process = [(ProbeSubject::Worker, &notify.on_proc), (ProbeSubject::Server, &notify.on_master)];
        let way = &rtmp.get::<ProcessProxy>().0;
        let line = |(about, hook): (ProbeSubject, &Option<Hook>)| {
            Some(ProbedLine { about, hook: hook.clone()?, way: way.clone() })
        };
        lines.extend(process.into_iter().filter_map(line));
        for application in rtmp.servers.iter().flat_map(|server| server.applications.iter()) {
            let hooks = EventKind::VARIANTS
                .iter()
                .flat_map(|event| event.lines(application.get()).iter().map(move |hook| (*event, hook)));
            lines.extend(hooks.map(|(event, hook)| ProbedLine {
                about: ProbeSubject::Session(event, application.name.to_vec()),
                hook: Hook::clone(hook),
                way: application.get::<notify::conf::Current>().http_proxy.clone(),
            }));
        }
    }
    lines
}
