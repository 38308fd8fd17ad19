//! Ends are told at least once, also when the callback server is away, and every start has one verdict.

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use hmac::{Hmac, Mac};
use nix::sys::signal::Signal;
use sha2::Sha256;
use support::server::free_port;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Publisher, RtmpClient, Server};

const SESSIONS: usize = 200;

fn conf(callback: &str, lines: &str) -> Conf {
    Conf::live(lines).var("callback", callback)
}

/// How often `act` came for each session.
fn by_session(notify: &NotifyServer, act: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for request in notify.requests_of(act) {
        *counts.entry(request.value("clientid").to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_callback_server_that_is_restarted_misses_no_end() {
    let notify = NotifyServer::start();
    let server = Server::start(&conf(&notify.url(""), "on_publish {callback}/ stage=start,done;"));
    let publish = |n: usize| RtmpClient::publish(server.rtmp, "live", &format!("s{n}"));
    let publishers: Vec<RtmpClient> = (0..SESSIONS).map(publish).collect();
    let publishers: Vec<RtmpClient> = publishers.into_iter().map(RtmpClient::wait_started).collect();
    assert_eq!(by_session(&notify, "act=start").len(), SESSIONS);
    // Away: connections are cut without an answer.
    notify.answer("act=done", Answer::Drop);
    for publisher in publishers {
        publisher.leave();
    }
    notify.wait_count("act=done", SESSIONS);
    let unheard = notify.requests_of("act=done").len();
    // Back again.
    notify.answer("act=done", Answer::Status(200));
    notify.wait_count("act=done", unheard + SESSIONS);
    let (starts, ends) = (by_session(&notify, "act=start"), by_session(&notify, "act=done"));
    assert!(starts.values().all(|count| *count == 1), "a start has one verdict");
    assert_eq!(starts.len(), ends.len());
    assert!(server.log_lines("given up").is_empty());
}

#[test]
fn without_retry_an_end_is_told_once() {
    let port = free_port();
    let server = Server::start(&conf(
        &format!("http://127.0.0.1:{port}"),
        "notify_done_retry 0; ignore_invalid_notify on; on_publish {callback}/ stage=start,done;",
    ));
    Publisher::start(server.rtmp, "s").leave();
    until_true("the end", || server.log_lines("notify publish done: no answer").len() == 1);
    assert!(server.log_lines("given up").is_empty(), "nothing was waited for");
}

#[test]
fn an_end_that_nobody_takes_notice_of_is_counted_as_lost() {
    let port = free_port();
    let server = Server::start(&conf(
        &format!("http://127.0.0.1:{port}"),
        "notify_done_retry 300ms; ignore_invalid_notify on; on_publish {callback}/ stage=start,done;",
    ));
    Publisher::start(server.rtmp, "s").leave();
    server.wait_log("notify publish done: given up, lost: 1, callback in ");
    assert!(server.log_lines("notify publish done: no answer").len() > 1);
}

#[test]
fn a_graceful_stop_waits_until_the_ends_are_told() {
    let notify = NotifyServer::start();
    let mut server = Server::start(&conf(&notify.url(""), "on_publish {callback}/ stage=start,done;"));
    let publisher = Publisher::start(server.rtmp, "s");
    notify.answer("act=done", Answer::Status(503));
    server.signal(Signal::SIGQUIT);
    publisher.leave();
    notify.wait_count("act=done", 2);
    assert!(server.is_running());
    notify.answer("act=done", Answer::Status(200));
    assert!(server.wait_exit().success());
}

#[test]
fn callbacks_are_signed_where_a_secret_is_configured() {
    let notify = NotifyServer::start();
    let secret = tempfile::NamedTempFile::new().unwrap();
    secret.as_file().write_all(b"a secret\n").unwrap();
    let conf = conf(&notify.url(""), "on_publish {callback}/cb?x=1;");
    let conf = conf.rtmp(&format!("notify_secret {};", secret.path().display()));
    let server = Server::start(&conf);
    let _publisher = Publisher::start(server.rtmp, "s");
    let request = notify.wait("call=publish act=start");
    let header = |name: &str| {
        let line = request.headers.iter().find(|line| line.to_ascii_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(": ")).expect("the header is there").1.to_owned()
    };
    let target = request.line.split(' ').nth(1).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a secret").unwrap();
    mac.update(format!("GET\n{target}\n{}", header("x-pingosd-time")).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(header("x-pingosd-signature"), format!("sha256={hex}"));
}

#[test]
fn endless_and_huge_answers_are_read_within_bounds() {
    // A server that answers with 1 MiB of headers, and one whose body does not end.
    for flood in ["x-a: ", "\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let mut stream = stream;
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{flood}").as_bytes());
                for _ in 0..1024 {
                    if stream.write_all(&[b'a'; 1024]).is_err() {
                        break;
                    }
                }
            }
        });
        let server = Server::start(&conf(&url, "ignore_invalid_notify on; on_publish {callback}/;"));
        Publisher::start(server.rtmp, "s").leave();
        assert!(server.resident() < 256 << 20);
    }
}
