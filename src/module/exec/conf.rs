//! Directives of the exec module.

use super::signal::KillSignal;
use crate::conf::context::{RECORDER, RTMP_ALL};
use crate::conf::directive::directives;
use crate::conf::{Flag, Msec, Words};

directives! {
    /// Commands run at events of streams.
    module "exec";
    later {
        /// Runs a command per published stream for as long as it is published; respawned if it exits.
        "exec_push" | "exec" => Vec<Words>, in RTMP_ALL;
        /// Runs a command while at least one player waits for/plays the stream.
        "exec_pull" => Vec<Words>, in RTMP_ALL;
        /// Runs a command once when publishing starts.
        "exec_publish" => Vec<Words>, in RTMP_ALL;
        /// Runs a command once when publishing ends.
        "exec_publish_done" => Vec<Words>, in RTMP_ALL;
        /// Runs a command once when a client starts playing.
        "exec_play" => Vec<Words>, in RTMP_ALL;
        /// Runs a command once when a client stops playing.
        "exec_play_done" => Vec<Words>, in RTMP_ALL;
        /// Runs a command after an FLV recording file is closed.
        "exec_record_done" => Vec<Words>, in RTMP_ALL | RECORDER;
        /// Runs a command at worker start (first worker only), respawned.
        "exec_static" => Vec<Words>, in RTMP_ALL;
        /// Whether exec_push/exec_pull children are restarted after exit.
        "respawn" => Flag = "on", in RTMP_ALL;
        /// Delay before restarting a child.
        "respawn_timeout" => Msec = "5s", in RTMP_ALL, once everywhere;
        /// Signal sent to managed children when their stream ends.
        "exec_kill_signal" => Vec<KillSignal>, in RTMP_ALL;
        /// Lets later exec lines of the same block carry name=STREAM filters.
        "exec_options" => Flag = "off", in RTMP_ALL;
    }
}
