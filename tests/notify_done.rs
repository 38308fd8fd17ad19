//! `done` is sent at least once, even if the callback server is unreachable, and every start has one verdict.

mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::frame::GOP;
use support::server::free_port;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server};

const SESSIONS: usize = 200;

/// An application `live` with these callback lines, in which `{callback}` is the address of `notify`.
fn start(notify: &NotifyServer, lines: &str) -> Server {
    Server::start(&Conf::live(lines).with_flv().var("callback", notify.url("")))
}

fn publish(server: &Server) -> RtmpClient {
    RtmpClient::publish(server.rtmp, "live", "s")
}

fn play(server: &Server) -> RtmpClient {
    RtmpClient::play(server.rtmp, "live", "s")
}

/// Goes on until publish is on its way.
fn shake_hands(mut client: RtmpClient) -> RtmpClient {
    until_true("publish was sent", || {
        client.read(Duration::from_millis(50));
        client.session.stream_id() != 0
    });
    client
}

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

#[test]
fn done_is_sent_when_the_connection_is_reset() {
    let notify = NotifyServer::start();
    let server = start(
        &notify,
        "on_publish {callback}/ stage=done; on_play {callback}/ stage=done; on_stream {callback}/ stage=done;",
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let web = Player::http(server.http, "/flv/s.flv");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    web.wait("the response has begun", |got| got.head.as_ref().map(drop));
    player.reset();
    web.reset();
    publisher.reset();
    notify.wait_count("call=play act=done", 2);
    notify.wait("call=publish act=done");
    notify.wait("call=stream act=done");
}

#[test]
fn done_is_sent_when_a_client_leaves_before_the_answer() {
    let notify = NotifyServer::start();
    notify.answer("act=start", Answer::Late(Duration::from_millis(300), 200));
    let server = start(&notify, "on_publish {callback}/ stage=done; on_play {callback}/ stage=done;");
    let publisher = shake_hands(publish(&server));
    let player = shake_hands(play(&server));
    let web = Player::http(server.http, "/flv/s.flv");
    notify.wait_count("act=start", 3);
    publisher.reset();
    player.leave();
    drop(web);
    notify.wait_count("act=done", 3);
    // A player over HTTP that leaves before there is any media.
    let web = Player::http(server.http, "/flv/none.flv");
    server.wait_log("play: name='none'");
    drop(web);
    notify.wait_count("act=done name=none", 1);
    let acts = |act: &str| {
        let requests = notify.requests_of(&format!("act={act}"));
        let mut ids: Vec<String> =
            requests.iter().map(|request| request.value("clientid").to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(acts("start"), acts("done"));
}

#[test]
fn no_update_follows_the_done() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_play {callback}/ stage=update,done update=20ms;");
    for _ in 0..10 {
        let player = play(&server).wait_started();
        let updates = notify.requests_of("act=update").len();
        notify.wait_count("act=update", updates + 2);
        player.leave();
    }
    notify.wait_count("act=done", 10);
    let requests = notify.requests();
    for done in requests.iter().enumerate().filter(|(_, request)| request.value("act") == "done") {
        let (at, id) = (done.0, done.1.value("clientid"));
        assert!(requests[at + 1..].iter().all(|later| later.value("clientid") != id), "connection {id}");
    }
}

#[test]
fn done_is_sent_when_the_server_is_stopped() {
    let notify = NotifyServer::start();
    // Late answers: the process has to wait for them.
    notify.answer("act=done", Answer::Late(Duration::from_millis(300), 200));
    let mut server = start(&notify, "on_publish {callback}/ stage=done; on_play {callback}/ stage=done;");
    let _publisher = Publisher::start(server.rtmp, "s");
    let players: Vec<Player> = (0..5).map(|_| Player::start(server.rtmp, "s")).collect();
    assert!(server.stop().success());
    assert_eq!(notify.requests_of("call=publish act=done").len(), 1);
    assert_eq!(notify.requests_of("call=play act=done").len(), players.len());
}

#[test]
fn a_hanging_callback_server_does_not_hold_up_the_stop_for_long() {
    let notify = NotifyServer::start();
    notify.answer("act=done", Answer::Silent);
    let mut server = start(&notify, "on_publish {callback}/ stage=done timeout=1h;");
    let _publisher = Publisher::start(server.rtmp, "s");
    assert!(server.stop().success());
    assert_eq!(notify.requests_of("act=done").len(), 1);
}

#[test]
fn an_encoder_that_comes_and_goes_fast_gets_each_start_and_done() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_publish {callback}/ stage=done; on_stream {callback}/ stage=done;");
    for _ in 0..20 {
        let client = shake_hands(publish(&server));
        client.reset();
    }
    notify.wait_count("call=publish act=start", 20);
    notify.wait_count("call=publish act=done", 20);
    let count = notify.requests_of("call=stream act=start").len();
    notify.wait_count("call=stream act=done", count);
    let ids = |act: &str| {
        let mut ids: Vec<String> = notify
            .requests_of(&format!("call=publish act={act}"))
            .iter()
            .map(|request| request.value("clientid").to_owned())
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(ids("start"), ids("done"));
}
