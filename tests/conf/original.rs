//! The table of directives against the original's: `directives.tsv` lists every directive that the original registers,
//! and names that its documents or neighbouring servers have.

use std::fs;

use pingosd::directive::table::{Row, StatementShape};
use pingosd::directive::{Arity, Contexts, Inherit, Module, context};
use pingosd::module::dynamic;
use pingosd::modules::{MODULES, REGISTRY};

use crate::support::{self, Prefix};

/// One line of the list.
struct Line {
    name: String,
    contexts: String,
    args: String,
    default: String,
    inherit: String,
    /// Not registered by the original: a misspelling, or another server's.
    foreign: bool,
}

/// Names of other servers that files in use have, so that they are known here.
const ADOPTED: &[&str] = &[
    "add_header_inherit",
    "add_trailer_inherit",
    "ancient_browser",
    "ancient_browser_value",
    "modern_browser",
    "modern_browser_value",
    "auth_request",
    "real_ip_header",
    "secure_link",
    "secure_link_md5",
    "set_real_ip_from",
    "rtmp_stat_format",
    "stub_status",
    "gzip_static",
    "flv",
    "mp4",
    "pull_reconnect",
    "push_reconnect",
    "rtmp_auto_push",
    "rtmp_auto_push_reconnect",
    "rtmp_socket_dir",
    "sub_filter",
];

/// Where more or fewer words are taken than by the original.
const OTHER_ARITY: [(&str, &str); 3] = [
    // Several options on one line, as the documents show it.
    ("listen", "rtmp.server"),
    // Another word tells the format of segments.
    ("hls_type", "rtmp,rtmp.server,rtmp.application"),
    // Newer nginx.
    ("keepalive", "http.upstream"),
];

/// Defaults that the list describes, and that no row can have: nothing, something derived, or a list.
const DESCRIBED: [&str; 37] = [
    "10 x hls2_fragment",
    "10 x hls_fragment",
    "3 x hls2_fragment",
    "3 x hls2_playlist_length",
    "CPU cache line",
    "TLSv1 TLSv1.1 TLSv1.2",
    "Date Server X-Pad X-Accel-*",
    "Host $proxy_host; Connection close",
    "$proxy_host",
    "$scheme$proxy_host$request_uri",
    "*:80",
    "0.0.0.0:1935",
    "8k|16k",
    "HIGH:!aNULL:!MD5",
    "TZ kept",
    "\"\"",
    "best available",
    "buckets=512 streams=40960",
    "combined built in",
    "compiled-in user",
    "error log",
    "everything allowed",
    "inherit",
    "kill",
    "logs/access.log combined",
    "logs/error.log error",
    "none",
    "nothing denied",
    "out_queue/8",
    "page size",
    "proxy_temp",
    "text/html html; image/gif gif; image/jpeg jpg",
    "text/html text/xml text/plain ...",
    "two pages",
    "unlimited",
    "unset",
    "user:rw",
];

fn lines() -> Vec<Line> {
    let text = fs::read_to_string(support::data().join("directives.tsv")).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, family, contexts, args, _, default, inherit] = fields[..] else { panic!("{line}") };
        Line {
            name: name.into(),
            contexts: contexts.into(),
            args: args.into(),
            default: default.into(),
            inherit: inherit.into(),
            foreign: inherit == "-" || family == "nginx-extra",
        }
    });
    lines.collect()
}

/// The context of that name, in the registry it belongs to.
fn contexts(line: &Line) -> (Contexts, &'static [&'static Module]) {
    let dynamic = line.contexts.starts_with("dyn.");
    let bits = line.contexts.split(',').map(|name| match name.trim_start_matches("dyn.") {
        "main" => context::MAIN,
        "events" => context::EVENTS,
        "rtmp" => context::RTMP,
        "rtmp.server" => context::RTMP_SERVER,
        "rtmp.application" => context::APPLICATION,
        "rtmp.recorder" => context::RECORDER,
        "http" => context::HTTP,
        "http.server" => context::HTTP_SERVER,
        "http.location" => context::LOCATION,
        "http.server.if" => context::SERVER_IF,
        "http.if" => context::LOCATION_IF,
        "http.limit_except" => context::LIMIT_EXCEPT,
        "http.upstream" => context::UPSTREAM,
        other => panic!("{}: {other}", line.name),
    });
    (bits.fold(0, |all, bit| all | bit), if dynamic { dynamic::table::MODULES } else { MODULES })
}

/// The rows that a line is about; together they have its contexts.
fn rows(line: &Line) -> (Vec<&'static Row>, Contexts) {
    let (want, modules) = contexts(line);
    let fits = |row: &&Row| row.names.contains(&line.name.as_str()) && row.contexts & want != 0;
    (modules.iter().flat_map(|module| module.rows).filter(fits).collect(), want)
}

fn arity(args: &str) -> Arity {
    let args = args.strip_prefix("block").unwrap_or(args);
    if args == "flag" {
        return Arity::ONE;
    }
    if let Some(least) = args.strip_suffix('+') {
        return Arity::from(least.parse().unwrap());
    }
    let mut counts = args.split('|').map(|count| count.parse().unwrap());
    let least = counts.next().unwrap();
    Arity::between(least, counts.next_back().unwrap_or(least))
}

/// Rows with another default than the original's: a first playlist of two fragments does not start in Chromium, and
/// without `record_suffix` the suffix follows `record_format`.
const OTHER_DEFAULT: [&str; 3] = ["hls2_minfrags", "max_streams", "record_suffix"];

/// Whether the row's default is the one described.
fn same_default(row: &Row, line: &Line) -> bool {
    // What stands in parentheses explains.
    let described = line.default.split(" (").next().unwrap();
    let described = described.strip_prefix("PREFIX/").unwrap_or(described);
    if OTHER_DEFAULT.contains(&line.name.as_str()) {
        return row.default != Some(described);
    }
    match row.default {
        None => described == "-" || described == "off" || DESCRIBED.contains(&described),
        Some("") => matches!(described, "\"\"" | "-" | "hls_path"),
        Some("off") if described == "0" => true,
        Some("0") if described == "mpegts_cache_time" => true,
        Some(default) => {
            default == described
                || (described == "CPU cache line" && default == "64")
                || (described == "two pages" && default == "8k")
                || described.split(' ').eq(default.split(' '))
        }
    }
}

#[test]
fn every_directive_of_the_original_stands_where_it_did() {
    let mut wrong = Vec::new();
    let mut known = 0;
    for line in lines().iter().filter(|line| !line.foreign && !line.name.starts_with('(')) {
        if line.name == "include" {
            continue;
        }
        let (rows, want) = rows(line);
        let have = rows.iter().fold(0, |all, row| all | row.contexts);
        known += 1;
        // Rows of the dynamic file stand in several of its blocks.
        let dynamic = line.contexts.starts_with("dyn.");
        // RTMP is encrypted here as well.
        let encrypted = line.name.starts_with("ssl_");
        if have & want != want || (have != want && !dynamic && !encrypted) {
            wrong.push(format!("{} ({}) stands elsewhere", line.name, line.contexts));
        }
        for row in rows {
            let name = format!("{} ({})", line.name, line.contexts);
            let other = OTHER_ARITY.contains(&(line.name.as_str(), line.contexts.as_str()));
            if row.arity != arity(&line.args) && !other {
                wrong.push(format!("{name} takes {}, not {}", row.arity, line.args));
            }
            if (row.shape != StatementShape::Simple) != line.args.starts_with("block") {
                wrong.push(format!("{name}: a block or none"));
            }
            if !same_default(row, line) {
                let ours = row.default.unwrap_or("none");
                wrong.push(format!("{name}: default {ours}, not {}", line.default));
            }
        }
    }
    assert!(known > 390, "{known}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Other names of a thing that rows say in a paragraph of its own.
const ELSEWHERE_IN_TEXT: [&str; 4] = ["the original", "Not part of PingOS", "In PingOS", "Unlike in PingOS"];

#[test]
fn rows_say_what_differs_from_pingos() {
    let lines = lines();
    let registered: Vec<(&str, Contexts)> = lines
        .iter()
        .filter(|line| !line.foreign && !line.contexts.starts_with("dyn.") && !line.name.starts_with('('))
        .filter(|line| line.name != "include")
        .map(|line| (line.name.as_str(), contexts(line).0))
        .collect();
    let is_http = context::HTTP | context::HTTP_SERVER | context::LOCATION | context::UPSTREAM;
    let mut wrong = Vec::new();
    for row in MODULES.iter().flat_map(|module| module.rows) {
        let (name, text) = (row.name(), row.text().join(" "));
        // The same name in another block is another directive.
        let known =
            registered.iter().any(|(name, places)| row.names.contains(name) && row.contexts & places != 0);
        // Directives of nginx's own modules for HTTP are not all in the list.
        let is_ours = row.contexts & is_http == 0 || row.contexts & context::APPLICATION != 0;
        if !known && is_ours && row.class != pingosd::directive::ReloadClass::Needless && !row.is_new() {
            wrong.push(format!("{name}: PingOS does not register it, and the manual does not say so"));
        }
        if known && row.is_new() {
            wrong.push(format!("{name}: PingOS registers it"));
        }
        let deviates = OTHER_DEFAULT.contains(&name)
            || OTHER_ARITY.iter().any(|(other, _)| *other == name) && row.contexts & context::HTTP_ALL == 0;
        if deviates && row.difference().is_none() {
            wrong.push(format!("{name}: another default or number of words, which the manual does not say"));
        }
        for phrase in ELSEWHERE_IN_TEXT.iter().filter(|phrase| text.contains(**phrase)) {
            wrong.push(format!("{name}: {phrase:?} belongs in a paragraph \"Differs from PingOS\""));
        }
        if let Some(difference) = row.difference() {
            let difference = difference.join(" ");
            let begins = difference.trim();
            let is_sentence = [
                "Differs from PingOS: ",
                "Differs from PingOS, which ",
                "Differs from PingOS, where ",
                "Not in PingOS",
            ]
            .iter()
            .any(|begin| begins.starts_with(begin))
                && begins.ends_with('.');
            if !is_sentence {
                wrong.push(format!("{name}: {begins}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn levels_inherit_as_in_the_original() {
    const RTMP_LEVELS: Contexts = context::RTMP | context::RTMP_SERVER | context::APPLICATION;
    let mut wrong = Vec::new();
    for line in lines().iter().filter(|line| !line.foreign && !line.name.starts_with('(')) {
        if line.name == "include" {
            continue;
        }
        for row in rows(line).0 {
            // Directives without effect are covered by the tests of their features.
            if row.inert
                || matches!(
                    row.class,
                    pingosd::directive::ReloadClass::Needless | pingosd::directive::ReloadClass::Block
                )
            {
                continue;
            }
            let levels =
                (row.contexts & RTMP_LEVELS).count_ones().max((row.contexts & !RTMP_LEVELS).count_ones());
            let inherits = row.inherit != Inherit::Never;
            let right = match line.inherit.as_str() {
                "yes" => inherits,
                // One level has nothing to inherit; hls2_timeout is overwritten there, and works here. valid_referers is
                // inherited by nginx's own merge, whatever the list says.
                "no" => {
                    levels == 1 || !inherits || ["hls2_timeout", "valid_referers"].contains(&&line.name[..])
                }
                _ => true,
            };
            if !right {
                wrong.push(format!("{} ({}): {}", line.name, line.contexts, line.inherit));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_of_neighbours_are_known_or_explained() {
    for line in lines().iter().filter(|line| line.foreign && !line.name.starts_with('(')) {
        if line.name == "ssl_engine" {
            continue;
        }
        let known = !REGISTRY.find(line.name.as_bytes()).is_empty();
        assert_eq!(known, ADOPTED.contains(&line.name.as_str()), "{}", line.name);
        let advice = REGISTRY.advice(line.name.as_bytes(), Contexts::MAX);
        assert!(known || advice.is_some(), "nothing is said of {}", line.name);
    }
}

/// Names of earlier releases in each block in which files have them: never unknown.
#[test]
fn names_of_earlier_releases_are_accepted_and_named() {
    // The words, and what `-t` says of them; nothing where they are honoured.
    let rtmp = [
        ("roll_back 30s", None),
        ("one_off_send 3s", None),
        ("latency_time 1s", None),
        ("hls2memory on", None),
        ("hls2_nested on", None),
        ("hls2_type event", Some("\"hls2_type event\" has no effect")),
        ("hls2_type live", None),
        ("reset_vhost a.example.com", Some("\"reset_vhost\" has no effect")),
        ("push_reconnect 1s", None),
        ("pull_reconnect 500ms", None),
        ("auth_uri http://127.0.0.1/auth", Some("\"auth_uri\" is not asked, every client is admitted")),
    ];
    let main = ["rtmp_auto_push on", "rtmp_auto_push_reconnect 1s", "rtmp_socket_dir /tmp"];
    for (words, remark) in rtmp {
        for level in ["rtmp { server { application a { X } } }", "rtmp { server { X } }", "rtmp { X }"] {
            said(&level.replace('X', &format!("{words};")), remark);
        }
    }
    for words in main {
        said(&format!("{words};"), None);
    }
    let reset = "\"reset_vhost\" has no effect";
    for level in ["http { X }", "http { server { X } }", "http { server { location / { X } } }"] {
        said(&level.replace('X', "reset_vhost a b;"), Some(reset));
    }
}

/// Checks that a configuration is taken, and what is remarked.
#[track_caller]
fn said(conf: &str, remark: Option<&str>) {
    let (ok, out) = Prefix::new(format!("events {{ }}\n{conf}\n"), &[]).test("");
    assert!(ok, "{conf}\n{out}");
    match remark {
        Some(remark) => assert!(out.contains(remark), "{conf}\n{out}"),
        None => assert!(!out.contains("[warn]"), "{conf}\n{out}"),
    }
}
