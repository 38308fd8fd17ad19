//! Logs: files that are rotated, full or hang, syslog, memory, and RTMP access logs.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;
use support::server::{Prefix, Signal};
use support::wait::until_true;
use support::{Conf, Player, Publisher, RtmpClient, Server, http};

/// An application `live` with these lines about logs.
fn conf(lines: &str) -> Conf {
    Conf::live("").rtmp(lines).http("access_log off;").with_flv()
}

/// Publishes a stream and leaves.
fn publish(server: &Server, name: &str) {
    let mut publisher = Publisher::start(server.rtmp, name);
    publisher.send(3);
    publisher.leave();
}

/// As [`publish`], and waits until the server has seen the end.
fn publish_to_the_end(server: &Server, name: &str) {
    let ended = || server.log_lines(" client disconnected ").len();
    let before = ended();
    publish(server, name);
    until_true("the end of the connection", || ended() > before);
}

/// Connects to the application and leaves without asking for a stream.
fn connect(server: &Server) {
    const HANDSHAKE: usize = 1 + 2 * 1536;
    let mut client = RtmpClient::play(server.rtmp, "live", "s");
    let mut handshake = [0; HANDSHAKE];
    client.socket.set_read_timeout(Some(support::wait::PATIENCE)).unwrap();
    client.socket.read_exact(&mut handshake).unwrap();
    // This sends `connect`; its answer is left unread, so that nothing follows.
    client.take(&handshake);
    assert!(client.socket.peek(&mut [0]).unwrap() > 0);
}

#[track_caller]
fn wait_line(server: &Server, log: &str, text: &str) {
    until_true(&format!("`{text}` in {log}"), || server.prefix().read(log).contains(text));
}

fn lines(server: &Server, log: &str, text: &str) -> usize {
    server.prefix().read(log).lines().filter(|line| line.contains(text)).count()
}

#[test]
fn an_rtmp_client_has_one_line_at_its_end() {
    let server = Server::start(&conf(
        "log_format own '$command $app $name <$args> $parg_k $domain $stream $be_video$be_audio' ' $flashver';
         access_log logs/own.log own; access_log logs/default.log;",
    ));
    let feed = Publisher::start(server.rtmp, "s?k=v&w=\"x\\").keep_sending();
    let player = Player::http(server.http, "/flv/s?k=2");
    player.wait_key();
    drop(player);
    feed.stop().leave();
    // It connects and asks for no stream.
    connect(&server);
    wait_line(&server, "logs/default.log", " NONE \"live\" \"\" \"\" - ");
    wait_line(&server, "logs/default.log", " PLAY \"live\" \"s\" \"k=2\" - ");
    wait_line(&server, "logs/default.log", " PUBLISH \"live\" \"s\" \"k=v&w=\\x22x\\x5C\" - ");
    wait_line(&server, "logs/own.log", "PUBLISH live s <k=v&w=\\x22x\\x5C> v 127.0.0.1 ");
    wait_line(&server, "logs/own.log", "/live/s 11 ");
    assert_eq!(server.prefix().read("logs/default.log").lines().count(), 3);
    assert!(!server.prefix().path().join("logs/access.log").exists(), "the default is replaced");
}

#[test]
fn periodic_lines_come_during_a_session_and_bits_count_once() {
    let server = Server::start(&conf(
        "log_format bits '$command $bitrate $bytes_received'; access_log logs/bits.log bits trunc=100ms;",
    ));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    until_true("several lines", || lines(&server, "logs/bits.log", "PUBLISH ") >= 4);
    feed.stop().leave();
    let file = || server.prefix().read("logs/bits.log");
    // A publisher's count of bytes includes the last line, which comes at the end of the connection.
    let sums = |text: &str| {
        let number = |line: &str, n: usize| line.split(' ').nth(n).unwrap().parse::<u64>().unwrap();
        let bits: u64 = text.lines().map(|line| number(line, 1)).sum();
        (bits, text.lines().last().map(|line| 8 * number(line, 2)).unwrap_or_default())
    };
    let mut before = String::new();
    until_true("no more lines", || {
        let (now, pause) = (file(), Duration::from_millis(300));
        std::thread::sleep(pause);
        std::mem::replace(&mut before, now) == file()
    });
    let (bits, bytes) = sums(&file());
    assert_eq!(bits, bytes, "{}", file());
}

#[test]
fn usr1_opens_all_logs_again() {
    let server = Server::start(&conf("access_log logs/a.log; access_log logs/b.log;"));
    publish(&server, "before");
    wait_line(&server, "logs/b.log", "before");
    wait_line(&server, "logs/a.log", "before");
    for name in ["a.log", "b.log", "error.log"] {
        let path = server.prefix().path().join("logs").join(name);
        fs::rename(&path, path.with_extension("1")).unwrap();
    }
    server.signal(Signal::SIGUSR1);
    server.wait_log("reopening logs");
    publish(&server, "after");
    for name in ["a", "b"] {
        wait_line(&server, &format!("logs/{name}.log"), "after");
        assert_eq!(lines(&server, &format!("logs/{name}.log"), "before"), 0);
        assert_eq!(lines(&server, &format!("logs/{name}.1"), "after"), 0);
    }
}

#[test]
fn a_reload_changes_the_logs_of_running_sessions_and_loses_no_line() {
    let server = Server::start(&conf("access_log logs/a.log;"));
    let mut running = Publisher::start(server.rtmp, "running");
    running.send(3);
    publish_to_the_end(&server, "first");
    server.reload(&conf("log_format f 'new $name'; access_log logs/b.log f;"));
    publish(&server, "second");
    running.leave();
    wait_line(&server, "logs/b.log", "new running\n");
    wait_line(&server, "logs/b.log", "new second\n");
    wait_line(&server, "logs/a.log", "\"first\"");
    assert_eq!(lines(&server, "logs/a.log", "\"running\""), 0);
    server.reload(&conf("access_log off;"));
    publish_to_the_end(&server, "third");
    server.reload(&conf("access_log logs/c.log;"));
    publish(&server, "fourth");
    wait_line(&server, "logs/c.log", "\"fourth\"");
    let texts = ["a", "b", "c"].map(|name| server.prefix().read(&format!("logs/{name}.log"))).concat();
    assert!(!texts.contains("third"));
}

#[test]
fn many_lines_over_reloads_are_all_there_once() {
    let server = Server::start(&conf("access_log logs/a.log;"));
    std::thread::scope(|scope| {
        let publishers = scope.spawn(|| (0..60).for_each(|n| publish(&server, &format!("s{n}."))));
        for n in 0..4 {
            server.reload(&conf(&format!("access_log logs/a.log; # {n}")));
        }
        publishers.join().unwrap();
    });
    for n in 0..60 {
        wait_line(&server, "logs/a.log", &format!("\"s{n}.\""));
        assert_eq!(lines(&server, "logs/a.log", &format!("\"s{n}.\"")), 1);
    }
}

#[test]
fn a_full_disk_costs_lines_which_are_counted_and_reported() {
    let server = Server::start(&conf("access_log /dev/full; access_log logs/a.log;"));
    publish(&server, "s");
    wait_line(&server, "logs/a.log", "\"s\"");
    server.wait_log("[alert]");
    let report = server.log_lines("write() to \"/dev/full\" failed (28: No space left on device)");
    assert!(report.len() == 1 && report[0].contains(", 1 log line was lost"), "{report:?}");
    (0..3).for_each(|n| publish(&server, &format!("t{n}")));
    until_true("the lines are counted", || server.status()["queues"]["log_lines_lost_total"] == 4);
    assert_eq!(server.log_lines("/dev/full").len(), 1, "not once for each line");
}

#[test]
fn a_log_that_hangs_delays_nothing_else() {
    let prefix = Prefix::new();
    let fifo = prefix.path().join("logs/fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    // It is open for reading, and nothing is read.
    let mut reader = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&fifo).unwrap();
    let long = "x".repeat(900);
    let mut server = Server::start_in(
        prefix,
        &conf(&format!("log_format l '$name {long}'; access_log logs/fifo l; access_log logs/a.log;")),
    );
    // A FIFO takes 64 KiB.
    for n in 0..100 {
        publish(&server, &format!("s{n}."));
    }
    wait_line(&server, "logs/a.log", "\"s99.\"");
    server.signal(Signal::SIGUSR1);
    publish(&server, "later");
    wait_line(&server, "logs/a.log", "\"later\"");
    let mut text = Vec::new();
    let _ = reader.read_to_end(&mut text);
    assert!(text.starts_with(b"s0. x"));
    // The end waits for it within bounds.
    assert!(server.stop().success());
}

#[test]
fn a_log_that_cannot_be_opened_refuses_the_start_and_a_reload() {
    let server = Server::start(&conf("access_log logs/a.log;"));
    server.rewrite(&conf("access_log none/a.log;"));
    server.signal(Signal::SIGHUP);
    server.wait_log("reload refused");
    let why = server.log_lines("none/a.log\" failed (2: No such file or directory)");
    assert!(why.iter().any(|line| line.contains("[emerg]")), "{why:?}");
    publish(&server, "s");
    wait_line(&server, "logs/a.log", "\"s\"");
    let test = server.run(&["-t"]);
    let text = String::from_utf8_lossy(&test.stderr);
    assert!(!test.status.success() && text.contains("none/a.log\" failed (2: "), "{text}");
}

#[test]
fn the_error_log_goes_to_several_places_each_with_its_level() {
    let prefix = Prefix::new();
    let socket = UnixDatagram::bind(prefix.path().join("syslog")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let main = "error_log logs/notice.log notice; error_log memory:2k debug; error_log stderr crit;
                error_log syslog:server=unix:{dir}/syslog,facility=daemon,tag=media,nohostname notice;";
    let server = Server::start_in(prefix, &conf("").main(main));
    publish(&server, "s");
    server.wait_log("publish: name='s'");
    assert_eq!(lines(&server, "logs/notice.log", "publish: name="), 0);
    assert_eq!(lines(&server, "logs/notice.log", " [notice] "), server.log_lines(" [notice] ").len());
    assert!(server.prefix().read("stderr").is_empty());
    let mut message = vec![0; 4096];
    let length = socket.recv(&mut message).unwrap();
    let text = String::from_utf8_lossy(&message[..length]).into_owned();
    // Facility daemon (3) and severity notice (5).
    let (head, line) = text.split_once(" media: ").unwrap();
    assert!(head.starts_with("<29>") && head.len() == "<29>Nov 28 13:02:48".len(), "{text}");
    assert!(line.contains(" [notice] ") && line.ends_with(" started, 2 workers"), "{text}");
}

#[test]
fn a_syslog_server_that_is_missing_costs_lines_and_one_that_comes_back_gets_the_next() {
    let prefix = Prefix::new();
    let path = prefix.path().join("syslog");
    let main = "error_log syslog:server=unix:{dir}/syslog info;";
    let server = Server::start_in(prefix, &conf("").main(main));
    publish(&server, "lost");
    until_true("lines are counted", || server.status()["queues"]["log_lines_lost_total"].as_u64() > Some(0));
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    publish(&server, "there");
    let mut message = vec![0; 4096];
    until_true("a line arrives", || {
        let length = socket.recv(&mut message).unwrap();
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        // Facility local7 (23) and severity info (6), with the machine's name.
        text.starts_with("<190>") && text.contains(" nginx: ") && text.contains("publish: name='there'")
    });
}

#[test]
fn lines_of_the_last_moment_are_written_before_the_end() {
    let mut server = Server::start(&conf("access_log logs/a.log;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(3);
    assert!(server.stop().success());
    assert_eq!(lines(&server, "logs/a.log", "PUBLISH \"live\" \"s\""), 1);
    drop(publisher);
}

#[test]
fn a_log_may_be_another_program_s_pipe() {
    let prefix = Prefix::new();
    let fifo = prefix.path().join("logs/fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let out = File::create(prefix.path().join("out")).unwrap();
    let mut cat = Command::new("cat").arg(&fifo).stdout(out).spawn().unwrap();
    // `cat` opens it for reading; until then it cannot be opened for writing.
    until_true("the reader is there", || {
        OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&fifo).is_ok_and(|kept| {
            // Kept open, so that the reader sees no end before the server has opened it.
            std::mem::forget(kept);
            true
        })
    });
    let mut server = Server::start_in(prefix, &conf("access_log logs/fifo;"));
    publish(&server, "s");
    wait_line(&server, "out", "PUBLISH \"live\" \"s\"");
    assert!(server.stop().success());
    cat.kill().unwrap();
    cat.wait().unwrap();
}

/// HTTP requests are logged with these lines in `http`; `/flv` serves the streams.
fn http_conf(lines: &str) -> Conf {
    Conf::live("cache_time 1s;").rtmp("access_log off;").http(lines).with_flv()
}

#[test]
fn http_requests_are_logged_in_every_way() {
    let prefix = Prefix::new();
    let socket = UnixDatagram::bind(prefix.path().join("syslog")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let server = Server::start_in(
        prefix,
        &http_conf(
            "log_format own '$request_method $uri $arg_x';
             access_log logs/if.log own if=$arg_x;
             access_log logs/flushed.log own buffer=64k flush=200ms;
             access_log logs/kept.log.gz own gzip;
             access_log logs/$arg_x.log own;
             access_log syslog:server=unix:{dir}/syslog,severity=warn,tag=web own;",
        ),
    );
    let get = |target: &str, line: &str| {
        assert_eq!(http::get(server.http, target).status(), 404);
        let mut message = vec![0; 4096];
        // The next request is sent after this one is logged.
        let length = socket.recv(&mut message).unwrap();
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        // Facility local7 (23) and severity warn (4).
        assert!(text.starts_with("<188>") && text.ends_with(&format!(" web: {line}")), "{text}");
    };
    get("/none?x=1", "GET /none 1");
    get("/none?x=0", "GET /none 0");
    get("/none?x=../conf/x", "GET /none ../conf/x");
    wait_line(&server, "logs/if.log", "GET /none ../conf/x\n");
    assert_eq!(server.prefix().read("logs/if.log").lines().count(), 2);
    // The time of `flush=` passes without further lines.
    wait_line(&server, "logs/flushed.log", "GET /none ../conf/x\n");
    assert_eq!(server.prefix().read("logs/flushed.log").lines().count(), 3);
    wait_line(&server, "logs/1.log", "GET /none 1\n");
    server.wait_log("leads out of the directories of");
    assert!(!server.prefix().path().join("conf/x.log").exists());
    // A compressed buffer is written at the end at the latest, or when logs are reopened.
    assert!(server.prefix().read("logs/kept.log.gz").is_empty());
    server.signal(Signal::SIGUSR1);
    let gz = server.prefix().path().join("logs/kept.log.gz");
    until_true("the buffer is written", || fs::metadata(&gz).is_ok_and(|found| found.len() > 0));
    let unpacked = Command::new("gunzip").arg("-c").arg(&gz).output().unwrap();
    let lines = "GET /none 1\nGET /none 0\nGET /none ../conf/x\n";
    assert_eq!(String::from_utf8_lossy(&unpacked.stdout), lines);
}

#[test]
fn a_buffered_log_is_complete_after_quit() {
    let mut server = Server::start(&http_conf("log_format own '$uri'; access_log logs/a.log own buffer=1m;"));
    for n in 0..50 {
        http::get(server.http, &format!("/{n}"));
    }
    assert!(server.prefix().read("logs/a.log").is_empty());
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    let text = server.prefix().read("logs/a.log");
    let mut numbers: Vec<u32> = text.lines().map(|line| line[1..].parse().unwrap()).collect();
    // Two workers serve the connections.
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_live_response_is_logged_at_its_end_with_its_bytes() {
    let server = Server::start(&http_conf(
        "log_format own '$uri $status $body_bytes_sent'; access_log logs/a.log own;",
    ));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::http(server.http, "/flv/s");
    player.wait_frame(30);
    assert!(server.prefix().read("logs/a.log").is_empty());
    drop(player);
    wait_line(&server, "logs/a.log", "/flv/s 200 ");
    let bytes: u64 = server.prefix().read("logs/a.log").trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(bytes > 1000, "{bytes}");
    feed.stop();
}

#[test]
fn errors_name_the_request_as_in_nginx() {
    let server = Server::start(
        &Conf::live("")
            .http_server("location / { mirror /copy; empty_gif; } location = /copy { root nowhere; }"),
    );
    http::get_with(server.http, "/x?y", "Referer: http://a/\r\n");
    let ends = "client: 127.0.0.1, server: , request: \"GET /x?y HTTP/1.1\"";
    until_true("the error has the request", || {
        let lines = server.log_lines("nowhere/copy\" failed (2: No such file or directory), ");
        lines.iter().any(|line| {
            line.contains(&format!("{ends}, subrequest: \"/copy\", host: \""))
                && line.ends_with("referrer: \"http://a/\"")
        })
    });
}

#[test]
fn errors_of_requests_have_nginxs_words() {
    let server = Server::start(&Conf::live("").http_server(
        "index a.html b.html; root html;
         location /turn { try_files /none /turn/again; }
         location /none-given { proxy_pass http://$arg_h; }
         location /refused { auth_request /asked; root html; }
         location /asked { internal; return 404; }
         location /refused-behind { auth_request /behind; root html; }
         location /behind { internal; proxy_pass http://127.0.0.1:$server_port/missing; }
         location /rate { limit_rate $arg_rate; return 200 x; }
         location /id { userid on; return 200 x; }
         location /unset { if ($arg_x) { set $unset a; } return 200 \"$unset\"; }
         location /alias/ { alias html/; rewrite ^ /b.txt break; }
         location /up { rewrite ^ /../b.txt break; root html; }
         location /over { rewrite ^ /../b/ break; root html; }
         location /part { rewrite ^ /../b.flv break; root html; flv; }",
    ));
    for (path, text) in [
        ("/no/", "/html/no/a.html\" is not found (2: No such file or directory), client: "),
        (
            "/turn",
            "rewrite or internal redirection cycle while internally redirecting to \"/turn/again\", client: ",
        ),
        ("/none-given", "invalid URL prefix in \"http://\", client: "),
        ("/none-given?h=:80/x", "no host in upstream \":80/x\", client: "),
        ("/none-given?h=127.0.0.1:/x", "invalid port in upstream \"127.0.0.1:/x\", client: "),
        ("/refused", "auth request unexpected status: 404, client: "),
        ("/refused-behind", "auth request unexpected status: 404 while sending to client, client: "),
        ("/rate", "invalid size \"\", client: "),
        ("/unset", "using uninitialized \"unset\" variable, client: "),
        ("/alias/x", "\"alias\" cannot be used in location \"/alias/\" where URI was rewritten, client: "),
        ("/over", "\"/../b/\" is not served: \"..\" may lead out of the directory, client: "),
        ("/part", "\"/../b.flv\" is not served: \"..\" may lead out of the directory, client: "),
        ("/up", "\"/../b.txt\" is not served: \"..\" may lead out of the directory, client: "),
    ] {
        http::get(server.http, path);
        server.wait_log(text);
    }
    http::get_with(server.http, "/id", "Cookie: a=b; uid=bad\r\n");
    server.wait_log("client sent too short userid cookie \"a=b; uid=bad\", client: ");
}

#[test]
fn begin_and_end_of_a_publish_and_refusals_are_notices() {
    let conf =
        Conf::live("allow publish 127.0.0.1; deny play all;").main("error_log logs/notice.log notice;");
    let server = Server::start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(20);
    wait_line(&server, "logs/notice.log", "publishing 's', client: 127.0.0.1, app: 'live'");
    let mut second = RtmpClient::publish(server.rtmp, "live", "s");
    second.wait_status("NetStream.Publish.BadName");
    wait_line(
        &server,
        "logs/notice.log",
        "stream is already publishing: 's', client: 127.0.0.1, app: 'live'",
    );
    RtmpClient::play(server.rtmp, "live", "s").wait_end();
    wait_line(&server, "logs/notice.log", "access forbidden by rule, client: 127.0.0.1");
    publisher.leave();
    let end = "stopped publishing 's', client: 127.0.0.1, app: 'live', video: H264, audio: AAC, lasted: ";
    wait_line(&server, "logs/notice.log", end);
    let text = server.prefix().read("logs/notice.log");
    let line = text.lines().find(|line| line.contains(end)).unwrap();
    let (_, rest) = line.split_once(" s, bytes: ").unwrap();
    let (bytes, end) = rest.split_once(", ended by: ").unwrap();
    assert!(bytes.parse::<u64>().unwrap() > 1_000 && end == "normal_close", "{line}");
}

#[test]
fn an_error_log_in_json_has_an_object_a_line() {
    let conf = Conf::live("").main("error_log logs/own.json info json; error_log logs/few.json error json;");
    let server = Server::start(&conf);
    publish_to_the_end(&server, "s\"\\");
    wait_line(&server, "logs/own.json", "stopped publishing");
    for line in server.prefix().read("logs/own.json").lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(
            value["pid"] == server.pid() && value["tid"].is_number() && value["time"].is_string(),
            "{line}"
        );
        assert!(!value["message"].as_str().unwrap().is_empty() && value["level"].is_string(), "{line}");
        if line.contains("stopped publishing") {
            assert!(value["connection"].is_number());
            assert!(value["message"].as_str().unwrap().contains("'s\\x22\\x5C'"), "{line}");
        }
    }
    assert_eq!(server.prefix().read("logs/few.json"), "");
    // A reload changes the form.
    server.reload(&Conf::live("").main("error_log logs/own.json info;"));
    publish_to_the_end(&server, "t");
    wait_line(&server, "logs/own.json", "[notice] ");
}

#[test]
fn values_of_secret_arguments_stay_out_of_request_lines() {
    let server = Server::start(&Conf::live("").http_server("location / { root {dir}/none; }"));
    for (target, want) in [
        ("/a?token=abc&n=1", "\"GET /a?token=***&n=1 HTTP/1.1\""),
        ("/b?n=1&Password=abc", "\"GET /b?n=1&Password=*** HTTP/1.1\""),
    ] {
        http::get(server.http, target);
        server.wait_log(want);
    }
    assert!(!server.log().contains("=abc"));
    server.reload(&Conf::live("").main("log_args on;").http_server("location / { root {dir}/none; }"));
    http::get(server.http, "/c?token=abc");
    server.wait_log("/c?token=abc");
}

#[test]
fn an_error_that_repeats_is_written_once_and_counted() {
    let nobody = support::server::free_port();
    let conf = Conf::live("on_publish http://127.0.0.1:{port}/;").var("port", nobody);
    let server = Server::start(&conf);
    let error = "notify publish start: no answer (111: Connection refused)";
    for _ in 0..4 {
        RtmpClient::publish(server.rtmp, "live", "s").wait_status("NetStream.Publish.Forbidden");
    }
    server.wait_log(&format!("last message repeated 3 times: {error}"));
    assert_eq!(server.log_lines(error).len(), 2, "{}", server.log());
    // Requests over HTTP are counted by scripts: each has its line.
    let server = Server::start(&Conf::live("").http_server("location / { root {dir}/none; }"));
    for _ in 0..3 {
        http::get(server.http, "/same");
    }
    until_true("each has a line", || server.log_lines("/same\" failed (2: No such file").len() == 3);
}
