//! Manual of variables, conf/variables.md: each dialect, its names, and differences from PingOS.

use std::fmt::Write;

use crate::module::rtmp_log;
use crate::{http, notify};

/// Rules of a dialect.
struct Dialect {
    title: &'static str,
    rules: &'static str,
}

const NOTIFY: Dialect = Dialect {
    title: "Notifications: `args=` of `on_*` and `oclp_*`",
    rules: "A name is the longest run of letters, digits and `_` after `$`, case-insensitive; there is no `${name}`. A \
            missing value expands to nothing. An unknown name is an error. If a `$` has no name, the whole `args=` is \
            omitted, with a warning.\n\n\
            Differences from the original: values are current in each request (there, `$stage`, `$msec`, \
            `$first_video` and similar ones keep the value of the `start` request in `update` and `done`); `$groupid` is \
            the line's (there, it is empty); bytes that are invalid in an HTTP request are percent-encoded; `on_master` \
            expands variables (there, it sends `$0`).",
};

const LOG: Dialect = Dialect {
    title: "`log_format` of rtmp",
    rules: "`$name` or `${name}`, case-sensitive. An unknown name is an error, even in an unused format.\n\n\
            Differences from the original: a missing `$parg_NAME` is empty (there, it prints the text `parg_NAME`); \
            byte counters do not wrap at 32 bits.",
};

const EXEC: Dialect = Dialect {
    title: "Commands: `exec_*`",
    rules: "`$name`, a run of letters only, or `${name}`, case-sensitive; a backslash makes the next character literal. \
            `$name_low` is the value of `name` and the text `_low`. An unknown name expands to nothing. \
            The command itself is not expanded, and `exec_static` expands nothing; in `exec_pull` only `name` and `app` \
            have values.",
};

const HTTP: Dialect = Dialect {
    title: "`http { }`",
    rules: "`$name` or `${name}`, case-insensitive; `$1` to `$9` are groups of the latest match of a regular expression. Names \
            may be defined anywhere in `http { }` by `set`, `map`, `geo`, `split_clients` and named groups. An unknown \
            name is an error, reported with file and line. A `$` without a name is an error.",
};

/// Variables of exec commands.
const EXEC_MEANINGS: [(&str, &str); 14] = [
    ("addr", "Peer address."),
    ("app", "Application."),
    ("args", "Query string of publish or play."),
    ("basename", "Name of the closed file without its extension."),
    ("dirname", "Directory of the closed file."),
    ("filename", "Name of the closed file."),
    ("flashver", "flashVer of connect."),
    ("name", "Stream name."),
    ("pageurl", "pageUrl of connect."),
    ("path", "Path of the closed file."),
    ("recorder", "Name of the recorder."),
    ("starttime", "Local time of the event, YYYYmmddHHMMSS."),
    ("swfurl", "swfUrl of connect."),
    ("tcurl", "tcUrl of connect."),
];

/// Prefixes of names in `args=`.
const NOTIFY_PREFIXES: [(&str, &str); 2] = [
    ("parg_NAME", "One argument of the stream's query string, undecoded."),
    ("metadata_NAME", "One field of the stream's metadata."),
];

/// The whole manual as Markdown.
pub fn manual() -> String {
    let mut out = String::from(
        "# Variables\n\nFour parts of a configuration have variables, each with names and rules of its own. Everywhere else \
         `$` is an ordinary character: relays (`push`, `pull`), `record_path`, `hls_path` and their like have none.\n",
    );
    let rows = |docs: &[(&'static str, &[&str])]| -> Vec<(String, String)> {
        docs.iter().map(|(name, doc)| ((*name).to_owned(), doc.join("").trim().to_owned())).collect()
    };
    let plain = |docs: &[(&str, &str)]| -> Vec<(String, String)> {
        docs.iter().map(|(name, doc)| ((*name).to_owned(), (*doc).to_owned())).collect()
    };
    let mut names = rows(notify::variable::MEANINGS);
    names.extend(plain(&NOTIFY_PREFIXES));
    section(&NOTIFY, &names, &mut out);

    let mut names = plain(rtmp_log::format::MEANINGS);
    names.push(("parg_NAME".into(), "One argument of the query string, as it is.".into()));
    section(&LOG, &names, &mut out);

    section(&EXEC, &plain(&EXEC_MEANINGS), &mut out);

    let mut names: Vec<(String, String)> = http::variable::MEANINGS
        .iter()
        .map(|(names, doc)| (names.join("`, `"), doc.join("").trim().to_owned()))
        .collect();
    names.push(("arg_NAME".into(), "One argument of the query string, as it is.".into()));
    names.push(("http_NAME".into(), "A request header, its `-` written as `_`.".into()));
    names.push(("cookie_NAME".into(), "A cookie of the request.".into()));
    names.push(("sent_http_NAME".into(), "A response header, its `-` written as `_`.".into()));
    names.push(("sent_trailer_NAME".into(), "A trailer of the response, its `-` written as `_`.".into()));
    names.extend(plain(http::module_variables::OF_MODULES));
    let prefixed = http::module_variables::PREFIXES_OF_MODULES.iter();
    names.extend(prefixed.map(|(prefix, doc)| (format!("{prefix}NAME"), (*doc).to_owned())));
    section(&HTTP, &names, &mut out);
    out
}

fn section(dialect: &Dialect, names: &[(String, String)], out: &mut String) {
    let Dialect { title, rules } = dialect;
    let _ = write!(out, "\n## {title}\n\n{rules}\n\n| name | value |\n| --- | --- |\n");
    for (name, doc) in names {
        let _ = writeln!(out, "| `{name}` | {doc} |");
    }
}
