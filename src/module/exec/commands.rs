//! The commands of an application, and of the server.

use std::time::Duration;

use super::command::{Command, Launch, Line};
use super::conf::{Current, Scope};
use super::signal::KillSignal;
use crate::directive::Msec;
use crate::syntax::Spanned;

/// The commands of an application (or, `record_done` only, of a recorder): the inner blocks' lines come first.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Run as long as a stream is published.
    pub push: Vec<Command>,
    /// Run as long as a stream has players.
    pub pull: Vec<Command>,
    /// Run when publishing starts.
    pub publish: Vec<Command>,
    /// Run when publishing ends.
    pub publish_done: Vec<Command>,
    /// Run when a client starts playing.
    pub play: Vec<Command>,
    /// Run when a client stops playing.
    pub play_done: Vec<Command>,
    /// Run when a recording is complete.
    pub record_done: Vec<Command>,
    /// Whether commands of `push` and `pull` are run again when they exit.
    pub respawn: bool,
}

/// What the whole server has of exec directives, wherever they stand.
#[derive(Clone, Debug)]
pub struct Process {
    /// Run as long as the server runs.
    pub statics: Vec<Launch>,
    /// How long after its exit a command is run again.
    pub respawn_timeout: Duration,
    /// Ends a command.
    pub kill_signal: KillSignal,
}

/// Of an application that says nothing about commands.
impl Default for Commands {
    fn default() -> Self {
        let none = Vec::new;
        Commands {
            push: none(),
            pull: none(),
            publish: none(),
            publish_done: none(),
            play: none(),
            play_done: none(),
            record_done: none(),
            respawn: true,
        }
    }
}

impl Commands {
    /// From what the blocks say, the innermost first, and the values they give.
    pub fn new(scopes: &[Option<&Scope>], current: &Current) -> Commands {
        let read = |lines: fn(&Scope) -> &Vec<Spanned<Line>>| {
            let scopes = scopes.iter().flatten();
            let commands = scopes.flat_map(|scope| {
                lines(scope).iter().filter_map(|line| Command::new(&line.value, has_options(scope, line)))
            });
            commands.collect()
        };
        Commands {
            push: read(|s| &s.push),
            pull: read(|s| &s.pull),
            publish: read(|s| &s.publish),
            publish_done: read(|s| &s.publish_done),
            play: read(|s| &s.play),
            play_done: read(|s| &s.play_done),
            record_done: read(|s| &s.record_done),
            respawn: current.respawn,
        }
    }
}

impl Process {
    /// From all blocks of `rtmp { }` in the order of the file.
    pub fn new(scopes: &[&Scope]) -> Process {
        let statics = scopes.iter().flat_map(|scope| &scope.statics);
        let signals = scopes.iter().flat_map(|scope| &scope.kill_signal);
        let last = signals.max_by_key(|said| (said.place.file, said.place.start));
        let timeout = scopes.iter().find_map(|scope| scope.respawn_timeout.as_ref());
        Process {
            statics: statics.filter_map(|line| line.value.launch()).collect(),
            respawn_timeout: timeout.map_or(Msec(5_000), |said| said.value).duration(),
            kill_signal: last.map_or(KillSignal(9), |said| said.value),
        }
    }
}

/// Whether `exec_options on` stands before the line in the same block.
fn has_options(scope: &Scope, line: &Spanned<Line>) -> bool {
    let on = scope.options.as_ref().filter(|said| said.value);
    on.is_some_and(|said| said.place.file != line.place.file || said.place.start < line.place.start)
}
