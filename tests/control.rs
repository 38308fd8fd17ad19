//! The control socket, and the commands that use it.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Output;

use support::server::Signal;
use support::wait::until_true;
use support::{Answer, Conf, NotifyServer, Player, Publisher, RtmpClient, Server, http};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes the line and reads one.
fn talk(server: &Server, line: &[u8]) -> String {
    let mut stream = UnixStream::connect(server.prefix().path().join("logs/pingosd.sock")).unwrap();
    // The answer to a request that is too long may come before its end.
    let _ = stream.write_all(line);
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn status_tells_what_runs() {
    let server = Server::start(&Conf::live(""));
    let _publisher = Publisher::start(server.rtmp, "s");
    let _player = Player::start(server.rtmp, "s");
    until_true("both are counted", || server.status()["sessions"]["players"] == 1);
    let status = server.status();
    assert_eq!(status["pid"], server.pid());
    assert_eq!(status["sessions"]["publishers"], 1);
    assert_eq!(status["streams"], 1);
    assert_eq!(status["configuration"]["generation"], 1);
    assert_eq!(status["configuration"]["on_disk"], "same");
    let listeners = status["listeners"].to_string();
    assert!(listeners.contains(&format!("rtmp 0.0.0.0:{}", server.rtmp)), "{listeners}");
    let page = out(&server.run(&["status"]));
    assert!(page.contains("generation     1 since "), "{page}");
    let mode = fs::metadata(server.prefix().path().join("logs/pingosd.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn without_a_server_commands_say_so() {
    let mut server = Server::start(&Conf::live(""));
    assert!(server.stop().success());
    assert!(!server.prefix().path().join("logs/pingosd.sock").exists());
    for words in [&["status"][..], &["plan"], &["reload"], &["rollback"], &["confirm"]] {
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(3));
        assert!(err(&output).contains("no server answers on"), "{output:?}");
    }
}

#[test]
fn bad_requests_get_answers_and_do_no_harm() {
    let server = Server::start(&Conf::live(""));
    for line in [&b"\n"[..], b"{}\n", b"{\"request\":\"explode\"}\n", b"\xff\xfe\n", &[b'['; 8000]] {
        let line = [line, b"\n"].concat();
        let answer = talk(&server, &line);
        assert!(answer.contains("not understood"), "{answer}");
    }
    let answer = talk(&server, &[b'x'; 1_000_000]);
    assert!(answer.is_empty() || answer.contains("too long"), "{answer}");
    // Connections that say nothing hold their places for a while, and no more.
    let path = server.prefix().path().join("logs/pingosd.sock");
    let silent: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(&path).unwrap()).collect();
    until_true("places are free again", || out(&server.run(&["status"])).contains("generation"));
    drop(silent);
    assert_eq!(server.status()["configuration"]["generation"], 1);
}

#[test]
fn a_stale_socket_is_replaced_and_a_foreign_file_is_not() {
    let prefix = support::server::Prefix::new();
    drop(std::os::unix::net::UnixListener::bind(prefix.path().join("logs/pingosd.sock")).unwrap());
    let server = Server::start_in(prefix, &Conf::live(""));
    assert_eq!(server.status()["configuration"]["generation"], 1);
    let prefix = support::server::Prefix::new();
    prefix.write("logs/pingosd.sock", "mine");
    let other = Server::start_in(prefix, &Conf::live(""));
    other.wait_log("is not a socket");
    assert_eq!(other.prefix().read("logs/pingosd.sock"), "mine");
}

#[test]
fn a_name_that_the_system_cannot_take_is_said_to_be_too_long() {
    let prefix = support::server::Prefix::new();
    let long = "x".repeat(120);
    let conf = Conf::live("").main(&format!("control_socket logs/{long};"));
    fs::write(prefix.conf(), conf.text(1, 2, prefix.path())).unwrap();
    let output = prefix.command().output().unwrap();
    assert!(!output.status.success());
    assert!(err(&output).contains("the system takes 107"), "{output:?}");
}

#[test]
fn reload_tells_what_has_changed_and_how_it_takes_effect() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let _publisher = Publisher::start(server.rtmp, "s");
    let _player = Player::start(server.rtmp, "s");
    until_true("both are counted", || server.status()["sessions"]["players"] == 1);
    let conf = Conf::new(
        "application live { live on; cache_time 2s; deny play 10.0.0.0/8; } application more { live on; }",
    )
    .main("working_directory /;");
    server.rewrite(&conf);
    let planned = server.run(&["plan"]);
    assert!(planned.status.success(), "{planned:?}");
    assert_eq!(server.status()["configuration"]["generation"], 1, "a plan changes nothing");
    assert_eq!(server.status()["configuration"]["on_disk"], "newer");
    let output = server.run(&["-s", "reload"]);
    assert!(output.status.success(), "{output:?}");
    for text in [out(&planned), out(&output)] {
        assert!(text.contains("cache_time 1s -> 2s [rtmp > server"), "{text}");
        assert!(text.contains("(new sessions; 2 sessions as before)"), "{text}");
        assert!(text.contains("deny added: play 10.0.0.0/8"), "{text}");
        assert!(text.contains("(live, 2 sessions)"), "{text}");
        assert!(text.contains("working_directory added: / (after a restart"), "{text}");
        assert!(text.contains("application added: more { 1 directives }"), "{text}");
    }
    assert!(out(&output).contains("generation 2"), "{output:?}");
    let again = server.run(&["-s", "reload"]);
    assert!(out(&again).contains("no directive has changed"), "{again:?}");
    assert_eq!(server.status()["configuration"]["generation"], 2);
    assert!(out(&server.run(&["plan"])).contains("would change no directive"));
}

#[test]
fn a_refused_reload_is_explained_everywhere() {
    let server = Server::start(&Conf::live(""));
    server.rewrite(&Conf::live("hls_pathh /tmp;"));
    for words in [&["-s", "reload"][..], &["reload"]] {
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(1));
        let text = err(&output);
        assert!(
            text.contains("hls_pathh") && text.contains("did you mean") && text.contains("-->"),
            "{text}"
        );
    }
    let configuration = &server.status()["configuration"];
    assert_eq!(configuration["on_disk"], "rejected");
    assert!(configuration["refused"]["reasons"].to_string().contains("hls_pathh"), "{configuration}");
    server.reload(&Conf::live("cache_time 1s;"));
    let configuration = &server.status()["configuration"];
    assert_eq!(configuration["on_disk"], "same");
    assert!(configuration["refused"].is_null());
}

#[test]
fn statistics_tell_what_is_in_force_and_what_is_on_disk() {
    let conf = |text: &str| Conf::live(text).http_server("location /stat { rtmp_stat all; }");
    let server = Server::start(&conf(""));
    let root = || {
        let text = http::get(server.http, "/stat").text();
        text.lines().find(|line| line.starts_with("<rtmp ")).expect("a root").to_owned()
    };
    let hash = |status: &serde_json::Value| {
        format!(" conf_hash=\"{}\"", status["configuration"]["hash"].as_str().expect("a hash"))
    };
    let first = root();
    assert!(
        first.starts_with("<rtmp generation=\"1\" ") && first.contains(" conf_on_disk=\"same\""),
        "{first}"
    );
    assert!(first.contains(&hash(&server.status())) && !first.contains("conf_refused"), "{first}");

    server.rewrite(&conf("no_such_directive;"));
    until_true("the files are another", || root().contains(" conf_on_disk=\"newer\""));
    assert!(!server.run(&["-s", "reload"]).status.success());
    until_true("the files are refused", || root().contains(" conf_on_disk=\"rejected\" conf_refused=\""));

    server.reload(&conf("cache_time 1s;"));
    let last = root();
    assert!(last.starts_with("<rtmp generation=\"2\" ") && last.contains(" conf_on_disk=\"same\""), "{last}");
    assert!(last.contains(&hash(&server.status())) && !last.contains("conf_refused"), "{last}");
}

#[test]
fn rollback_goes_back_and_the_files_stay() {
    let server = Server::start(&Conf::live(""));
    assert!(err(&server.run(&["rollback"])).contains("no earlier configuration"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    server.reload(&Conf::live("deny play all;").main("conf_watch on;"));
    let text = server.prefix().read("conf/pingosd.conf");
    let output = server.run(&["rollback"]);
    assert!(output.status.success(), "{output:?}");
    assert!(out(&output).contains("deny removed: play all"), "{output:?}");
    assert_eq!(server.prefix().read("conf/pingosd.conf"), text);
    assert_eq!(server.status()["configuration"]["generation"], 3);
    assert_eq!(server.status()["configuration"]["on_disk"], "newer");
    assert!(err(&output).contains("\"pingosd rollback --write\" writes the one in force"), "{output:?}");
    Player::start(server.rtmp, "s");
    let last = publisher.send(support::frame::GOP);
    player.assert_whole(support::frame::Tracks::Both, last);
}

#[test]
fn rollback_writes_the_files_on_request() {
    let server = Server::start(&Conf::live(""));
    let file = || server.prefix().read("conf/pingosd.conf");
    let first = file();
    server.reload(&Conf::live("cache_time 1s;"));
    server.reload(&Conf::live("cache_time 2s;"));
    // At once, and for a rollback before.
    let output = server.run(&["rollback", "--write"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(
        out(&output).contains("cache_time 2s -> 1s") && out(&output).contains(" is written\n"),
        "{output:?}"
    );
    assert!(file().contains("cache_time 1s;") && server.status()["configuration"]["on_disk"] == "same");
    server.rewrite(&Conf::live("cache_time 3s;"));
    let output = server.run(&["rollback", "--write"]);
    assert!(out(&output).contains(" is written\n") && !out(&output).contains(" -> "), "{output:?}");
    assert!(file().contains("cache_time 1s;") && first != file());
    let output = server.run(&["rollback", "--write"]);
    assert!(out(&output).contains("hold the configuration in force already"), "{output:?}");
    assert!(out(&server.run(&["-s", "reload"])).contains("no directive has changed"));
    assert_eq!(server.run(&["rollback", "--now"]).status.code(), Some(2));
}

#[test]
fn warnings_come_after_the_result_and_can_be_left_out() {
    let server = Server::start(&Conf::live(""));
    server.rewrite(&Conf::live("cache_time 1s; allow play 127.0.0.1;"));
    for command in ["plan", "reload"] {
        let loud = server.run(&[command]);
        assert!(out(&loud).contains("cache_time added: 1s") && err(&loud).contains("[warn] "), "{loud:?}");
        let quiet = server.run(&[command, "-q"]);
        assert!(quiet.status.success() && quiet.stderr.is_empty(), "{quiet:?}");
        assert_eq!(server.run(&[command, "--now"]).status.code(), Some(2));
    }
}

#[test]
fn an_included_file_that_is_gone_does_not_hinder_going_back() {
    let prefix = support::server::Prefix::new();
    prefix.write("conf/apps/a.conf", "application live { live on; }");
    let include = Conf::new("include apps/*.conf;");
    let server = Server::start_in(prefix, &include);
    fs::remove_dir_all(server.prefix().path().join("conf/apps")).unwrap();
    server.reload(&Conf::new("application other { live on; }"));
    let output = server.run(&["rollback"]);
    assert!(output.status.success(), "{output:?}");
    Publisher::start(server.rtmp, "s");
}

#[test]
fn a_reload_that_nobody_confirms_is_taken_back() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    server.rewrite(&Conf::live("cache_time 2s;"));
    let output = server.run(&["reload", "--confirm", "300ms"]);
    assert!(output.status.success(), "{output:?}");
    server.wait_log("not confirmed in time");
    until_true("the old one is in force", || server.status()["configuration"]["generation"] == 3);
    assert!(err(&server.run(&["confirm"])).contains("nothing to confirm"));
    let output = server.run(&["reload", "--confirm", "60s"]);
    assert!(out(&output).contains("cache_time 1s -> 2s"), "{output:?}");
    assert!(server.status()["configuration"]["confirm_seconds_left"].is_number());
    assert!(out(&server.run(&["confirm"])).contains("generation 4 is confirmed"));
    assert!(server.status()["configuration"]["confirm_seconds_left"].is_null());
}

#[test]
fn a_server_that_drains_says_so() {
    let server = Server::start(&Conf::live(""));
    let _publisher = Publisher::start(server.rtmp, "s");
    server.signal(Signal::SIGQUIT);
    until_true("it drains", || server.status()["draining"] == true);
    assert!(err(&server.run(&["reload"])).contains("shutting down"));
}

#[test]
fn callbacks_are_listed_and_tested() {
    let notify = NotifyServer::start();
    let conf = Conf::live("\non_publish {callback}/p stage=done;\non_play {callback}/q;")
        .var("callback", notify.url(""));
    let mut server = Server::start(&conf);
    let _publisher = Publisher::start(server.rtmp, "s");
    let page = out(&server.run(&["status", "callbacks"]));
    assert!(page.contains("publish ") && page.contains("start 200") && page.contains("p99 <="), "{page}");
    let json = server.run(&["status", "callbacks", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["lines"][0]["answered_total"], 1);
    let text = server.prefix().read("conf/pingosd.conf");
    let line = 1 + text.lines().position(|line| line.contains("on_play")).unwrap();
    notify.answer("name=pingosd-probe", Answer::Status(403));
    let place = format!("pingosd.conf:{line}");
    let tested = server.run(&["callback", "test", &place]);
    assert!(out(&tested).contains("decision   refused") && out(&tested).contains("403"), "{tested:?}");
    assert_eq!(tested.status.code(), Some(1));
    notify.answer("name=pingosd-probe", Answer::Status(200));
    assert!(server.run(&["callback", "test", &place]).status.success());
    notify.answer("name=pingosd-probe", Answer::Status(403));
    notify.wait("call=play act=start name=pingosd-probe");
    let nowhere = server.run(&["callback", "test", "pingosd.conf:1"]);
    assert!(err(&nowhere).contains("there are: "), "{nowhere:?}");
    server.stop();
    let alone = server.run(&["callback", "test", &place]);
    assert!(out(&alone).contains("decision   refused") && alone.status.code() == Some(1), "{alone:?}");
}

#[test]
fn callback_lines_outside_of_applications_are_tested() {
    let notify = NotifyServer::start();
    let conf = Conf::new("\non_connect {callback}/c;\napplication live { live on; on_record {callback}/r; }")
        .rtmp("\non_proc {callback}/p;\non_master {callback}/m args=a=1;")
        .var("callback", notify.url(""));
    let server = Server::start(&conf);
    notify.wait("call=init_process");
    notify.wait("call=init_master");
    let text = server.prefix().read("conf/pingosd.conf");
    let place = |word: &str| {
        format!("pingosd.conf:{}", 1 + text.lines().position(|line| line.contains(word)).unwrap())
    };
    for (line, event, request, decision) in [
        ("on_connect", "connect", "call=connect act=start app=live", "allowed"),
        ("on_record", "record", "call=record act=start app=live name=pingosd-probe", "allowed"),
        ("on_proc", "proc", "call=init_process worker_id=0", "no effect"),
        ("on_master", "master", "call=init_master act=start a=1", "no effect"),
    ] {
        let seen = notify.requests_of(request).len();
        let tested = server.run(&["callback", "test", &place(line)]);
        let said = out(&tested);
        assert!(said.contains(&format!("callback   {event} ")), "{tested:?}");
        assert!(
            said.contains("answer     status 200") && said.contains(&format!("decision   {decision}")),
            "{said}"
        );
        assert_eq!(notify.requests_of(request).len(), seen + 1, "{line}");
    }
    let nowhere = server.run(&["callback", "test", "pingosd.conf:1"]);
    let known = err(&nowhere);
    assert_eq!(known.matches("pingosd.conf:").count(), 5, "each line once, and the one asked for: {known}");
}

/// Root may use every socket, and permissions exclude all other users. Here permissions allow the connection, and the
/// user id is checked.
#[test]
fn another_user_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: only root can become another user");
    }
    let server = Server::start(&Conf::live(""));
    let socket = server.prefix().path().join("logs/pingosd.sock");
    let ask = |user: u32| {
        let mut command = std::process::Command::new("curl");
        command.args(["--silent", "--http0.9", "--max-time", "20", "--unix-socket"]).arg(&socket);
        command.arg("http://pingosd/").uid(user).gid(user).output().unwrap()
    };
    const NOBODY: u32 = 65_534;
    assert_eq!(ask(NOBODY).status.code(), Some(7), "the mode keeps it out");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = out(&ask(NOBODY));
    assert!(refused.contains("only root and the server's user"), "{refused}");
    server.wait_log(&format!("control socket: refused user {NOBODY}"));
    assert!(out(&ask(0)).contains("not understood"), "root is heard");
    assert_eq!(server.status()["pid"], server.pid());
}

#[test]
fn sessions_are_counted_by_protocol() {
    let origin = Server::start(&Conf::live(""));
    let conf = Conf::new(
        "application live { live on; hls2 on; mpegts_cache_time 1s; } \
         application far { live on; push rtmp://127.0.0.1:{origin}/live; }",
    )
    .http_server(
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }",
    )
    .var("origin", origin.rtmp);
    let server = Server::start(&conf);
    let _live = Publisher::start(server.rtmp, "s").keep_sending();
    let _far = Publisher::with(RtmpClient::publish(server.rtmp, "far", "p"), support::frame::Tracks::Both);
    let _player = Player::start(server.rtmp, "s");
    let _flv = Player::http(server.http, "/flv/s");
    let mut ts = http::Connection::open(server.http);
    ts.send(b"GET /ts/s HTTP/1.1\r\nHost: h\r\n\r\n");
    let want = serde_json::json!({
        "http-flv": { "publishers": 0, "players": 1 },
        "http-ts": { "publishers": 0, "players": 1 },
        "relay": { "publishers": 0, "players": 1 },
        "rtmp": { "publishers": 2, "players": 1 },
    });
    until_true("all are counted", || server.status()["sessions"]["by_protocol"] == want);
    let sessions = &server.status()["sessions"];
    assert_eq!((&sessions["publishers"], &sessions["players"]), (&2.into(), &4.into()));
    let page = out(&server.run(&["status"]));
    assert!(page.contains("http-flv: 0 publishers, 1 player") && page.contains("relay: "), "{page}");
    until_true("the relay is counted at the other end, as who publishes", || {
        origin.status()["sessions"]["by_protocol"]["rtmp"]["publishers"] == 1
    });
}

#[test]
fn callbacks_under_way_are_counted() {
    let notify = NotifyServer::start();
    notify.answer("name=late", Answer::Late(std::time::Duration::from_secs(5), 200));
    let conf = Conf::live("on_publish {callback}/ timeout=10s;").var("callback", notify.url(""));
    let server = Server::start(&conf);
    assert_eq!(server.status()["queues"]["callbacks"], 0);
    let port = server.rtmp;
    let client = std::thread::spawn(move || RtmpClient::publish(port, "live", "late").wait_started());
    until_true("it is under way", || server.status()["queues"]["callbacks"] == 1);
    drop(client.join().unwrap());
    until_true("it is over", || server.status()["queues"]["callbacks"] == 0);
}
