//! `pingosd callback test`: one marked request of a callback line, to see what comes back.

use std::path::Path;
use std::time::Instant;

use crate::config::{Config, LoadOptions};
use crate::module::notify::hook::Hook;
use crate::module::notify::request::{Act, Call, Subject, session_target};
use crate::server::dns::Dns;
use crate::server::notify::answer::Answer;
use crate::server::notify::transport::Transport;

/// The stream of a probe. The request also carries the header `X-Pingosd-Probe: 1`, which is the mark proper.
const NAME: &[u8] = b"pingosd-probe";

/// A callback line.
struct Line {
    event: Call,
    app: Vec<u8>,
    hook: Hook,
}

/// Asks the callback server of the line at `place` (`FILE:LINE`; the end of the file's name is enough).
///
/// # Errors
///
/// There is no such line; the text is for people.
pub async fn run(config: &Config, transport: &Transport, place: &str) -> Result<String, String> {
    let Line { event, app, hook } = find(config, place)?;
    let host = hook.url.host.to_string();
    let subject = Subject { domain: host.as_bytes(), app: &app, name: NAME, clientid: 0, fields: "" };
    let groupid = Some(hook.groupid.as_slice()).filter(|groupid| !groupid.is_empty());
    let target = session_target(&hook.url.path_and_query, event, Act::Start, subject, groupid, b"");
    let began = Instant::now();
    let exchange = transport.send(&hook, Act::Start, &target, true).await;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let answer = exchange.reply.answer;
    let address = exchange.address.map_or_else(|| "none".into(), |address| address.to_string());
    let decision = decision(event, &answer, &hook);
    if let Some(rest) = exchange.rest {
        rest.discard().await;
    }
    Ok(format!(
        "callback   {} at {}\nserver     {}://{}:{}\nanswer     {answer}\nlatency    {took:.1}ms\naddress    {address}\ndecision   {decision}\n",
        event.name(),
        hook.pos,
        hook.url.scheme.name(),
        hook.url.host,
        hook.url.port,
    ))
}

/// As [`run`], with the files as they are and nobody running.
///
/// # Errors
///
/// The configuration is wrong, or as for [`run`].
pub fn run_alone(load: &LoadOptions, place: &str) -> Result<String, String> {
    let config =
        crate::config::load(load).map_err(|_| "the configuration is wrong; -t tells why".to_owned())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| crate::server::os_text(&error))?;
    runtime.block_on(async {
        let transport = Transport::load(&config, &Dns::new(&config), None)?;
        run(&config, &transport, place).await
    })
}

/// What the answer to a start would decide.
fn decision(event: Call, answer: &Answer, hook: &Hook) -> &'static str {
    let relays = matches!(event, Call::Pull | Call::Push | Call::Meta);
    match answer {
        Answer::Status(300..=399) if relays => "a relay, if there is a Location",
        _ if answer.is_success() && relays => "no relay",
        _ if answer.is_success() => "allowed",
        Answer::Status(_) if relays => "ends who depends on the relay",
        Answer::Status(_) if hook.enforce.start => "refused",
        Answer::Status(_) => "no effect",
        Answer::Failed(_) | Answer::TimedOut if relays => "tried again",
        Answer::Failed(_) | Answer::TimedOut => "refused, unless ignore_invalid_notify is on",
    }
}

fn find(config: &Config, place: &str) -> Result<Line, String> {
    let (file, number) = place.rsplit_once(':').ok_or_else(|| format!("\"{place}\" is not FILE:LINE"))?;
    let number: u32 = number.parse().map_err(|_| format!("\"{place}\" is not FILE:LINE"))?;
    let lines = lines(config);
    let fits = |line: &&Line| line.hook.pos.line == number && line.hook.pos.file.ends_with(Path::new(file));
    if let Some(line) = lines.iter().find(fits) {
        return Ok(Line { event: line.event, app: line.app.clone(), hook: line.hook.clone() });
    }
    let mut known: Vec<String> = lines.iter().map(|line| line.hook.pos.to_string()).collect();
    known.dedup();
    Err(match known.as_slice() {
        [] => "the configuration has no callback line of an application".into(),
        known => format!("there is no callback line at {place}; there are: {}", known.join(", ")),
    })
}

/// All callback lines of applications.
fn lines(config: &Config) -> Vec<Line> {
    let servers = config.rtmp.iter().flat_map(|rtmp| &rtmp.servers);
    let mut lines = Vec::new();
    for application in servers.flat_map(|server| server.applications.iter()) {
        let notify = &application.notify;
        let single = [
            (Call::Play, &notify.on_play),
            (Call::Publish, &notify.on_publish),
            (Call::Stream, &notify.on_stream),
            (Call::Pull, &notify.on_pull),
        ];
        let single = single.into_iter().flat_map(|(event, hook)| hook.iter().map(move |hook| (event, hook)));
        let several = notify.on_push.iter().map(|hook| (Call::Push, hook));
        let several = several.chain(notify.on_meta.iter().map(|hook| (Call::Meta, hook)));
        lines.extend(single.chain(several).map(|(event, hook)| Line {
            event,
            app: application.name.to_vec(),
            hook: Hook::clone(hook),
        }));
    }
    lines
}
