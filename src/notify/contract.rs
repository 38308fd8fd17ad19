//! What is promised to callback servers: the events with their fields, and what each answer does. The tables of
//! conf/callbacks.md are made from here, and a test gives each answer to a running server and looks for its effect.

use std::fmt::Write;

use super::hook::{DEFAULT_TIMEOUT, DEFAULT_UPDATE, MAX_LINES};
use super::request::Act;

/// An event.
#[derive(Debug)]
pub struct Event {
    /// The directive that begins with `on_`.
    pub name: &'static str,
    /// Whether there is an older name that begins with `oclp_`.
    pub has_older_name: bool,
    /// Where the line stands.
    pub place: &'static str,
    /// Whether there may be several lines.
    pub is_list: bool,
    /// What it tells of.
    pub about: &'static str,
    /// Value of `call=`.
    pub call: &'static str,
    /// Names of the fields at `start`, in their order, before `groupid` and what `args=` gives.
    pub fields: &'static [&'static str],
    /// Further fields of `update` and `done`, behind those.
    pub later: &'static [&'static str],
    /// What is to be known of a field.
    pub note: &'static str,
}

const SESSION: &[&str] = &["call", "act", "domain", "app", "name", "clientid"];

/// An event of a session.
const fn event(name: &'static str, call: &'static str, about: &'static str, note: &'static str) -> Event {
    let place = "application";
    Event {
        name,
        has_older_name: true,
        place,
        is_list: false,
        about,
        call,
        fields: SESSION,
        later: &[],
        note,
    }
}

/// All events.
pub const EVENTS: &[Event] = &[
    Event { place: "server", ..event("on_connect", "connect", "an RTMP connection", "`name` is empty") },
    event("on_publish", "publish", "a publisher", ""),
    event("on_play", "play", "a player of any protocol", ""),
    event(
        "on_stream",
        "stream",
        "a stream from its first session, publisher or player, to its last",
        "`clientid` is that of the session that opened it, also when it has left; see below for a 4xx to `update`",
    ),
    event("on_pull", "pull", "a stream that has players and no publisher", "`clientid` is the relay's"),
    Event { is_list: true, ..event("on_push", "push", "a publish", "`clientid` is the relay's") },
    Event {
        is_list: true,
        ..event("on_meta", "meta", "the codec headers of a publisher", "`clientid` is the publisher's")
    },
    Event {
        later: &["begintime", "endtime", "index", "file"],
        ..event(
            "on_record",
            "record",
            "the recording of a publish as MPEG-TS",
            "Times are milliseconds since 1970, `index` and `file` absolute paths",
        )
    },
    Event {
        place: "rtmp",
        fields: &["call", "worker_id"],
        ..event(
            "on_proc",
            "init_process",
            "each worker thread, at the start",
            "`worker_id` counts from 0; no `args=`",
        )
    },
    Event {
        place: "rtmp",
        has_older_name: false,
        fields: &["call", "act"],
        ..event("on_master", "init_master", "the server", "")
    },
];

/// How a callback server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 200.
    Ok,
    /// 201 to 299.
    Success,
    /// 3xx.
    Redirect,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
    /// None in time.
    None,
}

/// All kinds, in the order of the table's columns, with their headings.
pub const KINDS: [(Kind, &str); 6] = [
    (Kind::Ok, "200"),
    (Kind::Success, "other 2xx"),
    (Kind::Redirect, "3xx"),
    (Kind::ClientError, "4xx"),
    (Kind::ServerError, "5xx"),
    (Kind::None, "no answer"),
];

/// What an answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// The session goes on.
    LetIn,
    /// The session ends before it has begun.
    Refused,
    /// So too, unless the configuration lets it in.
    RefusedUnlessIgnored,
    /// Updates are sent.
    Updates,
    /// No updates are sent.
    NoUpdates,
    /// The session that opened the stream ends.
    EndsOpener,
    /// There is no relay, and no end is told.
    NoRelay,
    /// There is no relay; the event goes on.
    NoRelayGoesOn,
    /// A relay.
    Relay,
    /// The players end.
    EndsPlayers,
    /// The publisher ends.
    EndsPublisher,
    /// The question comes again.
    Again,
    /// A recording is made.
    Recorded,
    /// None is made.
    NotRecorded,
    /// The configuration decides.
    AsConfigured,
    /// The session that the request names ends.
    EndsSession,
    /// What the event is about ends.
    EndsRelay,
    /// The recording ends.
    EndsRecording,
    /// The end is told again.
    ToldAgain,
    /// The end is told again where a proxy says that the server is away.
    ToldAgainIfAway,
}

impl Effect {
    fn text(self) -> &'static str {
        match self {
            Effect::Nothing => "-",
            Effect::LetIn => "let in",
            Effect::Refused => "refused",
            Effect::RefusedUnlessIgnored => "refused, unless `ignore_invalid_notify on`",
            Effect::Updates => "updates follow",
            Effect::NoUpdates => "no updates",
            Effect::EndsOpener => "ends the session that opened the stream",
            Effect::NoRelay => "no relay, no done",
            Effect::NoRelayGoesOn => "no relay; update and done go on",
            Effect::Relay => "relay by `Location`",
            Effect::EndsPlayers => "all waiting players end",
            Effect::EndsPublisher => "the publisher ends",
            Effect::Again => "asked again",
            Effect::Recorded => "recorded",
            Effect::NotRecorded => "not recorded",
            Effect::AsConfigured => "as `live_record` says",
            Effect::EndsSession => "ends the session that `clientid` names",
            Effect::EndsRelay => "ends the relay",
            Effect::EndsRecording => "ends the recording",
            Effect::ToldAgain => "told again",
            Effect::ToldAgainIfAway => "told again at 502, 503 and 504",
        }
    }
}

/// Which names of an event a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those that begin with `on_`.
    On,
    /// Those that begin with `oclp_`.
    Oclp,
}

impl Family {
    /// What its names begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Family::On => "on_",
            Family::Oclp => "oclp_",
        }
    }
}

/// A row of the table of answers.
#[derive(Debug)]
pub struct Rule {
    /// The stage.
    pub act: Act,
    /// Events, by the part of their names behind `on_`.
    pub events: &'static [&'static str],
    /// Names.
    pub families: &'static [Family],
    /// What each of [`KINDS`] does.
    pub effects: [Effect; 6],
}

const BOTH: &[Family] = &[Family::On, Family::Oclp];

const fn rule(
    act: Act,
    events: &'static [&'static str],
    families: &'static [Family],
    effects: [Effect; 6],
) -> Rule {
    Rule { act, events, families, effects }
}

const NOTHING: [Effect; 6] = [Effect::Nothing; 6];

/// Answers to an update count for the old names, if they are 4xx.
const fn ends(effect: Effect) -> [Effect; 6] {
    let mut effects = NOTHING;
    effects[3] = effect;
    effects
}

/// Of each event, stage and family what each answer does.
pub const RULES: &[Rule] = {
    use Effect::*;
    const ON: &[Family] = &[Family::On];
    const OCLP: &[Family] = &[Family::Oclp];
    &[
        rule(
            Act::Start,
            &["connect", "publish", "play"],
            BOTH,
            [LetIn, LetIn, Refused, Refused, Refused, RefusedUnlessIgnored],
        ),
        rule(Act::Start, &["stream"], ON, [Updates, Updates, NoUpdates, NoUpdates, NoUpdates, NoUpdates]),
        rule(Act::Start, &["stream"], OCLP, [Updates, Updates, NoUpdates, EndsOpener, NoUpdates, NoUpdates]),
        rule(Act::Start, &["pull"], BOTH, [NoRelay, NoRelay, Relay, EndsPlayers, EndsPlayers, Again]),
        rule(Act::Start, &["push"], BOTH, [NoRelay, NoRelay, Relay, EndsPublisher, EndsPublisher, Again]),
        rule(
            Act::Start,
            &["meta"],
            BOTH,
            [NoRelayGoesOn, NoRelayGoesOn, Relay, EndsPublisher, EndsPublisher, Again],
        ),
        rule(
            Act::Start,
            &["record"],
            BOTH,
            [Recorded, NotRecorded, NotRecorded, NotRecorded, NotRecorded, AsConfigured],
        ),
        rule(
            Act::Update,
            &["connect", "publish", "play", "stream", "pull", "push", "meta", "record"],
            ON,
            NOTHING,
        ),
        rule(Act::Update, &["connect", "publish", "play", "stream", "meta"], OCLP, ends(EndsSession)),
        rule(Act::Update, &["pull", "push"], OCLP, ends(EndsRelay)),
        rule(Act::Update, &["record"], OCLP, ends(EndsRecording)),
        rule(
            Act::Done,
            &["connect", "publish", "play", "stream", "pull", "push", "meta", "record"],
            BOTH,
            [Nothing, Nothing, Nothing, Nothing, ToldAgainIfAway, ToldAgain],
        ),
    ]
};

/// The tables of conf/callbacks.md, each with the word that marks its place there.
pub fn tables() -> [(&'static str, String); 3] {
    [("events", events()), ("parameters", parameters()), ("answers", answers())]
}

fn events() -> String {
    let mut out =
        String::from("| line | where | about | fields, in this order |\n| --- | --- | --- | --- |\n");
    for event in EVENTS {
        let (name, place, about) = (event.name, event.place, event.about);
        let several = if event.is_list { format!(" (up to {MAX_LINES})") } else { String::new() };
        let fields = event.fields.iter().map(|field| match *field {
            "call" => format!("`call={}`", event.call),
            field => format!("`{field}`"),
        });
        let mut fields = fields.collect::<Vec<_>>().join(", ");
        if !event.later.is_empty() {
            let _ = write!(fields, "; at `update` and `done` also `{}`", event.later.join("`, `"));
        }
        if event.fields == SESSION {
            fields.push_str("; `groupid`; args");
        } else if event.fields.contains(&"act") {
            fields.push_str("; args");
        }
        if !event.note.is_empty() {
            let _ = write!(fields, ". {}", event.note);
        }
        let _ = writeln!(out, "| `{name}`{several} | {place} | {about} | {fields} |");
    }
    out
}

fn parameters() -> String {
    let seconds = |ms: u64| {
        if ms.is_multiple_of(60_000) { format!("{}m", ms / 60_000) } else { format!("{}s", ms / 1000) }
    };
    let (timeout, update) = (seconds(DEFAULT_TIMEOUT.0), seconds(DEFAULT_UPDATE.0));
    format!(
        "| parameter | default | meaning |\n| --- | --- | --- |\n\
         | `stage=` | `start` | further stages to send, `update` and `done`; `start` is always sent |\n\
         | `timeout=` | `{timeout}` | time for an answer, with the wait for a free connection to that server |\n\
         | `update=` | `{update}` | time between updates, from the answer to the last |\n\
         | `enforce=` | `on_*`: `start`, `oclp_*`: `start,update` | stages whose answer may refuse or end |\n\
         | `groupid=` | none | a field of its own, to tell lines of one event apart |\n\
         | `args=` | none | what is added to the query, with variables |\n"
    )
}

fn answers() -> String {
    let headings = KINDS.map(|(_, heading)| heading).join(" | ");
    let mut out = format!("| answer to | {headings} |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for Rule { act, events, families, effects } in RULES {
        let names = match families {
            [family] => {
                format!("`{}{}`", family.prefix(), events.join(&format!("`, `{}", family.prefix())))
            }
            _ => events.join(", "),
        };
        let effects = effects.map(Effect::text).join(" | ");
        let _ = writeln!(out, "| {} of {names} | {effects} |", act.name());
    }
    out.push_str("| proc, master | - | - | - | - | - | - |\n");
    out
}
