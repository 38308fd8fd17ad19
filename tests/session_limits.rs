//! Limits that the callback server sets in its answer to the `start` of publish.

mod support;

use pingosd::wire::MediaKind;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http};

/// An answer that admits, with these headers.
fn admitted(headers: &str) -> Answer {
    Answer::Raw(format!("HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 0\r\n\r\n").into_bytes())
}

fn conf(notify: &NotifyServer, lines: &str) -> Conf {
    Conf::live(&format!("on_publish {{callback}}/cb; {lines}")).var("callback", notify.url(""))
}

fn play_is_refused(server: &Server, name: &str) {
    let mut player = RtmpClient::play(server.rtmp, "live", name);
    player.wait_status("NetStream.Play.Forbidden");
}

#[test]
fn an_answer_limits_the_viewers_of_the_stream_as_long_as_it_is_published() {
    let notify = NotifyServer::start();
    notify.answer("name=few", admitted("Max-Viewers: 1"));
    notify.answer("name=many", admitted("max-viewers: 0"));
    let stat = "location /stat { rtmp_stat all; rtmp_stat_format json; }";
    let server = Server::start(&conf(&notify, "max_viewers 2;").http_server(stat));
    let few = Publisher::start(server.rtmp, "few");
    let statistics = http::get(server.http, "/stat").text();
    assert!(statistics.contains(r#""max_viewers":"1""#), "{statistics}");
    let first = RtmpClient::play(server.rtmp, "live", "few").wait_started();
    play_is_refused(&server, "few");
    server.wait_log("play: 'few' refused, max_viewers 1 reached");
    server.reload(&conf(&notify, "max_viewers 3;").http_server(stat));
    play_is_refused(&server, "few");

    let _many = Publisher::start(server.rtmp, "many");
    let _players: Vec<_> =
        (0..4).map(|_| RtmpClient::play(server.rtmp, "live", "many").wait_started()).collect();

    few.leave();
    until_true("the configured limit counts again", || {
        let second = Player::rtmp(RtmpClient::play(server.rtmp, "live", "few"));
        second.wait("an answer", |got| (got.started || got.end.is_some()).then_some(got.started))
    });
    drop(first);
}

#[test]
fn an_answer_limits_the_bit_rate_of_the_publisher() {
    let notify = NotifyServer::start();
    notify.answer("name=s", admitted("Max-Bitrate: 8k grace=0s"));
    let server = Server::start(&conf(&notify, ""));
    let mut publisher = Publisher::start(server.rtmp, "s");
    until_true("the publisher is ended", || {
        let payload = bytes::Bytes::from(vec![0x27; 9_000]);
        publisher.client.session.send_media(MediaKind::Video, 0, &payload).unwrap();
        publisher.client.flush();
        publisher.client.end().is_some()
    });
    server.wait_log("are above max_bitrate 8000, client: 127.0.0.1");
}

#[test]
fn a_header_that_is_no_limit_is_logged_and_changes_nothing() {
    let notify = NotifyServer::start();
    notify.answer("name=s", admitted("Max-Viewers: -1\r\nMax-Bitrate: fast\"é"));
    let server = Server::start(&conf(&notify, "max_viewers 1;"));
    let _publisher = Publisher::start(server.rtmp, "s");
    server.wait_log(r#"invalid Max-Viewers header "-1" in the answer to publish of 's', client: 127.0.0.1"#);
    server.wait_log(r#"invalid Max-Bitrate header "fast\x22\xC3\xA9" in the answer to publish of 's'"#);
    let _first = RtmpClient::play(server.rtmp, "live", "s").wait_started();
    play_is_refused(&server, "s");
}
