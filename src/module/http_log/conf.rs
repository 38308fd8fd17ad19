//! Directives of the http log module.

use super::access_log::{HttpAccessLog, HttpLog, HttpLogs};
use super::format::LogFormat;
use super::open_file_cache::OpenLogFileCache;
use crate::directive::context::{Contexts, HTTP, HTTP_ALL, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Slot};
use crate::log::sink::spec::{NotedSinks, SinkTarget};

directives! {
    /// Logs of HTTP requests.
    module "http log";
    live as Current {
        /// NAME [escape=default|json|none] STRING...: a template of log lines; the strings are concatenated. `combined` is
        /// built in.
        ///
        /// Example: `log_format short escape=json '$remote_addr "$request" $status';`
        "log_format" => log_format: Vec<LogFormat>, in HTTP;
        /// PATH [FORMAT [buffer=SIZE [flush=TIME]] [gzip[=N]] [if=COND]] or off. A path with variables leads to a file for
        /// each value, which is opened with the rights of the server's user. `syslog:server=ADDRESS` sends lines to a
        /// syslog server; `,facility=`, `,severity=`, `,tag=` and `,nohostname` may follow. The default is `logs/access.log`
        /// with the format `combined`. Each log has a thread that writes it; lines that it does not accept in time are
        /// dropped and counted in the error log. A buffer is one for the process, and is written at the end and when logs
        /// are reopened.
        ///
        /// Example: `access_log logs/access.log combined buffer=32k flush=5s;`
        "access_log" => access_log: Vec<HttpAccessLog>, in HTTP_ALL | LOCATION_IF | LIMIT_EXCEPT;
        /// Cache of open files of logs with variables in their paths.
        ///
        /// Example: `open_log_file_cache max=100 inactive=20s valid=1m;`
        "open_log_file_cache" => open_log_file_cache: OpenLogFileCache = "off", in HTTP_ALL;
    }
    made {
        HttpLogs;
    }
}

impl Slot for HttpLogs {
    const HOLDERS: Contexts = LOCATION;
    const INHERITED: bool = true;

    fn is_set_by(block: &Block) -> bool {
        block.scope::<Scope>().is_some()
    }

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> HttpLogs {
        let current: Current = level.resolve(evaluation);
        let (lines, cache) = (current.access_log, current.open_log_file_cache.0);
        if lines.is_empty() {
            return HttpLogs(vec![HttpLog::default_log(evaluation)]);
        }
        let logs = lines.into_iter().map(|line| match line {
            HttpAccessLog::Off => None,
            HttpAccessLog::To(log) => Some(log),
        });
        // One `off` disables all logs of its block.
        let Some(mut logs) = logs.collect::<Option<Vec<_>>>() else { return HttpLogs::default() };
        let noted = evaluation.notes.of::<NotedSinks>();
        for log in &mut logs {
            match &mut log.sink.target {
                SinkTarget::Paths(paths) => {
                    paths.cache = cache.clone();
                    noted.note(&log.sink);
                }
                // As in nginx, a buffer belongs to the file and holds for all lines that name it.
                target => log.sink.buffering = noted.buffering_of(target).cloned(),
            }
        }
        HttpLogs(logs)
    }
}
