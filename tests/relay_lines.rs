//! Callback lines of relays through reloads, and codec headers that come faster than callbacks are answered.

mod support;

use support::frame::{Tracks, video_header};
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Publisher, Server};

fn redirect(port: u16, name: &str) -> Answer {
    let text = format!(
        "HTTP/1.1 302 Found\r\nLocation: rtmp://127.0.0.1:{port}/live/{name}\r\nContent-Length: 0\r\n\r\n"
    );
    Answer::Raw(text.into_bytes())
}

fn conf(notify: &NotifyServer, lines: &str) -> Conf {
    let lines = lines.replace("{cb}", &notify.url(""));
    let lines = lines.replace("every", "stage=update,done update=50ms");
    Conf::live(&format!("failed_reconnect 20ms; relay_reconnect 200ms; {lines}"))
}

/// Number of requests of a stage to a path.
fn told(notify: &NotifyServer, path: &str, act: &str) -> usize {
    notify.requests_of(&format!("path={path} act={act}")).len()
}

fn wait_told(notify: &NotifyServer, path: &str, act: &str, more_than: usize) {
    until_true(&format!("{act} to {path}"), || told(notify, path, act) > more_than);
}

#[test]
fn a_changed_line_keeps_its_relay_and_the_rest_is_told_to_the_new_address() {
    for event in ["push", "meta"] {
        let notify = NotifyServer::start();
        let target = Server::start(&Conf::live(""));
        notify.answer("act=start", redirect(target.rtmp, "copy"));
        let server = Server::start(&conf(&notify, &format!("on_{event} {{cb}}/old every;")));
        let publisher = Publisher::start(server.rtmp, "s").keep_sending();
        server.wait_log("relay push started: 's'");
        wait_told(&notify, "/old", "update", 0);
        server.reload(&conf(&notify, &format!("on_{event} {{cb}}/new every;")));
        wait_told(&notify, "/new", "update", 0);
        // Once more: requests follow each reload.
        server.reload(&conf(&notify, &format!("on_{event} {{cb}}/third every args=x;")));
        wait_told(&notify, "/third", "update", 0);
        assert!(server.log_lines("relay push ended").is_empty());
        publisher.stop().leave();
        wait_told(&notify, "/third", "done", 0);
        let starts = notify.requests_of(&format!("call={event} act=start")).len();
        let done = notify.requests_of(&format!("call={event} act=done")).len();
        assert_eq!((starts, done), (1, 1), "{event}");
    }
}

#[test]
fn a_group_is_followed_a_removed_line_ends_and_an_added_one_starts() {
    for event in ["push", "meta"] {
        let notify = NotifyServer::start();
        let target = Server::start(&Conf::live(""));
        for name in ["a", "b", "c"] {
            notify.answer(&format!("act=start groupid={name}"), redirect(target.rtmp, name));
        }
        let line = |path: &str, group: &str| format!("on_{event} {{cb}}/{path} groupid={group} every;\n");
        let server = Server::start(&conf(&notify, &[line("one", "a"), line("two", "b")].concat()));
        let publisher = Publisher::start(server.rtmp, "s").keep_sending();
        wait_told(&notify, "/one", "update", 0);
        wait_told(&notify, "/two", "update", 0);
        // b moves to the front under another address, a goes, c comes.
        server.reload(&conf(&notify, &[line("four", "b"), line("three", "c")].concat()));
        wait_told(&notify, "/four", "update", 0);
        wait_told(&notify, "/three", "update", 0);
        wait_told(&notify, "/one", "done", 0);
        wait_told(&notify, "/three", "start", 0);
        server.reload(&conf(&notify, &line("four", "b")));
        wait_told(&notify, "/three", "done", 0);
        server.reload(&conf(&notify, &[line("four", "b"), line("five", "d")].concat()));
        wait_told(&notify, "/five", "start", 0);
        publisher.stop().leave();
        wait_told(&notify, "/four", "done", 0);
        assert_eq!(told(&notify, "/two", "done") + told(&notify, "/four", "start"), 0, "{event}");
    }
}

#[test]
fn a_pull_whose_line_is_removed_ends_and_is_told_to_the_old_address() {
    let notify = NotifyServer::start();
    let origin = Server::start(&Conf::live(""));
    notify.answer("call=pull act=start", redirect(origin.rtmp, "s"));
    let edge = Server::start(&conf(&notify, "on_pull {cb}/old every;"));
    let publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let player = support::Player::start(edge.rtmp, "s");
    player.wait_key();
    edge.reload(&conf(&notify, "on_pull {cb}/new every;"));
    wait_told(&notify, "/new", "update", 0);
    assert!(edge.log_lines("relay pull ended").is_empty());
    edge.reload(&conf(&notify, ""));
    wait_told(&notify, "/new", "done", 0);
    edge.wait_log("relay pull ended: 's'");
    assert_eq!((told(&notify, "/old", "start"), told(&notify, "/new", "start")), (1, 0));
    publisher.stop().leave();
}

#[test]
fn an_address_that_wanted_no_relay_is_followed_by_one_that_may() {
    let notify = NotifyServer::start();
    let target = Server::start(&Conf::live(""));
    let server = Server::start(&conf(&notify, "on_push {cb}/old;"));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    wait_told(&notify, "/old", "start", 0);
    notify.answer("act=start", redirect(target.rtmp, "copy"));
    server.reload(&conf(&notify, "on_push {cb}/new;"));
    server.wait_log("relay push started: 's'");
    assert_eq!(told(&notify, "/old", "start"), 1);
    publisher.stop().leave();
}

#[test]
fn headers_that_come_faster_than_answers_are_told_together() {
    const HEADERS: usize = 20_000;
    let notify = NotifyServer::start();
    let lines = "on_meta {cb}/one timeout=1h; on_meta {cb}/two timeout=1h; on_meta_once off;
                 on_publish {cb}/ stage=done;";
    let server = Server::start(&conf(&notify, lines));
    let mut publisher = Publisher::start(server.rtmp, "s");
    notify.answer("call=meta act=start", Answer::Silent);
    for _ in 0..HEADERS {
        publisher.send_frame(&video_header());
    }
    publisher.leave();
    notify.wait("call=publish act=done");
    // One request is under way for each line, and none waits behind it.
    assert_eq!(told(&notify, "/one", "start"), 1);
    assert_eq!(told(&notify, "/two", "start"), 1);
}

#[test]
fn a_later_header_is_told_and_its_answer_counts() {
    let notify = NotifyServer::start();
    let server = Server::start(&conf(&notify, "on_meta {cb}/ every; on_meta_once off;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(2);
    notify.wait_count("call=meta act=start", 1);
    notify.wait_count("call=meta act=update", 1);
    publisher.send_frame(&video_header());
    notify.wait_count("call=meta act=start", 2);
    notify.answer("call=meta act=start", Answer::Status(403));
    publisher.send_frame(&video_header());
    publisher.client.wait_end();
    notify.wait("call=meta act=done");
    let done = notify.requests_of("call=meta act=done").len();
    assert_eq!((notify.requests_of("call=meta act=start").len(), done), (3, 1));
}

#[test]
fn a_target_that_accepts_and_drops_is_called_ever_more_rarely_and_said_to_fail_once() {
    let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap().port();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = calls.clone();
    std::thread::spawn(move || {
        for connection in target.incoming() {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            drop(connection);
        }
    });
    let conf = format!("failed_reconnect 50ms; relay_reconnect 1h; push rtmp://127.0.0.1:{port};");
    let server = Server::start(&Conf::live(&conf));
    let publisher = Publisher::start(server.rtmp, "s").keep_sending();
    until_true("five calls", || calls.load(std::sync::atomic::Ordering::Relaxed) >= 5);
    let lines = server.log_lines("relay push failed: 's'").len();
    // Closed before or after the handshake began: two reasons at most.
    assert!((1..=2).contains(&lines), "{lines} lines");
    assert!(server.log_lines("relay push: 's' by").len() <= 1);
    publisher.stop().leave();
}

/// A publisher whose application is gone keeps the values that it had last.
#[test]
fn a_push_stays_where_it_was_when_its_application_is_removed() {
    let conf =
        |out: &str| Conf::new(&format!("{out} application a {{ live on; }} application b {{ live on; }}"));
    let out =
        |app: &str| format!("application out {{ live on; push rtmp://127.0.0.1:{{rtmp_port}} app={app}; }}");
    let server = Server::start(&conf(&out("a")));
    let publisher =
        Publisher::with(support::RtmpClient::publish(server.rtmp, "out", "s"), Tracks::Both).keep_sending();
    let publishing = |app: &str| {
        let lines = server.log_lines(&format!("publishing 's', client: 127.0.0.1, app: '{app}'"));
        lines.iter().filter(|line| !line.contains("stopped")).count()
    };
    until_true("it is pushed", || publishing("a") == 1);
    server.reload(&conf(&out("b")));
    until_true("it is pushed elsewhere", || publishing("b") == 1);
    server.reload(&conf(""));
    let player = support::Player::rtmp(support::RtmpClient::play(server.rtmp, "b", "s"));
    player.wait_key();
    assert_eq!((publishing("a"), publishing("b")), (1, 1));
    publisher.stop().leave();
}
