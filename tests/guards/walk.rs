//! Every row that restricts, at every place where it may stand.

use std::collections::BTreeSet;

use pingosd::directive::context::{APPLICATION, RTMP, RTMP_SERVER};
use pingosd::directive::context::{HTTP, HTTP_SERVER, LIMIT_EXCEPT, LOCATION, LOCATION_IF, SERVER_IF};
use pingosd::directive::{Contexts, Inherit, Row};
use pingosd::wire::MediaKind;

use crate::support::http::{get, request};
use crate::support::server::Prefix;
use crate::support::wait::until_true;
use crate::support::{Answer, Conf, End, NotifyServer, Publisher, RtmpClient, Server};

/// A line of http that refuses `/f.txt`, at each place of its row.
struct Web {
    /// Module and name of its row; those of a block with its first place.
    row: &'static str,
    line: &'static str,
    /// How it refuses.
    status: u16,
}

const fn web(row: &'static str, line: &'static str, status: u16) -> Web {
    Web { row, line, status }
}

const WEB: &[Web] = &[
    web("http/allow", "deny all;", 403),
    web("http/client_max_body_size", "client_max_body_size 1;", 413),
    web("http/internal", "internal;", 404),
    web("rewrite/return", "return 403;", 403),
    web("http auth/auth_basic", "auth_basic OFF; auth_basic_user_file users;", 401),
    web("auth request/auth_request", "auth_request /none;", 500),
    web("http core/max_headers", "max_headers 0;", 400),
    web("http core/limit_except in location", "limit_except GET { deny all; }", 403),
    web("http static/try_files", "try_files /none.txt =404;", 404),
    web("referer/valid_referers", "valid_referers a.test; if ($invalid_referer) { return 403; }", 403),
    web("rewrite/if in http server", "if ($request_method = POST) { return 403; }", 403),
    web("rewrite/if in location", "if ($remote_addr ~ ^127) { return 403; }", 403),
];

/// Rows of rtmp, each with what refuses a publisher or a player.
const SESSIONS: &[(&str, fn())] = &[
    ("access/allow", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            for action in ["publish", "play"] {
                let server = Server::start(&at(place, &format!("deny {action} all;")));
                assert_refused(&server, action);
            }
        }
    }),
    ("live/live", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            let application = if place == APPLICATION { "live off;" } else { "" };
            let mut conf = Conf::new(&format!(
                "{} application live {{ {application} }}",
                if place == RTMP_SERVER { "live off;" } else { "" }
            ));
            if place == RTMP {
                conf = conf.rtmp("live off;");
            }
            let server = Server::start(&conf);
            assert_refused(&server, "publish");
            assert_refused(&server, "play");
        }
    }),
    ("live/idle_streams", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            assert_refused(&Server::start(&at(place, "idle_streams off;")), "play");
        }
    }),
    ("notify/on_connect", || asked("call=connect act=start", "publish", &["on_connect", "oclp_connect"])),
    ("notify/on_play", || asked("call=play act=start", "play", &["on_play", "oclp_play"])),
    ("notify/on_publish", || asked("call=publish act=start", "publish", &["on_publish", "oclp_publish"])),
    ("notify/on_pull", || asked("call=pull act=start", "play", &["on_pull", "oclp_pull"])),
    ("notify/on_push", || asked("call=push act=start", "publish", &["on_push", "oclp_push"])),
    // Of these two, only the older kind cuts.
    ("notify/on_stream", || asked("call=stream act=start", "publish", &["oclp_stream"])),
    ("session limit/max_bitrate", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            let server = Server::start(&at(place, "max_bitrate 8k grace=0s;"));
            let mut publisher = Publisher::start(server.rtmp, "s");
            until_true("the publisher is refused", || {
                publisher
                    .client
                    .session
                    .send_media(MediaKind::Video, 0, &bytes::Bytes::from(vec![0x27; 9_000]))
                    .unwrap();
                publisher.client.flush();
                publisher.client.end().is_some()
            });
            server.wait_log("are above max_bitrate 8000");
        }
    }),
    ("session limit/max_publishers", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            let server = Server::start(&at(place, "max_publishers 1;"));
            let first = RtmpClient::publish(server.rtmp, "live", "first").wait_started();
            assert_refused(&server, "publish");
            first.leave();
        }
    }),
    ("session limit/max_viewers", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            let server = Server::start(&at(place, "max_viewers 1;"));
            let first = RtmpClient::play(server.rtmp, "live", "s").wait_started();
            assert_refused(&server, "play");
            first.leave();
        }
    }),
    ("rtmp/max_connections", || {
        for place in [RTMP, RTMP_SERVER, APPLICATION] {
            let server = Server::start(&at(place, "max_connections 1;"));
            let first = RtmpClient::publish(server.rtmp, "live", "first").wait_started();
            assert_refused(&server, "publish");
            first.leave();
        }
    }),
];

/// Rows whose refusals other tests show: the file and the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "cluster/registry_down",
        include_str!("../cluster_etcd.rs"),
        "fn sessions_stay_without_etcd_and_names_are_right_after_its_return()",
    ),
    ("http core/disable_symlinks", include_str!("../http_access.rs"), "fn what_restricts_refuses()"),
    ("limit/limit_conn", include_str!("../reload_walk/limit.rs"), "\"limit/limit_conn_status\""),
    ("limit/limit_req", include_str!("../http_access.rs"), "fn what_restricts_refuses()"),
    (
        "hls2/hls2_session_bind",
        include_str!("../ts_hls/memory.rs"),
        "fn sessions_are_bound_to_address_and_arguments_where_that_is_wanted()",
    ),
    (
        "ssl/ssl_ocsp",
        include_str!("../tls_ocsp.rs"),
        "fn clients_whose_certificates_are_revoked_unknown_or_not_looked_up_are_refused()",
    ),
    (
        "ssl/ssl_verify_client",
        include_str!("../tls.rs"),
        "fn certificates_of_clients_matter_over_tls_only_and_where_they_are_required()",
    ),
];

fn restricting() -> impl Iterator<Item = (String, &'static Row)> {
    crate::rows().filter(|(_, row)| row.restricts.is_some())
}

fn row(name: &str) -> &'static Row {
    let found = restricting().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("{name} is no row that restricts")).1
}

#[test]
fn every_row_that_restricts_is_walked() {
    let wanted: BTreeSet<String> = restricting().map(|(name, _)| name).collect();
    let web = WEB.iter().map(|case| case.row);
    let sessions = SESSIONS.iter().map(|(row, _)| *row);
    let elsewhere = ELSEWHERE.iter().map(|(row, ..)| *row);
    let walked: BTreeSet<String> = web.chain(sessions).chain(elsewhere).map(str::to_owned).collect();
    let missing: Vec<_> = wanted.difference(&walked).collect();
    let needless: Vec<_> = walked.difference(&wanted).collect();
    assert!(missing.is_empty(), "rows that restrict without a request that is refused: {missing:?}");
    assert!(needless.is_empty(), "no such rows: {needless:?}");
    for (row, file, test) in ELSEWHERE {
        assert!(file.contains(test), "{row}: {test} is gone");
    }
}

#[test]
fn sessions_are_refused() {
    for (_, refuses) in SESSIONS {
        refuses();
    }
}

/// What refuses players over RTMP refuses those over HTTP as well.
#[test]
fn players_over_http_meet_the_rules_of_their_application() {
    const LOCATIONS: &str =
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }
                             location /hls2 { hls2_live {rtmp_port} app=live; }";
    let notify = NotifyServer::start();
    notify.answer("call=play act=start", Answer::Status(403));
    let asks = format!("on_play {};", notify.url("/"));
    let made = "hls2 on; mpegts_cache_time 1s;";
    for (name, conf, status) in [
        ("deny in rtmp", Conf::live(made).rtmp("deny play all;"), 403),
        ("deny in server", Conf::new(&format!("deny play all; application live {{ live on; {made} }}")), 403),
        ("deny", Conf::live(&format!("{made} deny play 127.0.0.0/8;")), 403),
        ("on_play", Conf::live(&format!("{made} {asks}")), 403),
        ("live off", Conf::new(&format!("application live {{ live off; {made} }}")), 404),
    ] {
        let server = Server::start(&conf.http_server(LOCATIONS));
        for target in ["/flv/s", "/ts/s.ts", "/hls2/s.m3u8"] {
            let mut answer = get(server.http, target);
            // A master playlist only names the media playlist, at which the session begins.
            if answer.status() == 200 && target.ends_with(".m3u8") {
                let text = answer.text();
                let media = text
                    .lines()
                    .find(|line| !line.starts_with('#'))
                    .unwrap_or_else(|| panic!("{name}: {text}"));
                answer = get(server.http, &format!("/hls2/{}", media.trim_start_matches("/hls2/")));
            }
            assert_eq!(answer.status(), status, "{name} {target}");
        }
    }
}

#[test]
fn requests_are_refused_wherever_the_line_may_stand() {
    for Web { row: name, line, status } in WEB {
        let row = row(name);
        let places = [HTTP, HTTP_SERVER, SERVER_IF, LOCATION, LOCATION_IF, LIMIT_EXCEPT];
        for place in places.into_iter().filter(|place| row.contexts & place != 0) {
            assert_refuses(name, &conf(place, line, false), *status);
            // What is inherited also restricts the blocks inside.
            if matches!(place, HTTP | HTTP_SERVER | LOCATION)
                && row.inherit == Inherit::Nearest
                && !line.contains("if (")
                && row.class != pingosd::directive::ReloadClass::Block
                || place == SERVER_IF
            {
                assert_refuses(name, &conf(place, line, true), *status);
            }
        }
    }
}

#[track_caller]
fn assert_refuses(row: &str, conf: &Conf, status: u16) {
    let prefix = Prefix::new();
    prefix.write("html/f.txt", "text");
    let server = Server::start_in(prefix, conf);
    let refused = request(server.http, "POST", "/f.txt", "Content-Length: 2\r\n");
    // Files take no POST, so what refuses must say so in its own way.
    assert_eq!(refused.status(), status, "{row}");
    if !matches!(status, 413)
        && !matches!(row, "http core/limit_except in location" | "rewrite/if in http server")
    {
        assert_eq!(get(server.http, "/f.txt").status(), status, "{row}");
    }
}

/// A configuration with a line at that place; `inner`: what is asked for is in a location further inside.
fn conf(place: Contexts, line: &str, inner: bool) -> Conf {
    let location = if inner { "location /f { location /f.t { root html; } }" } else { "" };
    let (mut http, mut server) = (String::new(), format!("root html; {location}"));
    match place {
        HTTP => http += line,
        HTTP_SERVER => server += line,
        SERVER_IF => server += &format!("if ($request_uri) {{ {line} }}"),
        LOCATION if inner => server = format!("location /f {{ {line} location /f.t {{ root html; }} }}"),
        LOCATION => server += &format!("location /f {{ {line} }}"),
        LOCATION_IF => server += &format!("location /f {{ if ($request_uri) {{ {line} }} }}"),
        LIMIT_EXCEPT => server += &format!("location /f {{ limit_except PUT {{ {line} }} }}"),
        _ => unreachable!("{place}"),
    }
    Conf::live("").http(&http).http_server(&server)
}

/// A line at a place of rtmp.
fn at(place: Contexts, line: &str) -> Conf {
    match place {
        RTMP => Conf::live("").rtmp(line),
        RTMP_SERVER => Conf::new(&format!("{line} application live {{ live on; }}")),
        _ => Conf::live(line),
    }
}

/// A callback that is refused, under each of its names.
fn asked(call: &str, action: &str, names: &[&str]) {
    for name in names {
        let notify = NotifyServer::start();
        notify.answer(call, Answer::Status(403));
        let line = format!("{name} {};", notify.url("/"));
        let place = if row_of(name).contexts & APPLICATION == 0 { RTMP_SERVER } else { APPLICATION };
        assert_refused(&Server::start(&at(place, &line)), action);
        notify.wait(call);
    }
}

fn row_of(name: &str) -> &'static Row {
    restricting().find(|(_, row)| row.names.contains(&name)).unwrap().1
}

/// A publisher or a player does not stay.
#[track_caller]
fn assert_refused(server: &Server, action: &str) {
    let mut client = match action {
        "publish" => RtmpClient::publish(server.rtmp, "live", "s"),
        _ => RtmpClient::play(server.rtmp, "live", "s"),
    };
    let end: End = client.wait_end();
    drop(end);
}
