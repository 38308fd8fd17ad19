//! `dynamic_conf`: a file whose changes take effect without a reload.

mod support;

use support::frame::{GOP, Tracks};
use support::server::{Prefix, Signal};
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server};

const MAIN: &str = "dynamic_conf conf/dynamic.conf 20ms; dynamic_log logs/dynamic.log info;";

/// A server with this in its dynamic file.
fn start(conf: &Conf, dynamic: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("conf/dynamic.conf", dynamic);
    Server::start_in(prefix, conf)
}

/// Replaces the dynamic file atomically: an incomplete one would be logged.
fn change(server: &Server, dynamic: &str) {
    let new = server.prefix().write("conf/dynamic.new", dynamic);
    std::fs::rename(new, server.prefix().path().join("conf/dynamic.conf")).unwrap();
}

#[track_caller]
fn wait_told(server: &Server, text: &str) {
    until_true(text, || server.prefix().read("logs/dynamic.log").contains(text));
}

fn pull(origin: &Server, name: &str) -> String {
    format!("static_pull rtmp://127.0.0.1:{} domain=127.0.0.1 app=live name={name};", origin.rtmp)
}

#[test]
fn a_static_pull_needs_no_player_and_ends_with_its_line() {
    let origin = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(origin.rtmp, "s");
    let edge = start(&Conf::live("").main(MAIN), "rtmp { }");
    wait_told(&edge, "loaded, 0 static pulls");
    change(&edge, &format!("rtmp {{ {} }}", pull(&origin, "s")));
    origin.wait_log("play: name='s'");
    let player = Player::start(edge.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    drop(player);
    // Without players it continues: the next line is pulled in addition.
    let _other = Publisher::start(origin.rtmp, "t");
    change(&edge, &format!("rtmp {{ {} {} }}", pull(&origin, "s"), pull(&origin, "t")));
    origin.wait_log("play: name='t'");
    assert_eq!(origin.log_lines("play: name='s'").len(), 1);
    assert_eq!(origin.log_lines("disconnected").len(), 0);
    change(&edge, "rtmp { }");
    until_true("both pulls have ended", || origin.log_lines("client disconnected").len() == 2);
}

/// The operator has configured it. Clients are refused all the same.
#[test]
fn a_ban_on_a_stream_does_not_end_a_static_pull() {
    let origin = Server::start(&Conf::live(""));
    let _publisher = Publisher::start(origin.rtmp, "s").keep_sending();
    let edge = start(
        &Conf::live("failed_reconnect 20ms; relay_reconnect 50ms;").main(MAIN),
        &format!("rtmp {{ {} }}", pull(&origin, "s")),
    );
    Player::start(edge.rtmp, "s").wait_key();
    assert!(edge.run(&["ctl", "ban", "live/s"]).status.success());
    until_true("it is pulled again", || origin.log_lines("play: name='s'").len() == 2);
    RtmpClient::play(edge.rtmp, "live", "s").wait_status("NetStream.Play.Forbidden");
}

#[test]
fn a_static_pull_waits_for_its_origin() {
    let origin = Server::start(&Conf::live(""));
    let edge = start(
        &Conf::live("failed_reconnect 20ms; relay_reconnect 50ms;").main(MAIN),
        &format!("rtmp {{ {} }}", pull(&origin, "s")),
    );
    let mut publisher = Publisher::start(origin.rtmp, "s");
    let player = Player::start(edge.rtmp, "s");
    until_true("frames arrive", || {
        publisher.send(GOP);
        !player.frames().is_empty()
    });
    publisher.leave();
    let mut publisher = Publisher::start(origin.rtmp, "s");
    publisher.skip_to(10 * GOP);
    until_true("frames arrive again", || {
        publisher.send(1);
        player.frames().last().is_some_and(|last| *last >= 10 * GOP)
    });
}

#[test]
fn a_static_pull_does_not_hold_up_the_end() {
    let origin = Server::start(&Conf::live(""));
    let _publisher = Publisher::start(origin.rtmp, "s");
    let mut edge = start(&Conf::live("").main(MAIN), &format!("rtmp {{ {} }}", pull(&origin, "s")));
    origin.wait_log("play: name='s'");
    edge.signal(Signal::SIGQUIT);
    assert!(edge.wait_exit().success());
}

#[test]
fn the_identity_of_a_server_changes_for_newcomers() {
    let notify = NotifyServer::start();
    let conf =
        Conf::live("on_publish {callback}/ args=id=$serverid;").var("callback", notify.url("")).main(MAIN);
    let server = start(&conf, "");
    wait_told(&server, "loaded");
    RtmpClient::publish(server.rtmp, "live", "a").wait_started();
    notify.wait("name=a act=start id=default");
    change(&server, "rtmp { server { serverid other; } }");
    until_true("it is loaded", || server.prefix().read("logs/dynamic.log").matches("loaded").count() == 2);
    RtmpClient::publish(server.rtmp, "live", "b").wait_started();
    notify.wait("name=b act=start id=other");
}

#[test]
fn a_broken_file_leaves_what_there_was() {
    let notify = NotifyServer::start();
    let conf =
        Conf::live("on_publish {callback}/ args=id=$serverid;").var("callback", notify.url("")).main(MAIN);
    let server = start(&conf, "rtmp { server { serverid good; } }");
    wait_told(&server, "loaded");
    change(&server, "rtmp {\n server {\n serverid bad;\n no_such_directive; } }");
    wait_told(&server, "refused, what it said before stays");
    let told = server.prefix().read("logs/dynamic.log");
    assert!(
        told.contains("unknown directive \"no_such_directive\"") && told.contains("dynamic.conf:4"),
        "{told}"
    );
    RtmpClient::publish(server.rtmp, "live", "a").wait_started();
    notify.wait("name=a act=start id=good");
    std::fs::remove_file(server.prefix().path().join("conf/dynamic.conf")).unwrap();
    wait_told(&server, "No such file");
    RtmpClient::publish(server.rtmp, "live", "b").wait_started();
    notify.wait("name=b act=start id=good");
    let told = server.prefix().read("logs/dynamic.log");
    assert_eq!(told.matches("no_such_directive").count(), 1, "told once: {told}");
    // Without the line, the fetched configuration has no effect.
    server.reload(&Conf::live("on_publish {callback}/ args=id=$serverid;").var("callback", notify.url("")));
    until_true("it is forgotten", || {
        RtmpClient::publish(server.rtmp, "live", "c").wait_started().leave();
        !notify.requests_of("name=c act=start id=default").is_empty()
    });
}

#[test]
fn a_line_without_a_place_is_told_of_once() {
    let server = start(
        &Conf::live("").main(MAIN),
        "rtmp { static_pull rtmp://127.0.0.1 domain=d app=nowhere name=s; }",
    );
    wait_told(&server, "no rtmp server for domain \"d\" has an application \"nowhere\"");
    change(&server, "rtmp { static_pull rtmp://127.0.0.1 domain=d app=elsewhere name=s; }");
    wait_told(&server, "\"elsewhere\"");
    assert_eq!(server.prefix().read("logs/dynamic.log").matches("nowhere").count(), 1);
}

#[test]
fn the_port_names_the_address_that_gets_the_stream() {
    let origin = Server::start(&Conf::live(""));
    let mut publisher = Publisher::start(origin.rtmp, "s");
    let second = support::server::free_port();
    let conf = Conf::live("")
        .rtmp("static_pull_port {second}; server { listen {second}; serverid two; application live { live on; } }")
        .var("second", second)
        .main(MAIN);
    let edge = start(&conf, &format!("rtmp {{ {} }}", pull(&origin, "s")));
    origin.wait_log("play: name='s'");
    let player = Player::start(second, "s");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    drop(edge);
}
