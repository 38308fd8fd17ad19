//! Metrics: the page, its figures, and what Prometheus makes of it.

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pingosd::wire::rtmp::client_session::ClientPurpose;
use support::frame::{GOP, Tracks};
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http};

const OPEN_METRICS: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

fn conf(application: &str) -> Conf {
    Conf::live(application).http_server(
        "location /metrics { rtmp_metrics; }
         location /top { rtmp_metrics top=3; }
         location /all { rtmp_metrics top=1000; }
         location /denied { deny all; rtmp_metrics; }
         location /flv { flv_live {rtmp_port} app=live; }",
    )
}

/// A page in the text format of Prometheus.
struct Page(String);

impl Page {
    fn get(server: &Server, target: &str) -> Page {
        let response = http::get(server.http, target);
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!((response.status(), response.header("content-type")), (200, Some(kind)));
        Page(response.text())
    }

    /// Samples: name with labels, and value.
    fn samples(&self) -> BTreeMap<&str, f64> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
                (name, value.parse().unwrap_or_else(|_| panic!("{line:?}")))
            })
            .collect()
    }

    #[track_caller]
    fn value(&self, name: &str) -> f64 {
        *self.samples().get(name).unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// Names and types of the metrics.
    fn types(&self) -> BTreeSet<(&str, &str)> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        lines.filter_map(|line| line.split_once(' ')).collect()
    }
}

#[test]
fn sessions_streams_bytes_and_frames_are_counted() {
    let server = Server::start(&conf("cache_time 1s;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(GOP);
    let players = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    let last = publisher.send(GOP);
    players.iter().for_each(|player| player.wait_frame(last));
    let page = || Page::get(&server, "/metrics");
    until_true("both have their first frame", || page().value("pingosd_first_frame_seconds_count") == 2.0);
    until_true("the bytes are counted", || page().value("pingosd_sent_bytes_total") > 10_000.0);
    let now = page();
    for (name, value) in [
        ("pingosd_sessions{protocol=\"rtmp\",role=\"publisher\"}", 1.0),
        ("pingosd_sessions{protocol=\"rtmp\",role=\"player\"}", 1.0),
        ("pingosd_sessions{protocol=\"flv\",role=\"player\"}", 1.0),
        ("pingosd_sessions_started_total{protocol=\"flv\",role=\"player\"}", 1.0),
        ("pingosd_streams", 1.0),
        ("pingosd_streams_published", 1.0),
        // Of 40 frames each fourth is audio, and each twentieth a key frame.
        ("pingosd_frames_received_total{kind=\"audio\"}", 10.0),
        ("pingosd_frames_received_total{kind=\"video\"}", 30.0),
        ("pingosd_key_frames_received_total", 2.0),
        ("pingosd_packets_lost_total", 0.0),
        ("pingosd_config_generation", 1.0),
        ("pingosd_config_refused", 0.0),
    ] {
        assert_eq!(now.value(name), value, "{name}");
    }
    assert!(
        now.value("pingosd_received_bytes_total")
            > now.value("pingosd_media_received_bytes_total{kind=\"audio\"}")
    );
    assert!(now.value("pingosd_send_delay_seconds_count") > 0.0);
    assert!(now.value("pingosd_worker_busy_seconds_total{worker=\"1\"}") >= 0.0);
    assert!(!now.0.contains("stream=\""), "no stream is named without top=: {}", now.0);
    drop(players);
    publisher.leave();
    until_true("all have ended", || page().value("pingosd_streams") == 0.0);
    let after = page();
    for name in ["pingosd_frames_received_total{kind=\"video\"}", "pingosd_key_frames_received_total"] {
        assert_eq!(after.value(name), now.value(name), "the media of ended streams counts: {name}");
    }
    let ended: f64 = after
        .samples()
        .iter()
        .filter(|(name, _)| name.starts_with("pingosd_sessions_ended_total"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(ended, 3.0);
    assert_eq!(http::get(server.http, "/denied").status(), 403);
}

#[test]
fn histograms_are_cumulative_and_end_with_their_count() {
    let server = Server::start(&conf("cache_time 1s;"));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    until_true("batches were sent", || {
        Page::get(&server, "/metrics").value("pingosd_send_delay_seconds_count") > 3.0
    });
    let publisher = feed.stop();
    player.wait_frame(publisher.next() - 1);
    let page = Page::get(&server, "/metrics");
    for name in ["pingosd_send_delay_seconds", "pingosd_first_frame_seconds"] {
        let lines = page.0.lines().filter_map(|line| line.strip_prefix(&format!("{name}_bucket{{le=\"")));
        let classes: Vec<(f64, f64)> = lines
            .map(|line| {
                let (bound, count) = line.split_once("\"} ").unwrap();
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                (bound, count.parse().unwrap())
            })
            .collect();
        assert!(
            classes.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1),
            "{classes:?}"
        );
        let last = classes.last().unwrap();
        assert_eq!((last.0, last.1), (f64::INFINITY, page.value(&format!("{name}_count"))));
        assert!(page.value(&format!("{name}_sum")) >= 0.0);
    }
}

#[test]
fn callbacks_are_counted_by_event_outcome_and_verdict() {
    let notify = NotifyServer::start();
    let conf =
        conf("on_publish {callback}/p; on_play {callback}/q timeout=300ms;").var("callback", notify.url(""));
    let server = Server::start(&conf);
    let _publisher = Publisher::start(server.rtmp, "s");
    notify.answer("call=play", Answer::Status(403));
    RtmpClient::play(server.rtmp, "live", "s").wait_end();
    let page = || Page::get(&server, "/metrics");
    let refused = "pingosd_callbacks_total{event=\"play\",stage=\"start\",outcome=\"refused\"}";
    until_true("the refusal is counted", || page().samples().contains_key(refused));
    let page = page();
    for (name, value) in [
        (refused, 1.0),
        ("pingosd_callbacks_total{event=\"publish\",stage=\"start\",outcome=\"answered\"}", 1.0),
        ("pingosd_callback_verdicts_total{event=\"publish\",verdict=\"allow\"}", 1.0),
        ("pingosd_callback_verdicts_total{event=\"play\",verdict=\"refuse\"}", 1.0),
        ("pingosd_callback_duration_seconds_count{event=\"publish\"}", 1.0),
        ("pingosd_callback_duration_seconds_bucket{event=\"publish\",le=\"+Inf\"}", 1.0),
    ] {
        assert_eq!(page.value(name), value, "{name}");
    }
}

#[test]
fn relays_are_counted_by_direction() {
    let target = Server::start(&Conf::live(""));
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!("push rtmp://127.0.0.1:{}/live; push rtmp://127.0.0.1:{dead}/live;", target.rtmp);
    let server = Server::start(&conf(&text));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let value = |name: &str| Page::get(&server, "/metrics").value(&format!("{name}{{direction=\"push\"}}"));
    until_true("one relay works", || value("pingosd_relays_started_total") == 1.0);
    until_true("the other one fails", || value("pingosd_relays_failed_total") >= 1.0);
    assert!(value("pingosd_relay_attempts_total") >= 2.0 && value("pingosd_relays") >= 1.0);
    assert_eq!(Page::get(&server, "/metrics").value("pingosd_relay_attempts_total{direction=\"pull\"}"), 0.0);
    feed.stop().leave();
}

#[test]
fn reloads_are_counted_by_outcome_and_no_counter_falls() {
    let server = Server::start(&conf("cache_time 1s;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    player.wait_frame(publisher.send(2 * GOP));
    let before = Page::get(&server, "/metrics");
    drop(player);
    server.reload(&conf("cache_time 2s;"));
    server.rewrite(&conf("no_such_directive;"));
    assert!(!server.run(&["-s", "reload"]).status.success());
    until_true("the refusal shows", || Page::get(&server, "/metrics").value("pingosd_config_refused") == 1.0);
    let page = Page::get(&server, "/metrics");
    assert_eq!(page.value("pingosd_reloads_total{outcome=\"applied\"}"), 1.0);
    assert_eq!(page.value("pingosd_reloads_total{outcome=\"refused\"}"), 1.0);
    assert_eq!(page.value("pingosd_config_generation"), 2.0);
    let after = page.samples();
    server.reload(&conf("cache_time 2s;"));
    until_true("the refusal is gone", || {
        Page::get(&server, "/metrics").value("pingosd_config_refused") == 0.0
    });
    for (name, value) in before.samples() {
        let is_counter = ["_total", "_bucket", "_count", "_sum"]
            .iter()
            .any(|end| name.split('{').next().unwrap().ends_with(end));
        assert!(!is_counter || after[name] >= value, "{name} was {value} and is {}", after[name]);
    }
}

#[test]
fn only_so_many_streams_have_series_and_their_names_change_no_line() {
    let server = Server::start(&conf(""));
    let names = [
        "a\"} 1\nevil{x=\"".to_owned(),
        "b\\\"".to_owned(),
        "c\u{1}\r\u{7f}".to_owned(),
        "n".repeat(10_000),
        format!("{}x", "n".repeat(10_000)),
        "last".to_owned(),
    ];
    let mut publishers: Vec<Publisher> = names
        .iter()
        .map(|name| {
            let purpose = ClientPurpose::Publish { name: name.clone().into() };
            let settings = support::rtmp::settings(server.rtmp, "live", purpose);
            Publisher::with(RtmpClient::open(server.rtmp, settings), Tracks::Both)
        })
        .collect();
    // It has the most clients.
    let players: Vec<Player> = (0..3).map(|_| Player::start(server.rtmp, "last")).collect();
    let last = publishers.last_mut().unwrap().send(GOP);
    players.iter().for_each(|player| player.wait_frame(last));
    let page = Page::get(&server, "/top");
    let clients: Vec<&str> =
        page.0.lines().filter(|line| line.starts_with("pingosd_stream_clients{")).collect();
    assert_eq!(clients.len(), 3, "{clients:#?}");
    let series = |stream: &str| format!("{{server=\"default\",app=\"live\",stream=\"{stream}\"}}");
    assert_eq!(page.value(&format!("pingosd_stream_clients{}", series("last"))), 4.0);
    assert_eq!(page.value(&format!("pingosd_stream_published{}", series("last"))), 1.0);
    assert_eq!(page.value(&format!("pingosd_stream_clients{}", series("a\\\"} 1?evil{x=\\\""))), 1.0);
    let frames = "pingosd_stream_frames_received_total{server=\"default\",app=\"live\",stream=\"last\",kind=\"video\"}";
    assert_eq!(page.value(frames), 15.0);
    let page = Page::get(&server, "/all");
    let long = series(&"n".repeat(128));
    assert_eq!(
        page.value(&format!("pingosd_stream_clients{long}")),
        2.0,
        "two names with the same beginning"
    );
    // Every line is one of a metric, whatever a stream is called, and no series stands twice.
    for line in page.0.lines() {
        assert!(line.starts_with("# ") || line.starts_with("pingosd_"), "{line:?}");
        assert!(line.len() < 1000 && !line.contains(char::is_control), "{line:?}");
    }
    let all = page.0.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(all, page.samples().len());
    publishers.clear();
}

#[test]
fn open_metrics_is_for_those_who_ask_for_it() {
    let server = Server::start(&conf(""));
    let response = http::get_with(server.http, "/metrics", OPEN_METRICS);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.header("content-type"), Some(kind));
    let text = response.text();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    // Names of counters without `_total`, units at the end of names.
    assert!(text.contains("# TYPE pingosd_sent_bytes counter\n# UNIT pingosd_sent_bytes bytes\n"), "{text}");
    assert!(text.contains("\npingosd_sent_bytes_total 0\n"), "{text}");
    let head = http::request(server.http, "HEAD", "/metrics", "");
    assert_eq!((head.status(), head.text().as_str()), (200, ""));
    assert_eq!(http::request(server.http, "POST", "/metrics", "Content-Length: 0\r\n").status(), 405);
}

#[test]
fn every_metric_is_described_and_none_else() {
    let server = Server::start(&conf(""));
    let _publisher = Publisher::start(server.rtmp, "s");
    let page = Page::get(&server, "/top");
    let described = documented();
    let described: BTreeSet<(&str, &str)> =
        described.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    assert_eq!(page.types(), described);
}

/// Metrics and their types in docs/metrics.md.
fn documented() -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(project().join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `pingosd_"));
    rows.flat_map(|row| {
        let mut cells = row.split(" | ");
        let (names, kind) = (cells.next().unwrap(), cells.next().unwrap().to_owned());
        let names = names.split('`').skip(1).step_by(2);
        names.map(move |name| (name.split('{').next().unwrap().to_owned(), kind.clone())).collect::<Vec<_>>()
    })
    .collect()
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn dashboard_and_alerts_use_metrics_that_exist() {
    let described: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
    for file in ["packaging/grafana/pingosd.json", "packaging/prometheus/pingosd-alerts.yml"] {
        let text = fs::read_to_string(project().join(file)).unwrap();
        let mut used = BTreeSet::new();
        for (at, _) in text.match_indices("pingosd_") {
            let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap();
            used.insert(text[at..at + end].trim_end_matches("_bucket"));
        }
        assert!(used.len() > 10, "{file} uses {used:?}");
        for name in used {
            assert!(described.contains(name), "{file} uses {name}");
        }
    }
    let text = fs::read_to_string(project().join("packaging/grafana/pingosd.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
}

/// promtool of Debian's package `prometheus`, unless it is missing.
fn promtool(arguments: &[&str], input: &[u8]) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.current_dir(project()).spawn() else {
        eprintln!("left out: promtool is missing (Debian package prometheus)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn promtool_accepts_metrics_and_alert_rules() {
    let notify = NotifyServer::start();
    let conf = conf("on_publish {callback}/p;").var("callback", notify.url(""));
    let server = Server::start(&conf);
    let _publisher = Publisher::start(server.rtmp, "s\"\\\n");
    for target in ["/metrics", "/top"] {
        let page = Page::get(&server, target);
        let Some((accepted, text)) = promtool(&["check", "metrics"], page.0.as_bytes()) else { return };
        assert!(accepted && text.is_empty(), "{text}\n{}", page.0);
    }
    let rules = "packaging/prometheus/pingosd-alerts.yml";
    for arguments in [["check", "rules", rules], ["test", "rules", "tests/metrics/alerts.yml"]] {
        let (accepted, text) = promtool(&arguments, b"").unwrap();
        assert!(accepted, "{text}");
    }
}

#[test]
fn a_wrong_argument_is_refused() {
    for (argument, complaint) in [("top=1001", "up to 1000"), ("top=", "up to 1000"), ("all", "up to 1000")] {
        let prefix = support::server::Prefix::new();
        let conf = conf("")
            .http(&format!("server {{ listen 127.0.0.1:1; location / {{ rtmp_metrics {argument}; }} }}"));
        prefix.write("conf/pingosd.conf", conf.text(1935, 8080, prefix.path()));
        let told = prefix.command().arg("-t").output().unwrap();
        let text = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(!told.status.success() && text.contains(complaint), "{text}");
        assert!(text.contains(&format!("invalid parameter \"{argument}\"")), "{text}");
    }
}
