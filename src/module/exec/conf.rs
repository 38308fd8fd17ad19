//! Directives of the exec module, and the commands that they make up.

use std::time::Duration;

use super::command::{ExecCommand, ExecLaunch, ExecLine};
use super::signal::KillSignal;
use crate::directive::context::{APPLICATION, RECORDER, RTMP, RTMP_ALL};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Contexts, Evaluation, Flag, Joined, Msec, NotInherited, Slot};
use crate::syntax::Spanned;

directives! {
    /// Commands run at events of streams.
    module "exec";
    live as Current {
        /// Runs a command for each published stream as long as it is published; restarted if it exits.
        ///
        /// Example: `exec_push ffmpeg -i rtmp://localhost/$app/$name -c copy -f flv rtmp://localhost/copy/$name;`
        "exec_push" | "exec" => push: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command as long as the stream has at least one player.
        ///
        /// Example: `exec_pull ffmpeg -i http://camera.local/stream -c copy -f flv rtmp://localhost/$app/$name;`
        "exec_pull" => pull: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when publishing starts.
        ///
        /// Example: `exec_publish /usr/local/bin/started $app $name;`
        "exec_publish" => publish: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when publishing ends.
        ///
        /// Example: `exec_publish_done /usr/local/bin/ended $app $name;`
        "exec_publish_done" => publish_done: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when a client starts playing.
        ///
        /// Example: `exec_play /usr/local/bin/viewer $addr $name;`
        "exec_play" => play: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when a client stops playing.
        ///
        /// Example: `exec_play_done /usr/local/bin/viewer-left $addr $name;`
        "exec_play_done" => play_done: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command after a file of `record` is closed.
        ///
        /// Differs from PingOS, which never runs the command.
        ///
        /// Example: `exec_record_done /usr/local/bin/upload $path;`
        "exec_record_done" => record_done: Joined<ExecLine>, in RTMP_ALL | RECORDER;
        /// Runs a command when the server starts; restarted if it exits. No variables.
        ///
        /// Example: `exec_static ffmpeg -re -stream_loop -1 -i /srv/loop.mp4 -c copy -f flv rtmp://localhost/live/loop;`
        "exec_static" => statics: Joined<ExecLine>, in RTMP_ALL;
        /// Restarts commands of exec_push and exec_pull that exit.
        ///
        /// Example: `respawn off;`
        "respawn" => respawn: Flag = "on", in RTMP_ALL;
        /// Delay before a command is restarted. One value for the whole server.
        ///
        /// Example: `respawn_timeout 10s;`
        "respawn_timeout" => respawn_timeout: Msec = "5s", in RTMP_ALL, once everywhere;
        /// Signal that ends a command when its stream ends. One value for the whole server; the last one counts.
        ///
        /// Example: `exec_kill_signal term;`
        "exec_kill_signal" => kill_signal: Vec<KillSignal>, in RTMP_ALL;
        /// Allows name=STREAM filters in later exec lines of the same block.
        ///
        /// Example: `exec_options on;`
        "exec_options" => options: NotInherited<Flag>, in RTMP_ALL;
    }
    made {
        Commands;
        Process;
    }
}

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
