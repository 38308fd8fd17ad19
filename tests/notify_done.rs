//! `done` is sent at least once, even if the callback server is unreachable, and every start has one verdict.

mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use nix::sys::signal::Signal;
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
fn a_callback_server_that_is_killed_and_restarted_misses_no_end() {
    let notify = NotifyServer::start();
    let server = Server::start(&conf(&notify.url(""), "on_publish {callback}/ stage=start,done;"));
    let publish = |n: usize| RtmpClient::publish(server.rtmp, "live", &format!("s{n}"));
    let before: Vec<RtmpClient> = (0..SESSIONS / 2).map(publish).collect();
    let mut before: Vec<RtmpClient> = before.into_iter().map(RtmpClient::wait_started).collect();
    notify.kill();
    // Half of them end while no callback server listens; as many others arrive, and are refused for lack of an answer.
    before.drain(..SESSIONS / 4).for_each(RtmpClient::leave);
    for mut refused in (SESSIONS / 2..SESSIONS).map(publish) {
        refused.wait_status("NetStream.Publish.Forbidden");
        refused.wait_end();
        let verdicts = std::iter::from_fn(|| refused.poll_event()).count();
        assert_eq!(verdicts, 0, "there is one verdict");
    }
    assert!(notify.requests_of("act=done").is_empty());
    notify.restart();
    before.into_iter().for_each(RtmpClient::leave);
    until_true("every end has come", || by_session(&notify, "act=done").len() == SESSIONS);
    let starts = by_session(&notify, "act=start");
    assert_eq!(starts.len(), SESSIONS / 2);
    assert!(starts.values().all(|count| *count == 1), "a start has one verdict");
    let ends = by_session(&notify, "act=done");
    assert!(starts.keys().all(|session| ends.contains_key(session)));
    let names: HashSet<String> =
        notify.requests_of("act=done").iter().map(|request| request.value("name").to_owned()).collect();
    assert_eq!(names.len(), SESSIONS);
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
fn a_repeated_end_keeps_its_number_and_no_other_request_has_it() {
    let notify = NotifyServer::start();
    let lines = "on_publish {callback}/ stage=start,update,done update=50ms args=id=$notify_id;";
    let server = Server::start(&conf(&notify.url(""), lines).rtmp("notify_request_id on;"));
    let publisher = Publisher::start(server.rtmp, "s");
    notify.wait_count("act=update", 2);
    notify.answer("act=done", Answer::Drop);
    publisher.leave();
    let ends = notify.wait_count("act=done", 3);
    let requests = notify.requests();
    for request in &requests {
        let header = request
            .headers
            .iter()
            .find_map(|line| line.to_lowercase().strip_prefix("x-request-id: ").map(str::to_owned));
        assert_eq!(header.as_deref(), Some(request.value("id")), "{request:?}");
        assert_eq!(request.value("id").len(), 32);
    }
    assert!(ends.iter().all(|end| end.value("id") == ends[0].value("id")));
    let others: Vec<&str> =
        requests.iter().filter(|r| r.value("act") != "done").map(|r| r.value("id")).collect();
    let distinct: HashSet<&str> = others.iter().copied().chain([ends[0].value("id")]).collect();
    assert_eq!(distinct.len(), others.len() + 1);
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
    // What follows the first line soon is counted only.
    assert!(!server.log_lines("notify publish done: no answer").is_empty());
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
fn endless_and_huge_answers_are_read_within_bounds() {
    // A server that answers with 1 MiB of headers, and one with an endless body.
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
