//! Commands of applications and of the server.

use std::time::Duration;

use super::command::{ExecCommand, ExecLaunch, ExecLine};
use super::conf::Scope;
use super::signal::KillSignal;
use crate::directive::context::{APPLICATION, RECORDER, RTMP};
use crate::directive::evaluate::Block;
use crate::directive::{BlockLevel, Contexts, Evaluation, Msec, Slot};
use crate::syntax::Spanned;

/// Commands of an application (or, with `record_done` only, of a recorder); lines of inner blocks come first.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Run as long as a stream is published.
    pub push: Vec<ExecCommand>,
    /// Run as long as a stream has players.
    pub pull: Vec<ExecCommand>,
    /// Run when publishing starts.
    pub publish: Vec<ExecCommand>,
    /// Run when publishing ends.
    pub publish_done: Vec<ExecCommand>,
    /// Run when a client starts playing.
    pub play: Vec<ExecCommand>,
    /// Run when a client stops playing.
    pub play_done: Vec<ExecCommand>,
    /// Run when a recording is complete.
    pub record_done: Vec<ExecCommand>,
}

/// Settings of exec directives for the whole server, at whatever level they stand.
#[derive(Clone, Debug)]
pub struct Process {
    /// Run as long as the server runs.
    pub statics: Vec<ExecLaunch>,
    /// Delay before a command that exited is restarted.
    pub respawn_timeout: Duration,
    /// Signal that ends a command.
    pub kill_signal: KillSignal,
}

impl Slot for Commands {
    const HOLDERS: Contexts = APPLICATION | RECORDER;
    // Options apply to lines of the same block only.
    const INHERITED: bool = true;

    fn is_set_by(block: &Block) -> bool {
        block.scope::<Scope>().is_some()
    }

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Commands {
        Commands::new(&level.scopes())
    }
}

impl Slot for Process {
    const HOLDERS: Contexts = RTMP;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Process {
        Process::new(&scopes_inside(level.together))
    }
}

/// Scopes of blocks and of all blocks inside them.
fn scopes_inside<'b>(blocks: &[&'b Block]) -> Vec<&'b Scope> {
    let mut scopes = Vec::new();
    let mut open: Vec<&Block> = blocks.iter().rev().copied().collect();
    while let Some(block) = open.pop() {
        scopes.extend(block.scope::<Scope>());
        open.extend(block.children.iter().rev());
    }
    scopes
}

impl Commands {
    /// From the scopes of blocks, innermost first.
    fn new(scopes: &[Option<&Scope>]) -> Commands {
        let read = |lines: fn(&Scope) -> &Vec<Spanned<ExecLine>>| {
            let scopes = scopes.iter().flatten();
            let commands = scopes.flat_map(|scope| {
                lines(scope).iter().filter_map(|line| ExecCommand::new(&line.value, has_options(scope, line)))
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
        }
    }
}

impl Process {
    /// From all blocks of `rtmp { }` in file order.
    fn new(scopes: &[&Scope]) -> Process {
        let statics = scopes.iter().flat_map(|scope| &scope.statics);
        let signals = scopes.iter().flat_map(|scope| &scope.kill_signal);
        let last = signals.max_by_key(|spanned| (spanned.place.file, spanned.place.start));
        let timeout = scopes.iter().find_map(|scope| scope.respawn_timeout.as_ref());
        Process {
            statics: statics.filter_map(|line| line.value.launch()).collect(),
            respawn_timeout: timeout.map_or(Msec(5_000), |spanned| spanned.value).duration(),
            kill_signal: last.map_or(KillSignal(9), |spanned| spanned.value),
        }
    }
}

/// Whether `exec_options on` precedes the line in the same block.
fn has_options(scope: &Scope, line: &Spanned<ExecLine>) -> bool {
    let on = scope.options.as_ref().filter(|spanned| spanned.value);
    on.is_some_and(|spanned| spanned.place.file != line.place.file || spanned.place.start < line.place.start)
}
