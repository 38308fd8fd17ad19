//! What neither waits nor reaches out of the process: whole rooms, and every file of a feature that isn't listed as one that does.

use std::collections::BTreeSet;

use crate::source::{Library, Names, leaves, library};

/// Crates and paths that whole rooms do without: what is pure neither waits nor looks at a clock.
const PURE: [(&str, &[&str]); 5] = [
    (
        "wire",
        &[
            "tokio",
            "hyper",
            "reqwest",
            "std::fs",
            "std::net::TcpStream",
            "std::thread",
            "std::time::Instant::now",
            "std::time::SystemTime",
            "Instant::now",
        ],
    ),
    ("syntax", &["tokio", "hyper", "reqwest", "std::net::TcpStream", "std::thread"]),
    ("directive", &["tokio", "hyper", "reqwest", "std::fs", "std::net::TcpStream", "std::thread"]),
    (
        "hub",
        &[
            "hyper",
            "reqwest",
            "std::fs",
            "std::net::TcpStream",
            "std::thread",
            "tokio::net",
            "tokio::spawn",
            "tokio::time",
        ],
    ),
    ("config", &["tokio::net", "tokio::spawn", "hyper", "reqwest"]),
];

/// Rooms of features, where each file is either rules or waits and reaches out.
const FEATURES: [&str; 3] = ["module", "media", "notify"];

/// What rules do without: a runtime, clients and servers, files, sockets, processes and threads.
const REACHING_OUT: &[&str] = &[
    "tokio",
    "tokio_util",
    "tokio_rustls",
    "hyper",
    "hyper_util",
    "reqwest",
    "nix",
    "socket2",
    "io_uring",
    "command_fds",
    "std::fs",
    "std::os::fd",
    "std::os::unix::fs",
    "std::os::unix::net",
    "std::os::unix::process",
    "std::thread",
    "std::process::Command",
    "std::process::Child",
    "std::process::Stdio",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
];

/// The files of features that wait or reach out. Each other holds rules, which are tested without a server.
const WAITING: &[&str] = &[
    "module::acme::client",
    "module::acme::error",
    "module::acme::files",
    "module::acme::keeper",
    "module::acme::order",
    "module::acme::state",
    "module::acme::tender",
    "media::admission",
    "media::counterpart",
    "media::counterpart::statistics",
    "media::counterpart::stream",
    "media::delivery",
    "media::delivery::ahead",
    "media::delivery::link",
    "media::delivery::uring",
    "media::extension",
    "media::files",
    "media::files::claims",
    "media::files::retention",
    "media::files::sweeper",
    "media::mpegts::feed",
    "media::mpegts::packaging",
    "media::mpegts::queue",
    "media::publish_packets",
    "media::reader",
    "media::session",
    "media::statistics::timer",
    "media::stream_events",
    "media::workers",
    "module::ban::files",
    "module::console::events",
    "module::console::handler",
    "module::control::handler",
    "module::dynamic::task",
    "module::dash::output",
    "module::dash::writer",
    "module::exec::child",
    "module::exec::execs",
    "module::exec::keeper",
    "module::hls2::answer",
    "module::cluster::carried",
    "module::cluster::carriers",
    "module::cluster::claims",
    "module::cluster::engine",
    "module::cluster::etcd",
    "module::cluster::etcd::error",
    "module::cluster::etcd::key_watch",
    "module::cluster::name_requests",
    "module::cluster::origins",
    "module::cluster::shared_conf",
    "module::cluster::shared_conf::command",
    "module::cluster::shared_conf::follow",
    "module::cluster::shared_conf::store",
    "module::hls2::fragments",
    "module::hls2::handler",
    "module::hls2::samples",
    "module::hls2::viewer",
    "module::hls2::viewer::request",
    "module::hls::directory",
    "module::hls::input",
    "module::hls::recording",
    "module::hls::retention",
    "module::hls::writer",
    "module::lint::host",
    "module::lint::path",
    "module::live_record::files",
    "module::live_record::playback::catalogue",
    "module::live_record::playback::flv",
    "module::live_record::playback::handler",
    "module::live_record::playback::past",
    "module::live_record::playback::reader",
    "module::live_record::task",
    "module::proxy::attempt",
    "module::proxy::body",
    "module::proxy::cache::fill",
    "module::proxy::cache::keeper",
    "module::proxy::cache::lookup",
    "module::proxy::cache::zone",
    "module::proxy::check",
    "module::proxy::connect",
    "module::proxy::http2",
    "module::proxy::keeper",
    "module::proxy::link",
    "module::proxy::send_parts",
    "module::proxy::store",
    "module::proxy::tunnel",
    "module::record::flv_file",
    "module::record::out_file",
    "module::record::recordings",
    "module::record::registry",
    "module::snapshot::decoder",
    "module::snapshot::handler",
    "module::snapshot::pictures",
    "module::relay::connect",
    "module::relay::error",
    "module::auth_request::check",
    "module::http_auth::check",
    "module::limit::check",
    "module::gzip::compressed_file",
    "module::flv_file::check",
    "module::http_static::autoindex",
    "module::http_static::directory",
    "module::http_static::index",
    "module::http_static::random_index",
    "module::http_static::try_files",
    "module::metrics::handler",
    "module::mirror::check",
    "module::monitor::watch",
    "module::mp4::check",
    "module::multiport::broadcast",
    "module::relay::http",
    "module::rewrite::phase",
    "module::relay::lines",
    "module::relay::pull",
    "module::relay::pull::counterpart",
    "module::relay::pull::fetch",
    "module::relay::pull::players",
    "module::relay::pulled",
    "module::relay::push",
    "module::relay::push_line",
    "module::relay::rtmp",
    "module::rtmp::connection",
    "module::rtmp::connection::connecting",
    "module::rtmp::connection::past",
    "module::rtmp::connection::play",
    "module::rtmp::connection::streams",
    "module::rtmp::connection::waiting",
    "module::rtmp_log::sessions",
    "module::slice::slices",
    "module::stat::handler",
    "module::stat::shared",
    "notify::answer",
    "notify::heartbeat",
    "notify::notifier",
    "notify::process",
    "notify::session_event",
    "notify::transport",
    "notify::transport_error",
];

/// What files of pure rooms name and the room does without, a line each.
pub fn impure(library: &Library) -> Vec<String> {
    let mut found = Vec::new();
    for (module, file) in library {
        let room = PURE.iter().find(|(room, _)| module.first().is_some_and(|first| first == room));
        let without = room.map_or(&[][..], |(_, without)| *without);
        let named = without.iter().filter(|name| mentions(&file.code, name));
        found.extend(named.map(|name| format!("{}: {name}", file.path.display())));
    }
    found
}

#[test]
fn pure_rooms_do_not_wait() {
    let impure = impure(&library());
    assert!(impure.is_empty(), "what these rooms do without: {impure:#?}");
}

/// Whether code waits, or has the means to reach out of the process.
fn waits(code: &str) -> bool {
    code.contains("async ") || code.contains(".await") || REACHING_OUT.iter().any(|name| mentions(code, name))
}

/// The files of features that wait or reach out and are not listed, and those that are listed and do neither.
pub fn wrongly_listed(library: &Library, listed: &[&str]) -> (Vec<String>, Vec<String>) {
    let is_feature =
        |module: &Names| module.first().is_some_and(|room| FEATURES.iter().any(|feature| feature == room));
    let features = library.iter().filter(|(module, _)| is_feature(module));
    let waiting = features.filter(|(_, file)| waits(&file.code));
    let found: BTreeSet<String> = waiting.map(|(module, _)| module.join("::")).collect();
    let listed: BTreeSet<String> = listed.iter().map(|module| (*module).to_owned()).collect();
    (found.difference(&listed).cloned().collect(), listed.difference(&found).cloned().collect())
}

#[test]
fn rules_of_features_neither_wait_nor_reach_out() {
    let (unlisted, gone) = wrongly_listed(&library(), WAITING);
    assert!(unlisted.is_empty(), "these wait or reach out, and aren't listed so: {unlisted:#?}");
    assert!(gone.is_empty(), "listed, and rules without I/O now: {gone:#?}");
    let once: BTreeSet<&&str> = WAITING.iter().collect();
    assert_eq!(once.len(), WAITING.len(), "a file is listed twice");
}

/// Whether code names a crate or a path: written out, or as a part of a `use` with braces.
fn mentions(code: &str, name: &str) -> bool {
    let wanted: Vec<&str> = name.split("::").collect();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(wanted[0]).any(|(at, root)| {
        let (before, after) = (&code[..at], &code[at + root.len()..]);
        let before = before.strip_suffix("::").unwrap_or(before);
        if is_word(before.chars().next_back()) || is_word(after.chars().next()) {
            return false;
        }
        if wanted.len() == 1 {
            // `use tokio;` and `use tokio as other;`, too.
            return after.starts_with(':') || before.ends_with("use ");
        }
        leaves(&code[at..], &[])
            .iter()
            .any(|path| path.len() >= wanted.len() && path[..wanted.len()] == wanted)
    })
}
