//! Directives outside every block.

use super::load::{Affinity, LoadModule};
use super::process::{EnvVar, Priority, UserGroup, WorkerFailure, WorkerProcesses};
use super::watch::ConfWatch;
use crate::config::place::Place;
use crate::directive::context::MAIN;
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{Flag, Msec, Num, Offset, OneOf, PrefixPath, RawPath, Size, Text};
use crate::log::level::ErrorLog;

word_lists! {
    /// Words of `debug_points`.
    pub DebugPoints: "stop" | "abort";
}

directives! {
    /// The process: its user, workers, files and logs.
    module "core";
    held as Conf {
        restart {
            /// User and group of the process once its sockets are bound. The group defaults to the one named
            /// like the user. Ignored unless started as root; without this line the user is then `nobody`, as with nginx, and
            /// what is written afterwards (`hls_path`, `record_path`, logs that are opened anew) has to be writable for it.
            "user" => user: Option<UserGroup>, in MAIN;
            /// Detaches from the terminal.
            "daemon" => daemon: Flag = "on", in MAIN;
            /// Threads that move media; `auto` means one per processor.
            "worker_processes" => worker_processes: WorkerProcesses = "1", in MAIN;
            /// What becomes of a worker thread that dies by an internal error (a panic). `replace`: its sessions end, each with
            /// its callbacks, and another thread takes its place. `exit`: all sessions end and so does the process, with an
            /// exit code other than 0, so that a service manager starts it anew. An error in one session ends that
            /// session alone. Either way the log has the text at alert.
            "worker_failure" => worker_failure: WorkerFailure = "replace", in MAIN;
            /// Limit of open files.
            "worker_rlimit_nofile" => worker_rlimit_nofile: Option<Num>, in MAIN;
            /// Limit of the size of a core file.
            "worker_rlimit_core" => worker_rlimit_core: Option<Offset>, in MAIN;
            /// Closes what is still open this long after a graceful shutdown began.
            "worker_shutdown_timeout" => worker_shutdown_timeout: Option<Msec>, in MAIN;
            /// Current directory of the process; relative recording paths start there.
            "working_directory" => working_directory: Option<RawPath>, in MAIN;
            /// File that holds the process id.
            "pid" => pid: PrefixPath = "logs/nginx.pid", in MAIN;
            /// Socket for commands such as `pingosd status` and for `-s reload`, which waits for the outcome. `on`
            /// is the name of the pid file with `.sock` in place of `.pid`. Only root and the server's own user
            /// may use it.
            "control_socket" => control_socket: Place = "on", in MAIN;
            /// Directory for the last ten configurations that were in force, with all included files: `pingosd rollback`
            /// goes back to them, also after a restart. `on` is `generations` below the prefix. Only the server's user may
            /// read the files. Where they cannot be written, a warning says so.
            "conf_generations" => conf_generations: Place = "on", in MAIN;
        }
    }
    live as Current {
        /// Where the log goes, and from which level on. May be repeated. In names and arguments of clients every byte that is not
        /// printable ASCII, `"` and `\` are written `\xHH`. As root, a log behind a link is opened only if link and directory
        /// belong to root and no other user may write to the directory.
        "error_log" => error_log: Vec<ErrorLog>, in MAIN;
        /// Whether values of arguments that clients send, such as passwords and tokens, are shown in the error log. Off, the log
        /// names the arguments alone: `user=***`.
        "log_args" => log_args: Flag = "off", in MAIN;
        /// Uses changed files by themselves, without a signal: `on` follows what the system tells of their
        /// directories, a time looks that often, which also works where other machines write the files. What
        /// counts is the contents. A file that is wrong is refused as by any reload.
        "conf_watch" => conf_watch: ConfWatch = "off", in MAIN;
    }
    later {
        /// Keeps or sets an environment variable of the process and its children.
        "env" => Vec<EnvVar>, in MAIN;
        /// Nice value of the process, may be negative.
        "worker_priority" => Priority = "0", in MAIN;
        /// Loads a module of nginx, which is not possible here; what the module does is built in or missing.
        "load_module" => Vec<LoadModule>, in MAIN;
    }
    needless {
        /// A supervising parent beside the workers; there is one process, which needs none.
        "master_process" => Flag = "on", in MAIN;
        /// Lock files between processes.
        "lock_file" => PrefixPath = "logs/nginx.lock", in MAIN;
        /// Binds workers to processors.
        "worker_cpu_affinity" => Affinity, in MAIN;
        /// Precision of cached times; no times are cached.
        "timer_resolution" => Msec, in MAIN;
        /// What an internal error does; it ends the process.
        "debug_points" => OneOf<DebugPoints>, in MAIN;
        /// Compilation of regular expressions.
        "pcre_jit" => Flag = "off", in MAIN;
        /// TLS in hardware.
        "ssl_engine" => Text, in MAIN;
        /// Size of a table that grows by itself here.
        "stream_buckets" => Size = "50", in MAIN;
        /// Size of a table that grows by itself here.
        "server_buckets" => Size = "2", in MAIN;
    }
}
