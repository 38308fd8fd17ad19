//! The contract with callback servers, generated from the table of events: the tables of conf/callbacks.md. A test
//! sends each answer to a running server and checks its effect.

use std::fmt::Write;

use strum::VariantArray;

use super::conf::EVENTS;
use super::effect::{ANSWER_KINDS, AnswerEffect, Effects, NameFamily};
use super::event_row::EventRow;
use super::hook::{DEFAULT_TIMEOUT, DEFAULT_UPDATE, MAX_LINES};
use super::process::PROCESS_EVENTS;
use super::request::Stage;

/// All events: those of sessions, then those of the process.
pub fn all_events() -> impl Iterator<Item = &'static EventRow> {
    EVENTS.iter().chain(PROCESS_EVENTS)
}

/// The tables of conf/callbacks.md, each with its marker in that file.
pub fn tables() -> [(&'static str, String); 3] {
    [("events", events()), ("parameters", parameters()), ("answers", answers())]
}

fn events() -> String {
    let mut out =
        String::from("| line | where | about | fields, in this order |\n| --- | --- | --- | --- |\n");
    for event in all_events() {
        let several = if event.is_list { format!(" (up to {MAX_LINES})") } else { String::new() };
        let fields = event.fields.iter().map(|field| match *field {
            "call" => format!("`call={}`", event.call),
            field => format!("`{field}`"),
        });
        let mut fields = fields.collect::<Vec<_>>().join(", ");
        if !event.later.is_empty() {
            let _ = write!(fields, "; at `update` and `done` also `{}`", event.later.join("`, `"));
        }
        if event.fields.contains(&"clientid") {
            fields.push_str("; `groupid`; args");
        } else if event.fields.contains(&"act") {
            fields.push_str("; args");
        }
        if event.has_epoch {
            fields.push_str("; `epoch`");
        }
        if !event.note.is_empty() {
            let _ = write!(fields, ". {}", event.note);
        }
        let (word, block, about) = (event.word(), event.block(), event.about);
        let _ = writeln!(out, "| `on_{word}`{several} | {block} | {about} | {fields} |");
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
         | `timeout=` | `{timeout}` | timeout of a request, including the wait for a free connection to the server |\n\
         | `update=` | `{update}` | interval between updates, from the answer to the preceding one |\n\
         | `enforce=` | `on_*`: `start`, `oclp_*`: `start,update` | stages whose answer may refuse or disconnect |\n\
         | `groupid=` | none | value of the field `groupid`, which distinguishes several lines of one event |\n\
         | `args=` | none | text appended to the query, with variables |\n"
    )
}

/// Events at which each kind of answer has the same effect, by name family.
struct AnswerGroup {
    families: &'static [NameFamily],
    effects: Effects,
    words: Vec<&'static str>,
}

fn answer_groups(stage: Stage) -> Vec<AnswerGroup> {
    let mut groups: Vec<AnswerGroup> = Vec::new();
    for event in EVENTS {
        let effects = event.effects(stage);
        let is_same = effects.on == effects.oclp;
        let families = NameFamily::VARIANTS;
        let chunks = families.chunks(if is_same { families.len() } else { 1 });
        for families in chunks {
            let effects = effects.of(families[0]);
            match groups.iter_mut().find(|group| group.families == families && group.effects == effects) {
                Some(group) => group.words.push(event.word()),
                None => groups.push(AnswerGroup { families, effects, words: vec![event.word()] }),
            }
        }
    }
    groups
}

fn answers() -> String {
    let headings = ANSWER_KINDS.map(|(_, heading)| heading).join(" | ");
    let mut out = format!("| answer to | {headings} |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for stage in Stage::VARIANTS {
        for AnswerGroup { families, effects, words } in answer_groups(*stage) {
            let names = match families {
                [family] => {
                    format!("`{}{}`", family.prefix(), words.join(&format!("`, `{}", family.prefix())))
                }
                _ => words.join(", "),
            };
            let effects = effects.map(AnswerEffect::text).join(" | ");
            let _ = writeln!(out, "| {} of {names} | {effects} |", stage.name());
        }
    }
    let words: Vec<_> = PROCESS_EVENTS.iter().map(EventRow::word).collect();
    let _ = writeln!(out, "| {} | - | - | - | - | - | - |", words.join(", "));
    out
}
