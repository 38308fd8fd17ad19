//! Writing the lines of a request.

use std::path::PathBuf;

use super::access_log::{HttpLog, HttpLogs, LogPath};
use crate::http::exchange::{Exchange, RequestLog};
use crate::http::routes::Location;
use crate::http::variable::{Template, Variable, is_true};
use crate::log::sink::{LineFile, Sinks};

/// A request at its end.
pub trait LoggedRequest {
    /// Appends the value of a variable. Returns `false`, having appended nothing, if the request has none.
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool;

    /// Root directory of the request's location. For logs with variables in their paths, it must exist.
    fn root(&self) -> Option<PathBuf>;
}

impl LoggedRequest for Exchange<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        self.append_value(variable, out)
    }

    fn root(&self) -> Option<PathBuf> {
        Some(self.document_root())
    }
}

impl RequestLog for HttpAccess {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<HttpLogs>().0.is_empty()
    }

    fn log(&self, exchange: &Exchange<'_>) {
        self.write(exchange.location.get::<HttpLogs>(), exchange);
    }
}

/// Writes the access logs of HTTP requests.
#[derive(Clone, Debug)]
pub struct HttpAccess {
    sinks: Sinks,
}

impl HttpAccess {
    /// Writes to these destinations.
    pub fn new(sinks: Sinks) -> HttpAccess {
        HttpAccess { sinks }
    }

    /// Writes the lines of a request to the logs of its location. Never blocks.
    pub fn write(&self, logs: &HttpLogs, request: &dyn LoggedRequest) {
        for log in logs.0.iter().filter(|log| applies(log, request)) {
            let line = line(log, request);
            let sink = self.sinks.get(&log.sink);
            match &log.path {
                None => sink.line(line),
                Some(path) => sink.line_to(file(path, request), line),
            }
        }
    }
}

fn applies(log: &HttpLog, request: &dyn LoggedRequest) -> bool {
    log.condition.as_ref().is_none_or(|condition| is_true(&expand(condition, request)))
}

fn line(log: &HttpLog, request: &dyn LoggedRequest) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    let mut value = Vec::new();
    for part in &log.format.parts {
        part.fill(&mut line, |variable, out| {
            value.clear();
            let has_value = request.value(variable, &mut value);
            log.format.escape.append(has_value.then_some(&value), out);
        });
    }
    line.push(b'\n');
    line
}

fn file(path: &LogPath, request: &dyn LoggedRequest) -> LineFile {
    let expanded = expand(&path.template, request);
    let path = match &path.base {
        Some(base) => [base.as_os_str().as_encoded_bytes(), b"/", &expanded].concat(),
        None => expanded,
    };
    LineFile { path: path.into(), root: request.root() }
}

fn expand(template: &Template, request: &dyn LoggedRequest) -> Vec<u8> {
    let mut out = Vec::new();
    template.fill(&mut out, |variable, out| {
        request.value(variable, out);
    });
    out
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::config::LoadOptions;
    use crate::config::load::load_text;
    use crate::log::sink::OpenedSinks;
    use crate::modules::LANGUAGE;

    /// `$arg_NAME` has the value NAME, except `$arg_none`, which has none.
    struct Request(&'static str, PathBuf);

    impl LoggedRequest for Request {
        fn value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
            let value = match variable {
                Variable::Arg(name) if &name[..] == b"none" => return false,
                Variable::Arg(name) if &name[..] == b"given" => self.0.as_bytes(),
                Variable::Arg(name) => name,
                _ => b"\"",
            };
            out.extend_from_slice(value);
            true
        }

        fn root(&self) -> Option<PathBuf> {
            Some(self.1.clone())
        }
    }

    /// Writes a line for each value of `$arg_given`, with the logs that `http` sets, and waits until all are written.
    fn write(dir: &Path, http: &str, given: &[&'static str]) {
        let text = format!("events {{ }} http {{ {http} server {{ listen unix:{}/s; }} }}", dir.display());
        let options = LoadOptions::choose(&LANGUAGE, Some(dir.into()), None, Vec::new(), None);
        let config =
            load_text(Path::new("test.conf"), Bytes::from(text), &options).unwrap_or_else(|report| {
                panic!("{}", String::from_utf8_lossy(&report.render(crate::syntax::render::Style::default())))
            });
        let server = &config.http.as_ref().unwrap().servers[0];
        let logs: &HttpLogs = server.routes().fallback.get();
        let sinks = Sinks::default();
        sinks.apply(OpenedSinks::open(&config.log_sinks).unwrap());
        sinks.start().unwrap();
        let access = HttpAccess::new(sinks.clone());
        given.iter().for_each(|given| access.write(logs, &Request(given, dir.to_owned())));
        sinks.flush(Duration::from_secs(600));
    }

    fn read(dir: &Path, name: &str) -> String {
        fs::read_to_string(dir.join(name)).unwrap_or_default()
    }

    #[test]
    fn several_logs_with_their_formats_and_conditions() {
        let dir = tempfile::tempdir().unwrap();
        let http = "log_format a '$arg_given $arg_none ' \"<$uri>\";
                    log_format j escape=json '{\"a\":\"$uri$arg_none\"}';
                    access_log a.log a; access_log if.log a if=$arg_given; access_log j.log j;";
        write(dir.path(), http, &["1", "0", ""]);
        assert_eq!(read(dir.path(), "a.log"), "1 - <\\x22>\n0 - <\\x22>\n - <\\x22>\n");
        assert_eq!(read(dir.path(), "if.log"), "1 - <\\x22>\n");
        assert_eq!(read(dir.path(), "j.log"), "{\"a\":\"\\\"\"}\n".repeat(3));
    }

    #[test]
    fn without_a_line_the_default_log_and_with_off_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        write(dir.path(), "access_log a.log; access_log off;", &["1"]);
        assert_eq!(read(dir.path(), "a.log"), "");
        assert!(!dir.path().join("logs/access.log").exists());
        write(dir.path(), "", &["1"]);
        let line = read(dir.path(), "logs/access.log");
        assert_eq!(line.matches("\\x22").count(), 8, "{line}");
    }

    #[test]
    fn a_path_with_variables_has_a_file_for_each_value() {
        for cache in ["", "open_log_file_cache max=1;"] {
            let dir = tempfile::tempdir().unwrap();
            let http = format!("log_format a $arg_given; access_log $arg_given.log a; {cache}");
            write(dir.path(), &http, &["x", "y", "x", "../z"]);
            assert_eq!(
                (read(dir.path(), "x.log"), read(dir.path(), "y.log")),
                ("x\nx\n".into(), "y\n".into())
            );
            assert!(!dir.path().parent().unwrap().join("z.log").exists());
        }
    }

    #[test]
    fn a_buffer_belongs_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let http = "log_format a $arg_given; access_log a.log a; access_log a.log a buffer=1k;";
        write(dir.path(), http, &["x", "y"]);
        assert_eq!(read(dir.path(), "a.log"), "x\nx\ny\ny\n");
    }
}
