//! Answers that no callback server should give: each has a documented verdict and a line in the log that names the
//! callback and the reason.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server};

/// A server that does what it likes with each connection, once the request was read.
fn hostile(act: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let act = act.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                act(stream);
            });
        }
    });
    url
}

/// Writes this, again and again, until the other side has enough.
fn flood(mut stream: &TcpStream, text: &[u8]) {
    for _ in 0..64 * 1024 {
        if stream.write_all(text).is_err() {
            return;
        }
    }
}

fn start(url: &str, lines: &str) -> Server {
    Server::start(&Conf::live(lines).var("callback", url))
}

/// A publisher is refused, and the log says why.
#[track_caller]
fn assert_refused(server: &Server, why: &str) {
    let mut publisher = RtmpClient::publish(server.rtmp, "live", "s");
    publisher.wait_status("NetStream.Publish.Forbidden");
    publisher.wait_end();
    until_true("the reason is in the log", || {
        server.log_lines(why).iter().any(|line| {
            line.contains("[error]")
                && line.contains("notify publish start")
                && line.contains("pingosd.conf:")
        })
    });
    assert!(server.resident() < 256 << 20);
}

#[test]
fn what_is_not_http_refuses() {
    let url = hostile(|stream| drop((&stream).write_all(b"SSH-2.0-OpenSSH_9.7\r\nwhat?\r\n\r\n")));
    assert_refused(&start(&url, "on_publish {callback}/cb;"), "it is not HTTP");
}

#[test]
fn an_answer_that_is_cut_off_refuses() {
    let url = hostile(|stream| {
        drop((&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-"));
        drop(stream.shutdown(Shutdown::Both));
    });
    assert_refused(&start(&url, "on_publish {callback}/cb;"), "the connection was closed");
}

#[test]
fn a_header_of_a_mebibyte_refuses() {
    let url = hostile(|stream| {
        drop((&stream).write_all(b"HTTP/1.1 200 OK\r\nX-Long: "));
        flood(&stream, &[b'a'; 1024]);
    });
    assert_refused(&start(&url, "on_publish {callback}/cb;"), "its header is too large");
    let url = hostile(|stream| {
        drop((&stream).write_all(b"HTTP/1.1 200 OK\r\n"));
        flood(&stream, b"X-Many: field\r\n");
    });
    assert_refused(&start(&url, "on_publish {callback}/cb;"), "its header is too large");
}

#[test]
fn a_server_that_drips_is_given_up_when_the_time_is_over() {
    let url = hostile(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        // Never silent for long, and never done: the time counts from the first byte to the last.
        while stream.write_all(b"X: y\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_refused(&start(&url, "on_publish {callback}/cb timeout=500ms;"), "timed out");
}

#[test]
fn the_status_counts_whatever_the_body_is() {
    let bodies: [&[u8]; 4] = [
        // Declared as compressed, but is not.
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        // A chunk that is none.
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        // Shorter than it says.
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nshort",
        // Nothing says where it ends.
        b"HTTP/1.0 200\r\n\r\nbody",
    ];
    for body in bodies {
        let url = hostile(move |stream| drop((&stream).write_all(body)));
        Publisher::start(start(&url, "on_publish {callback}/cb;").rtmp, "s").leave();
    }
    let url = hostile(|stream| {
        drop((&stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
        flood(&stream, &[b'x'; 4096]);
    });
    let server = start(&url, "on_publish {callback}/cb;");
    for n in 0..20 {
        Publisher::start(server.rtmp, &format!("s{n}")).leave();
    }
    assert!(server.resident() < 256 << 20);
}

#[test]
fn a_location_that_cannot_be_followed_is_named_and_asked_for_again() {
    let long = format!("rtmp://127.0.0.1/live/{}", "a".repeat(64 * 1024));
    let locations = [
        ("", "without Location"),
        ("ftp://127.0.0.1/live/s", "it is neither"),
        ("rtmp://user:secret@127.0.0.1/live/s", "it has a user before the host"),
        ("rtmp://127.0.0.1:0/live/s", "\"0\" is no port"),
        ("rtmp://127.0.0.1:99999/live/s", "\"99999\" is no port"),
        ("rtmp://[::1/live/s", "it has no valid host"),
        ("rtmp://[not:an:address]/live/s", "it has no valid host"),
        (&long, "bytes long"),
    ];
    let notify = NotifyServer::start();
    let retry = "failed_reconnect 20ms; relay_reconnect 100ms;";
    let server =
        start(&notify.url(""), &format!("{retry} on_push {{callback}}/push stage=done; idle_streams on;"));
    let pulling = start(&notify.url(""), &format!("{retry} on_pull {{callback}}/pull stage=done;"));
    for (location, why) in locations {
        let header = if location.is_empty() { String::new() } else { format!("Location: {location}\r\n") };
        let answer = format!("HTTP/1.1 301 Moved\r\n{header}Content-Length: 0\r\n\r\n");
        notify.answer("act=start", Answer::Raw(answer.into_bytes()));
        // The publisher never notices, a player waits; it is asked again.
        let seen = (
            notify.requests_of("call=push act=start").len(),
            notify.requests_of("call=pull act=start").len(),
        );
        let publisher = Publisher::start(server.rtmp, "s");
        let player = Player::start(pulling.rtmp, "s");
        notify.wait_count("call=push act=start", seen.0 + 2);
        notify.wait_count("call=pull act=start", seen.1 + 2);
        for server in [&server, &pulling] {
            until_true("the reason is in the log", || {
                server.log_lines(why).iter().any(|line| line.contains("pingosd.conf:"))
            });
        }
        drop(player);
        publisher.leave();
        server.wait_log("stopped publishing 's'");
    }
    assert!(server.log().lines().chain(pulling.log().lines()).all(|line| line.len() < 8192));
}

#[test]
fn a_location_with_an_encoded_line_end_stays_encoded() {
    let notify = NotifyServer::start();
    let origin = Server::start(&Conf::live(""));
    let server = start(&notify.url(""), "on_push {callback}/push;");
    let location = format!("rtmp://127.0.0.1:{}/live/a%0d%0aX:%20y", origin.rtmp);
    let answer = format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    notify.answer("act=start", Answer::Raw(answer.into_bytes()));
    let _publisher = Publisher::start(server.rtmp, "s");
    origin.wait_log("publish: name='a%0d%0aX:%20y'");
    assert!(origin.log().lines().all(|line| line.starts_with("20")), "nobody can forge a line of the log");
}

#[test]
fn a_redirect_to_ourselves_is_refused_as_a_loop() {
    let notify = NotifyServer::start();
    let server =
        start(&notify.url(""), "on_pull {callback}/pull; failed_reconnect 20ms; relay_reconnect 100ms;");
    let location = format!("rtmp://127.0.0.1:{}/live/s", server.rtmp);
    let answer = format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    notify.answer("act=start", Answer::Raw(answer.into_bytes()));
    let _player = Player::start(server.rtmp, "s");
    server.wait_log("relay loop refused");
    assert!(server.resident() < 256 << 20);
}

#[test]
fn a_host_that_hangs_costs_its_own_sessions_only() {
    let (hanging, notify) = (NotifyServer::start(), NotifyServer::start());
    hanging.answer("act=start", Answer::Silent);
    let server = Server::start(
        &Conf::new(
            "application hang { live on; on_publish {hanging}/ timeout=1h; }
             application live { live on; on_publish {callback}/ stage=done; on_play {callback}/ stage=done; }",
        )
        .main("worker_rlimit_nofile 4096;")
        .var("hanging", hanging.url(""))
        .var("callback", notify.url("")),
    );
    let mut waiting: Vec<RtmpClient> =
        (0..150).map(|n| RtmpClient::publish(server.rtmp, "hang", &format!("h{n}"))).collect();
    for client in &mut waiting {
        until_true("publish was sent", || {
            client.read(Duration::from_millis(20));
            client.session.stream_id() != 0
        });
    }
    hanging.wait_count("act=start", 150);
    for n in 0..50 {
        Publisher::start(server.rtmp, &format!("s{n}")).leave();
    }
    notify.wait_count("call=publish act=done", 50);
    assert!(waiting.iter().all(|client| client.end().is_none()));
}

#[test]
fn updates_never_overlap_themselves() {
    let notify = NotifyServer::start();
    // Far slower than the interval.
    notify.answer("act=update", Answer::Late(Duration::from_millis(150), 200));
    let server = start(&notify.url(""), "on_publish {callback}/ stage=update update=10ms;");
    let _publisher = Publisher::start(server.rtmp, "s");
    let updates = notify.wait_count("act=update", 5);
    for pair in updates.windows(2) {
        let between = pair[1].at - pair[0].at;
        assert!(between >= Duration::from_millis(150), "the next one waits for the answer, not {between:?}");
    }
}
