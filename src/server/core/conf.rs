//! Directives of the main context.

use super::load::{CpuAffinity, LoadModule};
use super::process::{EnvVar, Priority, WorkerFailure, WorkerProcesses};
use super::watch::ConfWatch;
use crate::config::path_setting::PathSetting;
use crate::directive::context::MAIN;
use crate::directive::table::directives;
use crate::directive::word::word_lists;
use crate::directive::{Flag, Msec, Num, Offset, OneOf, PrefixPath, RawPath, Size, Text};
use crate::log::level::ErrorLogLine;
use crate::task::user::UserGroup;

word_lists! {
    /// Values of `debug_points`.
    pub DebugPoints: "stop" | "abort";
}

directives! {
    /// The process: user, workers, files and logs.
    module "core";
    held as Conf {
        restart {
            /// User and group of the process once its sockets are bound. The default group has the same name as the
            /// user. Ignored unless started as root. Without the directive, a server started as root uses the user
            /// `nobody`, as nginx does; media files written afterwards (`hls_path`, `record_path`) must be writable for
            /// that user. A small process keeps root's rights. It opens what only root may open: logs, keys,
            /// certificates, secrets and `listen` addresses that the configuration names, and the configuration itself.
            /// Files of the configuration count for that only if root owns them and all directories above them, and no
            /// other user may write to these; what other files name is opened with the rights of the user.
            ///
            /// Example: `user pingosd pingosd;`
            "user" => user: Option<UserGroup>, in MAIN;
            /// Runs the server in the background, detached from the terminal. `off` keeps it in the foreground, as
            /// containers and most service managers need it.
            ///
            /// Example: `daemon off;`
            "daemon" => daemon: Flag = "on", in MAIN;
            /// Number of threads that move media; `auto` means one per processor.
            ///
            /// Differs from PingOS: workers are threads of one process, which share all streams. PingOS starts
            /// processes, 128 at most, and shares streams by `rtmp_auto_pull`.
            ///
            /// Example: `worker_processes auto;`
            "worker_processes" => worker_processes: WorkerProcesses = "1", in MAIN;
            /// Reaction to the death of a worker thread by an internal error (a panic). `replace`: its sessions end,
            /// each with its callbacks, and another thread replaces it. `exit`: all sessions end and the process exits
            /// with a code other than 0, so that a service manager restarts it. An error in one session ends only that
            /// session. In either case the text is logged at level alert.
            ///
            /// Not in PingOS.
            ///
            /// Example: `worker_failure exit;`
            "worker_failure" => worker_failure: WorkerFailure = "replace", in MAIN;
            /// Maximum number of open files and connections of the process (RLIMIT_NOFILE). Without it the limit is
            /// the one that the server was started with.
            ///
            /// Example: `worker_rlimit_nofile 65535;`
            "worker_rlimit_nofile" => worker_rlimit_nofile: Option<Num>, in MAIN;
            /// Maximum size of a core file. Without it, a server that has become another user writes none, and other
            /// processes of that user cannot read its memory.
            ///
            /// Example: `worker_rlimit_core 500m;`
            "worker_rlimit_core" => worker_rlimit_core: Option<Offset>, in MAIN;
            /// Closes all remaining sessions this long after a graceful shutdown began.
            ///
            /// Example: `worker_shutdown_timeout 1h;`
            "worker_shutdown_timeout" => worker_shutdown_timeout: Option<Msec>, in MAIN;
            /// Nice value of the process, may be negative; 0 leaves the one that it was started with.
            ///
            /// Example: `worker_priority -5;`
            "worker_priority" => worker_priority: Priority = "0", in MAIN;
            /// Working directory of the process; relative recording paths refer to it.
            ///
            /// Example: `working_directory /var/lib/pingosd;`
            "working_directory" => working_directory: Option<RawPath>, in MAIN;
            /// File to which the server writes its process id at the start. A relative path refers to the prefix.
            /// Commands such as `-s reload` and `pingosd status` find the server by it.
            ///
            /// Example: `pid logs/pingosd.pid;`
            "pid" => pid: PrefixPath = "logs/nginx.pid", in MAIN;
            /// Socket for commands such as `pingosd status` and for `-s reload`, which waits for the result. `on` means
            /// the name of the pid file with `.sock` instead of `.pid`. Only root and the server's user have access.
            ///
            /// Not in PingOS.
            ///
            /// Example: `control_socket /run/pingosd/control.sock;`
            "control_socket" => control_socket: PathSetting = "on", in MAIN;
            /// Directory for the last ten configurations that were in force, with all included files: `pingosd
            /// rollback` returns to them, even after a restart. `on` means `generations` below the prefix. Only the
            /// server's user may read the files. If they cannot be written, a warning is logged.
            ///
            /// Not in PingOS.
            ///
            /// Example: `conf_generations /var/lib/pingosd/generations;`
            "conf_generations" => conf_generations: PathSetting = "on", in MAIN;
        }
    }
    live as Current {
        /// Destination and minimum level of the log, and with `json` a form of its lines: one JSON object with `time`,
        /// `level`, `pid`, `tid`, `connection` and `message` each. May be repeated. An error that repeats is written once, then
        /// once in 10s with its count. In names and arguments of clients, every byte
        /// that is not printable ASCII, and `"` and `\`, is written as `\xHH`. As root, a log behind a symbolic link is
        /// opened only if root owns link and directory and no other user may write to the directory.
        ///
        /// Differs from PingOS: `json` and the escapes are new, and an error that repeats is counted instead of
        /// written each time.
        ///
        /// Example: `error_log /var/log/pingosd/error.log notice;`
        "error_log" => error_log: Vec<ErrorLogLine>, in MAIN;
        /// Shows the values of clients' arguments, such as passwords and tokens, in the error log. When off, the log
        /// shows only the names of the arguments of publishers and players: `user=***`. In request lines of HTTP it leaves out
        /// the values of arguments such as `token`, `key`, `sign`, `secret`, `auth` and `password`.
        ///
        /// Not in PingOS, which always shows them.
        ///
        /// Example: `log_args on;`
        "log_args" => log_args: Flag = "off", in MAIN;
        /// Reloads automatically when files have changed: `on` watches their directories, a time checks at that
        /// interval, which also works if other machines write the files. Only changed contents count. Invalid files are
        /// refused as in any reload.
        ///
        /// Not in PingOS.
        ///
        /// Example: `conf_watch on;`
        "conf_watch" => conf_watch: ConfWatch = "off", in MAIN;
        /// Environment variable of commands (`exec_*`) that are started from then on: with this value, or with the
        /// one that the server was started with. Of several lines for one name the last counts. Commands have HOME,
        /// LANG, LC_ALL, PATH, TMPDIR, TZ and USER in any case. The server's own environment stays as it was at the
        /// start.
        ///
        /// Differs from PingOS, which passes on only TZ.
        ///
        /// Example: `env TZ=Asia/Shanghai;`
        "env" => env: Vec<EnvVar>, in MAIN;
    }
    needless {
        /// File of an nginx module. Nothing is loaded, and `-t` warns of that: the functions of the module are built in,
        /// or its directives are reported as unknown.
        "load_module" => Vec<LoadModule>, in MAIN;
        /// Supervising parent process; the server is a single process and needs none.
        "master_process" => Flag = "on", in MAIN;
        /// Lock file between processes.
        "lock_file" => PrefixPath = "logs/nginx.lock", in MAIN;
        /// Binding of workers to processors.
        "worker_cpu_affinity" => CpuAffinity, in MAIN;
        /// Resolution of cached times; no times are cached.
        "timer_resolution" => Msec, in MAIN;
        /// Reaction to an internal error; here `worker_failure` sets it.
        "debug_points" => OneOf<DebugPoints>, in MAIN;
        /// Just-in-time compilation of regular expressions.
        "pcre_jit" => Flag = "off", in MAIN;
        /// TLS hardware.
        "ssl_engine" => Text, in MAIN;
        /// Whether a reload takes over certificates and keys of files that have not changed; here it reads all files.
        ///
        /// Not in PingOS; as in nginx since 1.27.4.
        "ssl_object_cache_inheritable" => Flag = "off", in MAIN;
        /// Size of a hash table; here the table grows automatically.
        "stream_buckets" => Size = "50", in MAIN;
        /// Size of a hash table; here the table grows automatically.
        "server_buckets" => Size = "2", in MAIN;
    }
}
