//! Callbacks: what is asked, when, and what the answer does.

mod support;

use std::time::Duration;

use support::frame::{GOP, Tracks};
use support::server::free_port;
use support::wait::until_true;
use support::{Answer, Conf, End, NotifyServer, Player, Publisher, RtmpClient, Server, http};

/// An application `live` with these callback lines, in which `{callback}` is the server's address.
fn conf(notify: &NotifyServer, lines: &str) -> Conf {
    Conf::live(lines).with_flv().var("callback", notify.url(""))
}

fn start(notify: &NotifyServer, lines: &str) -> Server {
    Server::start(&conf(notify, lines))
}

fn publish(server: &Server, name: &str) -> RtmpClient {
    RtmpClient::publish(server.rtmp, "live", name)
}

fn play(server: &Server, name: &str) -> RtmpClient {
    RtmpClient::play(server.rtmp, "live", name)
}

#[test]
fn parameters_stand_in_the_order_that_callback_servers_expect() {
    let notify = NotifyServer::start();
    let server = start(
        &notify,
        "on_publish {callback}/pub stage=start,update,done update=100ms groupid=g1 args=ip=$remote_addr&$pargs&e=$swf_url;",
    );
    let publisher = Publisher::with(publish(&server, "s?token=a%20b&x=1"), Tracks::Both);
    notify.wait_count("call=publish act=update", 2);
    publisher.leave();
    notify.wait("call=publish act=done");
    let requests = notify.requests();
    let id = requests[0].value("clientid").to_owned();
    assert!(id.parse::<u64>().is_ok(), "clientid is a number: {id:?}");
    for request in &requests {
        let act = request.value("act");
        let target = format!(
            "/pub?call=publish&act={act}&domain=127.0.0.1&app=live&name=s&clientid={id}\
             &groupid=g1&ip=127.0.0.1&token=a%20b&x=1&e="
        );
        assert_eq!(request.line, format!("GET {target} HTTP/1.1"));
    }
    let acts: Vec<&str> = requests.iter().map(|request| request.value("act")).collect();
    let (first, last) = (acts.first().copied(), acts.last().copied());
    assert_eq!((first, last), (Some("start"), Some("done")));
    assert!(acts[1..acts.len() - 1].iter().all(|act| *act == "update"), "{acts:?}");
}

#[test]
fn a_player_is_told_from_start_to_done() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_play {callback}/play stage=start,update,done update=100ms;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    notify.wait("call=play act=update");
    let last = publisher.send(2 * GOP);
    player.wait_frame(last);
    drop(player);
    let done = notify.wait("call=play act=done");
    let start = notify.wait("call=play act=start");
    assert_eq!(start.names(), ["call", "act", "domain", "app", "name", "clientid"]);
    assert_eq!(start.value("clientid"), done.value("clientid"));
    assert!(notify.requests_of("call=publish").is_empty());
}

#[test]
fn without_stage_there_is_only_the_start() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_publish {callback}/ update=50ms; on_play {callback}/ stage=done;");
    let publisher = Publisher::start(server.rtmp, "s");
    // The done of a player that comes later bounds the time in which updates could have come.
    for _ in 0..5 {
        play(&server, "s").wait_started().leave();
    }
    notify.wait_count("call=play act=done", 5);
    publisher.leave();
    server.wait_log("stopped publishing 's'");
    assert_eq!(notify.requests_of("call=publish").len(), 1);
    assert!(notify.requests_of("act=update").is_empty());
}

#[test]
fn a_refused_client_is_told_and_disconnected() {
    let notify = NotifyServer::start();
    let server =
        start(&notify, "on_publish {callback}/ stage=start,done; on_play {callback}/ stage=start,done;");
    for status in [403, 301, 404, 500, 503] {
        notify.answer("act=start", Answer::Status(status));
        let mut publisher = publish(&server, "s");
        publisher.wait_status("NetStream.Publish.Forbidden");
        assert_eq!(publisher.wait_end(), End::Closed);
        let mut player = play(&server, "s");
        player.wait_status("NetStream.Play.Forbidden");
        assert_eq!(player.wait_end(), End::Closed);
        assert_eq!(http::get(server.http, "/flv/s").status(), 403, "after status {status}");
    }
    // Every start needs a done, even a refused one.
    notify.wait_count("act=done", 15);
    assert_eq!(notify.requests_of("act=start").len(), 15);
    assert_eq!(server.log_lines("refused by callback").len(), 15);
}

#[test]
fn any_success_lets_in() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_publish {callback}/; on_play {callback}/;");
    for status in [200, 201, 204, 299] {
        notify.answer("act=start", Answer::Status(status));
        let name = format!("s{status}");
        let mut publisher = Publisher::with(publish(&server, &name), Tracks::Both);
        let player = Player::start(server.rtmp, &name);
        let last = publisher.send(GOP);
        player.wait_frame(last);
    }
}

#[test]
fn no_answer_refuses() {
    let notify = NotifyServer::start();
    notify.answer("path=/drop", Answer::Drop);
    notify.answer("path=/silent", Answer::Silent);
    let server = Server::start(
        &Conf::new(
            "application drop { live on; on_publish {callback}/drop; }
             application silent { live on; on_publish {callback}/silent timeout=200ms; }
             application nobody { live on; on_publish http://127.0.0.1:{nobody}/; }",
        )
        .var("callback", notify.url(""))
        .var("nobody", free_port()),
    );
    for app in ["drop", "silent", "nobody"] {
        let mut publisher = RtmpClient::publish(server.rtmp, app, "s");
        publisher.wait_status("NetStream.Publish.Forbidden");
        publisher.wait_end();
    }
    assert_eq!(server.log_lines("[error]").len(), 3, "an operator sees that nobody answers");
}

#[test]
fn ignore_invalid_notify_lets_in_where_nobody_answers() {
    let notify = NotifyServer::start();
    notify.answer("path=/drop", Answer::Drop);
    notify.answer("path=/silent", Answer::Silent);
    notify.answer("path=/no", Answer::Status(403));
    let server = Server::start(
        &Conf::new(
            "application drop { live on; on_publish {callback}/drop; }
             application silent { live on; on_publish {callback}/silent timeout=200ms stage=done; }
             application nobody { live on; on_publish http://127.0.0.1:{nobody}/; }
             application refusing { live on; on_publish {callback}/no; }",
        )
        .rtmp("ignore_invalid_notify on;")
        .var("callback", notify.url(""))
        .var("nobody", free_port()),
    );
    for app in ["drop", "silent", "nobody"] {
        RtmpClient::publish(server.rtmp, app, "s").wait_started().leave();
    }
    notify.wait("path=/silent act=done");
    let mut refused = RtmpClient::publish(server.rtmp, "refusing", "s");
    refused.wait_status("NetStream.Publish.Forbidden");
}

#[test]
fn answers_to_updates_count_for_oclp_names_and_where_enforced() {
    let notify = NotifyServer::start();
    notify.answer("act=update", Answer::Status(403));
    let server = Server::start(
        &Conf::new(
            "application on { live on; on_publish {callback}/ stage=update update=50ms; }
             application oclp { live on; oclp_publish {callback}/ stage=update,done update=50ms; }
             application enforced { live on; on_play {callback}/ stage=update,done update=50ms enforce=start,update; }
             application lax { live on; oclp_publish {callback}/ stage=update update=50ms enforce=start; }",
        )
        .var("callback", notify.url("")),
    );
    let on = RtmpClient::publish(server.rtmp, "on", "s").wait_started();
    let lax = RtmpClient::publish(server.rtmp, "lax", "s").wait_started();
    RtmpClient::publish(server.rtmp, "oclp", "s").wait_started().wait_end();
    RtmpClient::play(server.rtmp, "enforced", "s").wait_started().wait_end();
    notify.wait("app=oclp act=done");
    notify.wait("app=enforced act=done");
    notify.wait_count("app=on act=update", 3);
    notify.wait_count("app=lax act=update", 3);
    assert_eq!(server.log_lines("ended by the answer to").len(), 2);
    for app in ["app='on'", "app='lax'"] {
        let conn = server.log_lines(app)[0].split('*').nth(1).unwrap().split(' ').next().unwrap().to_owned();
        assert!(server.log_lines(&format!("*{conn} client disconnected")).is_empty());
    }
    drop((on, lax));
}

#[test]
fn an_enforced_update_ends_a_player_over_http() {
    let notify = NotifyServer::start();
    let server = start(&notify, "oclp_play {callback}/ stage=update,done update=100ms;");
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::http(server.http, "/flv/s");
    player.wait_key();
    notify.answer("act=update", Answer::Status(403));
    player.wait_end();
    notify.wait("act=done");
    feed.stop();
}

#[test]
fn who_finds_the_name_taken_is_told_of_as_well() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_publish {callback}/ stage=done;");
    let first = Publisher::start(server.rtmp, "s");
    let mut second = publish(&server, "s");
    second.wait_status("NetStream.Publish.BadName");
    let ids: Vec<String> = notify
        .wait_count("act=start", 2)
        .iter()
        .map(|request| request.value("clientid").to_owned())
        .collect();
    second.leave();
    assert_eq!(notify.wait("act=done").value("clientid"), ids[1]);
    first.leave();
    assert_eq!(notify.wait_count("act=done", 2)[1].value("clientid"), ids[0]);
}

#[test]
fn a_failing_update_never_disconnects() {
    let notify = NotifyServer::start();
    let server = start(&notify, "oclp_publish {callback}/ stage=update update=50ms timeout=2s;");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    for answer in [Answer::Status(500), Answer::Drop, Answer::Silent] {
        notify.answer("act=update", answer);
        let seen = notify.requests_of("act=update").len();
        notify.wait_count("act=update", seen + 2);
    }
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn without_enforced_start_the_answer_decides_nothing() {
    let notify = NotifyServer::start();
    notify.answer("act=start", Answer::Status(403));
    let server = start(&notify, "on_publish {callback}/ enforce=update;");
    publish(&server, "s").wait_started();
}

#[test]
fn the_stream_event_lasts_from_the_first_session_to_the_last() {
    let notify = NotifyServer::start();
    let server = start(
        &notify,
        "on_stream {callback}/ stage=start,update,done update=100ms; on_publish {callback}/ stage=done; \
         on_play {callback}/ stage=done;",
    );
    let publisher = Publisher::start(server.rtmp, "s");
    notify.wait("call=stream act=update");
    let player = Player::start(server.rtmp, "s");
    publisher.leave();
    notify.wait("call=publish act=done");
    let updates = notify.requests_of("call=stream act=update").len();
    notify.wait_count("call=stream act=update", updates + 1);
    assert!(notify.requests_of("call=stream act=done").is_empty(), "a player still holds the stream");
    drop(player);
    notify.wait("call=stream act=done");
    notify.wait("call=play act=done");
    let sequence = notify.sequence();
    let order: Vec<&str> =
        sequence.iter().map(String::as_str).filter(|request| !request.contains("update")).collect();
    assert_eq!(order[..3], ["stream start s", "publish start s", "play start s"]);
    // Of one session both belong to the same connection.
    let id = |fits: &str| notify.wait(fits).value("clientid").to_owned();
    assert_eq!(id("call=stream act=start"), id("call=publish act=start"));
    let player = play(&server, "s").wait_started();
    notify.wait_count("call=stream act=start", 2);
    player.leave();
    notify.wait_count("call=stream act=done", 2);
}

#[test]
fn a_refused_stream_update_cuts_the_session_that_it_names_and_goes_on_in_another_name() {
    let notify = NotifyServer::start();
    let server = start(&notify, "oclp_stream {callback}/ stage=update,done update=50ms;");
    let mut player = play(&server, "s").wait_started();
    let opener = notify.wait("call=stream act=update").value("clientid").to_owned();
    let mut publisher = publish(&server, "s").wait_started();
    let mut last = play(&server, "s").wait_started();
    notify.answer(&format!("act=update clientid={opener}"), Answer::Status(403));
    player.wait_end();
    // The publisher goes before the player that came later.
    let named = |but: &[&str]| {
        let mut named = String::new();
        until_true("an update in another name", || {
            let updates = notify.requests_of("call=stream act=update");
            named = updates.last().unwrap().value("clientid").to_owned();
            !but.contains(&named.as_str())
        });
        named
    };
    let second = named(&[&opener]);
    publisher.read(Duration::from_millis(10));
    assert_eq!(publisher.end(), None);
    notify.answer(&format!("act=update clientid={second}"), Answer::Status(404));
    publisher.wait_end();
    let third = named(&[&opener, &second]);
    let seen = notify.requests_of(&format!("act=update clientid={third}")).len();
    notify.wait_count(&format!("act=update clientid={third}"), seen + 2);
    last.read(Duration::from_millis(10));
    assert_eq!(last.end(), None);
    notify.answer("act=update", Answer::Status(403));
    last.wait_end();
    assert_eq!(notify.wait("call=stream act=done").value("clientid"), third);
    assert_eq!(notify.requests_of("call=stream act=start").len(), 1);
    assert_eq!(notify.requests_of("call=stream act=done").len(), 1);
}

#[test]
fn updates_of_a_stream_follow_any_success() {
    let notify = NotifyServer::start();
    notify.answer("act=start", Answer::Status(204));
    let server = start(&notify, "on_stream {callback}/ stage=update update=50ms;");
    let _publisher = publish(&server, "s").wait_started();
    notify.wait_count("call=stream act=update", 2);
}

#[test]
fn a_refused_stream_event_ends_the_session_under_its_old_name_only() {
    let notify = NotifyServer::start();
    notify.answer("call=stream act=start", Answer::Status(404));
    let server = Server::start(
        &Conf::new(
            "application old { live on; oclp_stream {callback}/ stage=done; }
             application new { live on; on_stream {callback}/ stage=done; }",
        )
        .var("callback", notify.url("")),
    );
    RtmpClient::publish(server.rtmp, "old", "s").wait_end();
    notify.wait("app=old act=done");
    let mut publisher = Publisher::with(RtmpClient::publish(server.rtmp, "new", "s"), Tracks::Both);
    publisher.send(GOP);
    publisher.leave();
    notify.wait("app=new act=done");
}

#[test]
fn process_events_are_sent_at_the_start() {
    let notify = NotifyServer::start();
    let server = Server::start(
        &Conf::live("")
            .rtmp(
                "on_proc {callback}/proc?own=1 args=ignored=1;
                 on_master {callback}/master stage=update update=100ms args=a=1;",
            )
            .var("callback", notify.url("")),
    );
    let mut workers: Vec<String> =
        notify.wait_count("path=/proc", 2).iter().map(|request| request.line.clone()).collect();
    workers.sort();
    let line = |worker| format!("GET /proc?own=1&call=init_process&worker_id={worker} HTTP/1.1");
    assert_eq!(workers, [line(0), line(1)]);
    let master = notify.wait_count("path=/master", 3);
    let targets: Vec<&str> = master.iter().map(|request| request.query.as_str()).collect();
    assert_eq!(targets[0], "call=init_master&act=start&a=1");
    assert_eq!(targets[1], "call=init_master&act=update&a=1");
    assert_eq!(targets[2], targets[1]);
    drop(server);
}

#[test]
fn urls_may_have_a_query_or_no_path() {
    let notify = NotifyServer::start();
    let server = Server::start(
        &Conf::new(
            "application query { live on; on_publish {callback}/cb?own=1; }
             application bare { live on; on_publish {callback}; }",
        )
        .var("callback", notify.url("")),
    );
    RtmpClient::publish(server.rtmp, "query", "s").wait_started();
    RtmpClient::publish(server.rtmp, "bare", "s").wait_started();
    assert!(notify.wait("app=query").line.starts_with("GET /cb?own=1&call=publish&act=start&domain="));
    assert!(notify.wait("app=bare").line.starts_with("GET /?call=publish&act=start&domain="));
}

#[test]
fn a_name_cannot_break_the_request_line() {
    let notify = NotifyServer::start();
    let server = start(&notify, "on_publish {callback}/ stage=done args=$pargs;");
    let evil = "a b\r\nX-Injected: 1\r\n\r\nGET /\u{7f}\u{e9}?q= HTTP/1.1\r\n";
    publish(&server, evil).wait_started().leave();
    notify.wait("act=done");
    let requests = notify.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let name = request.value("name");
        assert_eq!(name, "a%20b%0D%0AX-Injected:%201%0D%0A%0D%0AGET%20/%7F%C3%A9");
        assert!(request.query.ends_with("&q=%20HTTP/1.1%0D%0A"), "{}", request.query);
        assert!(!request.headers.iter().any(|line| line.starts_with("X-Injected")));
    }
    assert!(server.log().lines().all(|line| line.starts_with("20")), "nobody can forge a line of the log");
}

/// Request target of the first publish start of a stream whose encoder uses `name`.
fn target_of(escape: &str, name: &str) -> String {
    let notify = NotifyServer::start();
    let lines = "on_publish {callback}/ groupid=g args=s=$stream&n=$name&t=$parg_t&$pargs;";
    let server = Server::start(&conf(&notify, lines).rtmp(escape));
    let _publisher = publish(&server, name).wait_started();
    notify.wait("act=start").query
}

#[test]
fn a_name_cannot_add_parameters() {
    let query = target_of("", "a&name=vip#1+%20%zz?t=50%&x=a&b");
    let name = "a%26name=vip%231+%20%25zz";
    let head = format!("call=publish&act=start&domain=127.0.0.1&app=live&name={name}&clientid=");
    assert!(query.starts_with(&head), "{query}");
    // What the encoder sent as a query is one, byte for byte.
    let tail = format!("/live/{name}&n={name}&t=50%25&t=50%&x=a&b");
    assert!(query.ends_with(&tail), "{query}");
}

#[test]
fn notify_escape_strict_encodes_single_values_whole() {
    let query = target_of("notify_escape strict;", "a/b+c%20d?t=1%202&x=/");
    let name = "a%2Fb%2Bc%2520d";
    assert!(query.contains(&format!("&app=live&name={name}&clientid=")), "{query}");
    assert!(query.ends_with(&format!("%2Flive%2F{name}&n={name}&t=1%25202&t=1%202&x=/")), "{query}");
}

#[test]
fn nothing_flows_before_the_answer() {
    let notify = NotifyServer::start();
    notify.answer("call=publish act=start", Answer::Late(Duration::from_millis(300), 200));
    let server = start(&notify, "on_publish {callback}/; on_play {callback}/;");
    let player = Player::start(server.rtmp, "s");
    let mut publisher = shake_hands(publish(&server, "s"));
    notify.wait("call=publish act=start");
    for _ in 0..5 {
        publisher.read(Duration::from_millis(10));
        assert_eq!(publisher.session.stream_id(), 1);
        assert!(player.frames().is_empty());
    }
    let mut publisher = Publisher::with(publisher, Tracks::Both);
    let last = publisher.send(GOP);
    player.wait_frame(last);
}

#[test]
fn a_hanging_callback_server_holds_up_no_other_application() {
    let notify = NotifyServer::start();
    notify.answer("path=/hang", Answer::Silent);
    let server = Server::start(
        &Conf::new(
            "application hang { live on; on_publish {callback}/hang timeout=1h stage=update,done update=10ms; }
             application live { live on; on_publish {callback}/ok; on_play {callback}/ok; }",
        )
        .var("callback", notify.url("")),
    );
    let waiting: Vec<RtmpClient> =
        (0..100).map(|n| RtmpClient::publish(server.rtmp, "hang", &format!("h{n}"))).collect();
    let mut waiting: Vec<RtmpClient> = waiting.into_iter().map(shake_hands).collect();
    notify.wait_count("path=/hang", 100);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    for client in &mut waiting {
        assert_eq!(client.end(), None);
    }
}

/// Goes on until publish is on its way.
fn shake_hands(mut client: RtmpClient) -> RtmpClient {
    until_true("publish was sent", || {
        client.read(Duration::from_millis(50));
        client.session.stream_id() != 0
    });
    client
}

#[test]
fn an_http_player_is_asked_for_as_an_rtmp_player_is() {
    let notify = NotifyServer::start();
    let server = start(
        &notify,
        "on_play {callback}/ stage=done args=scheme=$scheme&tc=$tc_url&page=$page_url&q=$pargs;",
    );
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let request = "GET /flv/s.flv?token=7 HTTP/1.1\r\nHost: cdn.example:81\r\nReferer: http://page/\r\n\r\n";
    let player = Player::http_request(server.http, request);
    player.wait_key();
    player.assert_whole(Tracks::Both, feed.stop().next() - 1);
    drop(player);
    let done = notify.wait("call=play act=done");
    let start = notify.wait("call=play act=start");
    assert_eq!(start.value("domain"), "cdn.example");
    assert_eq!(start.value("name"), "s");
    assert!(
        start.query.ends_with("&scheme=http&tc=http://cdn.example/live&page=http://page/&q=token=7"),
        "{}",
        start.query
    );
    assert_eq!(start.value("clientid"), done.value("clientid"));
}

#[test]
fn meta_is_sent_with_the_first_video_header_by_each_line() {
    let notify = NotifyServer::start();
    let server = start(
        &notify,
        "on_meta {callback}/one stage=done args=w=$metadata_width; on_meta {callback}/two stage=done groupid=g2;",
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(GOP);
    let one = notify.wait("path=/one call=meta act=start");
    assert_eq!(one.value("w"), "320");
    assert_eq!(notify.wait("path=/two call=meta act=start").value("groupid"), "g2");
    publisher.leave();
    notify.wait("path=/one act=done");
    assert_eq!(notify.wait("path=/two act=done").value("groupid"), "g2");
    assert_eq!(notify.requests().len(), 4);
}
