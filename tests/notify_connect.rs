//! `on_connect`: a connection is asked about before its `connect` is answered.

mod support;

use std::time::Duration;

use support::frame::{GOP, Tracks};
use support::{Answer, Conf, End, NotifyServer, Player, Publisher, RtmpClient, Server};

fn start(notify: &NotifyServer, lines: &str) -> Server {
    Server::start(
        &Conf::new(&format!("{lines} application live {{ live on; }}")).var("callback", notify.url("")),
    )
}

#[test]
fn a_connection_is_told_from_start_to_done() {
    let notify = NotifyServer::start();
    let lines = "on_connect {callback}/c stage=update,done update=50ms args=v=$flashver&stage=$stage;";
    let server = start(&notify, lines);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    let starts = notify.requests_of("call=connect act=start");
    assert_eq!(starts.len(), 2);
    for start in &starts {
        let names = ["call", "act", "domain", "app", "name", "clientid", "v", "stage"];
        assert_eq!(start.names(), names);
        assert_eq!((start.value("app"), start.value("name"), start.value("stage")), ("live", "", "connect"));
    }
    assert_ne!(starts[0].value("clientid"), starts[1].value("clientid"));
    for start in &starts {
        notify.wait(&format!("call=connect act=update clientid={}", start.value("clientid")));
    }
    drop(player);
    publisher.leave();
    for start in &starts {
        notify.wait(&format!("call=connect act=done clientid={}", start.value("clientid")));
    }
}

#[test]
fn a_refused_connection_is_told_and_closed() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_connect {callback}/c stage=done;");
    for answer in [Answer::Status(403), Answer::Status(301), Answer::Status(500), Answer::Drop] {
        notify.answer("act=start", answer);
        let mut client = RtmpClient::publish(server.rtmp, "live", "s");
        match client.wait_end() {
            End::Protocol(why) => assert!(why.contains("NetConnection.Connect.Rejected"), "{why}"),
            other => panic!("the client is told why, not {other:?}"),
        }
    }
    notify.wait_count("call=connect act=done", 4);
    assert_eq!(server.log_lines("refused by callback").len(), 4);
    assert!(server.log_lines("publish: name=").is_empty());
    // Other connections are served, and nothing remains of those that were refused.
    notify.answer("act=start", Answer::Status(200));
    Publisher::start(server.rtmp, "s").leave();
    notify.wait_count("call=connect act=done", 5);
}

#[test]
fn many_refused_connections_leave_nothing_behind() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_connect {callback}/c stage=done;");
    notify.answer("act=start", Answer::Late(Duration::from_millis(50), 403));
    for _ in 0..5 {
        let clients: Vec<RtmpClient> =
            (0..40).map(|n| RtmpClient::publish(server.rtmp, "live", &format!("s{n}"))).collect();
        for mut client in clients {
            assert!(matches!(client.wait_end(), End::Protocol(_)));
        }
    }
    notify.wait_count("call=connect act=done", 200);
    assert_eq!(notify.requests_of("call=connect act=start").len(), 200);
    support::wait::until_true("all are gone", || server.log_lines("client disconnected").len() >= 200);
}

#[test]
fn a_client_that_leaves_before_the_answer_is_owed_its_end() {
    let notify = NotifyServer::start();
    notify.answer("act=start", Answer::Late(Duration::from_millis(200), 200));
    let server = start(&notify, "on_connect {callback}/c stage=done;");
    let mut client = RtmpClient::publish(server.rtmp, "live", "s");
    while notify.requests_of("act=start").is_empty() {
        client.read(Duration::from_millis(20));
    }
    client.reset();
    notify.wait("call=connect act=done");
}

#[test]
fn without_an_answer_ignore_invalid_notify_lets_in() {
    let notify = NotifyServer::start();
    notify.answer("act=start", Answer::Drop);
    let server = start(&notify, "ignore_invalid_notify on; on_connect {callback}/c;");
    Publisher::start(server.rtmp, "s").leave();
}

#[test]
fn an_update_ends_the_connection_under_its_old_name() {
    let notify = NotifyServer::start();
    notify.answer("act=update", Answer::Status(403));
    let server = start(&notify, "oclp_connect {callback}/c stage=update,done update=50ms;");
    RtmpClient::publish(server.rtmp, "live", "s").wait_started().wait_end();
    RtmpClient::play(server.rtmp, "live", "s").wait_started().wait_end();
    notify.wait_count("call=connect act=done", 2);
}
