//! Directives of the exec module.

use super::command::ExecLine;
use super::signal::KillSignal;
use super::{Commands, Process};
use crate::directive::context::{RECORDER, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::{Flag, Joined, Msec, Own};

directives! {
    /// Commands run at events of streams.
    module "exec";
    live as Current {
        /// Runs a command for each published stream as long as it is published; restarted if it exits.
        "exec_push" | "exec" => push: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command as long as the stream has at least one player.
        "exec_pull" => pull: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when publishing starts.
        "exec_publish" => publish: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when publishing ends.
        "exec_publish_done" => publish_done: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when a client starts playing.
        "exec_play" => play: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command once when a client stops playing.
        "exec_play_done" => play_done: Joined<ExecLine>, in RTMP_ALL;
        /// Runs a command after an FLV recording file is closed.
        "exec_record_done" => record_done: Joined<ExecLine>, in RTMP_ALL | RECORDER;
        /// Runs a command when the server starts; restarted if it exits. No variables.
        "exec_static" => statics: Joined<ExecLine>, in RTMP_ALL;
        /// Restarts commands of exec_push and exec_pull that exit.
        "respawn" => respawn: Flag = "on", in RTMP_ALL;
        /// Delay before a command is restarted. One value for the whole server.
        "respawn_timeout" => respawn_timeout: Msec = "5s", in RTMP_ALL, once everywhere;
        /// Signal that ends a command when its stream ends. One value for the whole server; the last one counts.
        "exec_kill_signal" => kill_signal: Vec<KillSignal>, in RTMP_ALL;
        /// Allows name=STREAM filters in later exec lines of the same block.
        "exec_options" => options: Own<Flag>, in RTMP_ALL;
    }
    made {
        Commands;
        Process;
    }
}
