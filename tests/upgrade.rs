//! SIGUSR2: a new process takes over the sockets, sessions continue in the old one.

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;

use support::frame::{GOP, Tracks};
use support::server::{PROGRAM, Prefix, Signal, free_port};
use support::upgrade::{Successor, number, old_pid_file, pid_file, start};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server, http, process};

/// What each process says of itself.
fn statuses(server: &Server) -> Vec<serde_json::Value> {
    let output = server.run(&["status", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_binary_is_replaced_and_no_frame_is_lost() {
    let conf = Conf::live("cache_time 1s;").with_flv();
    let (mut server, _) = start(&conf);
    let feed = Publisher::start(server.rtmp, "old").keep_sending();
    let players: Vec<Player> = (0..6)
        .map(|n| match n % 2 {
            0 => Player::http(server.http, "/flv/old"),
            _ => Player::start(server.rtmp, "old"),
        })
        .collect();
    players.iter().for_each(Player::wait_key);
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    assert_eq!(number(&old_pid_file(&server)), Some(server.pid()));
    // At any time a process accepts.
    server.signal(Signal::SIGQUIT);
    until_true("the old process has stopped accepting", || {
        server.log_lines("SIGQUIT").iter().any(|line| line.contains(&format!(" {}#", server.pid())))
    });
    let mut publisher = Publisher::start(server.rtmp, "new");
    successor.wait_log(&server, "publishing 'new'");
    let player = Player::start(server.rtmp, "new");
    let web = Player::http(server.http, "/flv/new");
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    web.assert_whole(Tracks::Both, last);
    assert!(server.is_running(), "its sessions go on");
    let last = feed.stop().next() - 1;
    for player in &players {
        player.assert_whole(Tracks::Both, last);
    }
    drop(players);
    assert!(server.wait_exit().success());
    assert!(!old_pid_file(&server).exists());
    assert_eq!(number(&pid_file(&server)), Some(successor.0));
    // The command line speaks to the new one.
    let told = server.prefix().command().args(["-s", "reload"]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    successor.wait_log(&server, " reloaded, generation ");
    let last = publisher.send(GOP);
    player.assert_whole(Tracks::Both, last);
    process::signal(successor.0, Signal::SIGTERM);
    until_true("the new process ends", || !pid_file(&server).exists());
}

#[test]
fn both_processes_answer_one_status() {
    let conf = Conf::live("").with_flv();
    let (mut server, _) = start(&conf);
    server.reload(&Conf::live("cache_time 1s;").with_flv());
    let mut old = Publisher::start(server.rtmp, "old");
    let old_player = Player::http(server.http, "/flv/old");
    until_true("both are counted", || server.status()["sessions"]["players"] == 1);
    server.rewrite(&Conf::live("cache_time 2s;").with_flv());
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    server.signal(Signal::SIGWINCH);
    server.wait_log("accepting no more connections");
    let mut new = Publisher::start(server.rtmp, "new");
    let new_players = [Player::start(server.rtmp, "new"), Player::http(server.http, "/flv/new")];
    let players = |status: &serde_json::Value| status["sessions"]["players"].as_u64();
    until_true(
        "all are counted",
        || matches!(&statuses(&server)[..], [after, before] if players(after) == Some(2) && players(before) == Some(1)),
    );
    let [after, before] = &statuses(&server)[..] else { panic!() };
    assert_eq!((&after["pid"], &before["pid"]), (&successor.0.into(), &server.pid().into()));
    assert_eq!(after["sessions"]["by_protocol"]["rtmp"]["publishers"], 1);
    assert_eq!(before["sessions"]["by_protocol"]["http-flv"]["players"], 1);
    let generation = |status: &serde_json::Value| status["configuration"]["generation"].as_u64();
    assert_eq!(
        (generation(after), generation(before)),
        (Some(3), Some(2)),
        "each says what is in force in it"
    );
    assert_eq!((&after["draining"], &before["draining"]), (&false.into(), &false.into()));
    let page = String::from_utf8(server.run(&["status"]).stdout).unwrap();
    assert_eq!(page.matches("server  ").count(), 2, "{page}");
    server.signal(Signal::SIGQUIT);
    until_true(
        "the old one says that it waits for its sessions",
        || matches!(&statuses(&server)[..], [_, before] if before["draining"] == true),
    );
    // A rollback is the new one's; the old one's sessions are none of its business.
    let output = server.run(&["rollback"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("cache_time 2s -> 1s"), "{output:?}");
    let last = old.send(GOP);
    old_player.assert_whole(Tracks::Both, last);
    let last = new.send(GOP);
    new_players.iter().for_each(|player| player.assert_whole(Tracks::Both, last));
    old.leave();
    drop(old_player);
    assert!(server.wait_exit().success());
    let [alone] = &statuses(&server)[..] else { panic!() };
    assert_eq!(alone["pid"], successor.0);
}

#[test]
fn new_connections_are_served_at_any_moment_of_an_upgrade() {
    let conf = Conf::live("").http_server("return 200 here;");
    let (mut server, _) = start(&conf);
    let port = server.http;
    let asking = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = std::thread::spawn({
        let asking = asking.clone();
        move || {
            let mut count = 0;
            while asking.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(http::get(port, "/").text(), "here");
                count += 1;
            }
            count
        }
    });
    server.signal(Signal::SIGUSR2);
    let _successor = Successor::of(&server);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_exit().success());
    assert_eq!(http::get(port, "/").text(), "here");
    asking.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(asked.join().unwrap() > 0);
}

#[test]
fn who_was_accepted_before_the_drain_gets_an_answer() {
    let mut server = Server::start(&Conf::live("").http_server("return 200 here;"));
    let mut early = http::Connection::open(server.http);
    // It is accepted: a later client was answered.
    assert_eq!(http::get(server.http, "/").text(), "here");
    server.signal(Signal::SIGQUIT);
    server.wait_log("SIGQUIT");
    early.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(early.response(false).text(), "here");
    assert!(server.wait_exit().success());
}

#[test]
fn a_binary_that_does_not_start_changes_nothing() {
    let conf = Conf::live("");
    let (mut server, program) = start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    for broken in ["/bin/false", "/no/such/program", "/etc/passwd"] {
        let before = server.log_lines("[alert]").len();
        fs::remove_file(&program).unwrap();
        symlink(broken, &program).unwrap();
        server.signal(Signal::SIGUSR2);
        until_true("it is told", || server.log_lines("[alert]").len() > before);
        until_true("the pid file is back", || number(&pid_file(&server)) == Some(server.pid()));
        assert!(!old_pid_file(&server).exists());
    }
    // Nor does one that finds a mistake in the configuration.
    fs::remove_file(&program).unwrap();
    symlink(PROGRAM, &program).unwrap();
    server.rewrite(&Conf::new("no_such_directive;"));
    let before = server.log_lines("[alert]").len();
    server.signal(Signal::SIGUSR2);
    until_true("it is told", || server.log_lines("[alert]").len() > before);
    until_true("the pid file is back", || number(&pid_file(&server)) == Some(server.pid()));
    server.wait_log("the new binary says: nginx: [emerg] unknown directive \"no_such_directive\"");
    server.reload(&conf);
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    Player::start(server.rtmp, "s");
    // And then it works.
    server.signal(Signal::SIGUSR2);
    let _successor = Successor::of(&server);
    assert!(server.is_running());
}

/// The log says why, and clients find no address closed.
#[test]
fn an_upgrade_that_cannot_serve_every_address_is_refused() {
    let (https, taken) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let shows =
        format!("ssl_certificate {}; ssl_certificate_key {};", file("origin.crt"), file("origin.key"));
    let missing = "ssl_certificate missing.crt; ssl_certificate_key missing.key;";
    let conf = |listen: &str, shows: &str| {
        Conf::live("").http_server(&format!("listen 127.0.0.1:{https} ssl; {listen} {shows}"))
    };
    let (server, _) = start(&conf("", &shows));
    let taken = taken.local_addr().unwrap();
    for (conf, why) in [
        (conf("", missing), "missing.crt".to_owned()),
        (conf(&format!("listen {taken};"), &shows), format!("bind() to {taken} failed (98")),
    ] {
        server.rewrite(&conf);
        let before = server.log_lines("this process serves in its place").len();
        server.signal(Signal::SIGUSR2);
        until_true("it is told", || server.log_lines("this process serves in its place").len() > before);
        until_true("the reason is told", || {
            server.log_lines("[emerg]").iter().any(|line| line.contains(&why))
        });
        assert!(TcpStream::connect(("127.0.0.1", https)).is_ok());
    }
    assert!(server.log_lines("no \"listen\" has its address").is_empty());
}

#[test]
fn an_upgrade_without_its_configuration_file_does_not_begin_with_the_built_in_one() {
    let prefix = Prefix::new();
    let (directory, link) = (prefix.path().to_owned(), prefix.path().join("conf/nginx.conf"));
    symlink(prefix.conf(), &link).unwrap();
    let mut server = Server::start_with(prefix, &Conf::live(""), |command, _, _| {
        *command = std::process::Command::new(PROGRAM);
        command.arg("-p").arg(directory);
    });
    fs::remove_file(&link).unwrap();
    server.signal(Signal::SIGUSR2);
    server.wait_log("new binary process has ended");
    until_true("the pid file is back", || number(&pid_file(&server)) == Some(server.pid()));
    Publisher::start(server.rtmp, "s").leave();
    assert!(server.is_running());
}

#[test]
fn an_upgrade_can_be_taken_back() {
    let conf = Conf::live("");
    let (server, _) = start(&conf);
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    server.signal(Signal::SIGUSR2);
    server.wait_log("the new binary runs already");
    process::signal(successor.0, Signal::SIGUSR2);
    successor.wait_log(&server, "the old binary still runs");
    server.signal(Signal::SIGWINCH);
    server.wait_log("accepting no more connections");
    Publisher::start(server.rtmp, "new").leave();
    successor.wait_log(&server, "publishing 'new'");
    // Back: the old one accepts again, the new one goes.
    server.signal(Signal::SIGHUP);
    server.wait_log("accepting connections again");
    process::signal(successor.0, Signal::SIGQUIT);
    server.wait_log("new binary process has ended");
    until_true("the pid file is back", || number(&pid_file(&server)) == Some(server.pid()));
    Publisher::start(server.rtmp, "again").leave();
    until_true("the old process serves", || {
        let old = format!(" {}#", server.pid());
        server.log_lines("publishing 'again'").iter().any(|line| line.contains(&old))
    });
    server.reload(&conf);
}

#[test]
fn the_new_process_too_stops_accepting_and_accepts_again() {
    let (server, _) = start(&Conf::live(""));
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    server.signal(Signal::SIGWINCH);
    server.wait_log("accepting no more connections");
    successor.signal(Signal::SIGWINCH);
    successor.wait_log(&server, "accepting no more connections");
    // Both sockets stay open: a client that connects now waits.
    let waiting = std::thread::spawn({
        let port = server.rtmp;
        move || Publisher::start(port, "s").leave()
    });
    successor.signal(Signal::SIGHUP);
    successor.wait_log(&server, "accepting connections again");
    waiting.join().unwrap();
    successor.wait_log(&server, "publishing 's'");
    // The next one reloads.
    successor.signal(Signal::SIGHUP);
    successor.wait_log(&server, "stays in force: no directive has changed");
}

#[test]
fn a_successor_that_dies_leaves_the_sockets_to_the_old_process() {
    let (server, _) = start(&Conf::live("").http_server("listen unix:{dir}/web; return 200 here;"));
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    server.signal(Signal::SIGWINCH);
    server.wait_log("accepting no more connections");
    process::signal(successor.0, Signal::SIGKILL);
    server.wait_log("this process serves in its place");
    until_true("the pid file is back", || number(&pid_file(&server)) == Some(server.pid()));
    Publisher::start(server.rtmp, "s").leave();
    assert!(std::os::unix::net::UnixStream::connect(server.prefix().path().join("web")).is_ok());
}

#[test]
fn unix_sockets_move_to_the_new_process() {
    let (mut server, _) = start(&Conf::live("").http_server("listen unix:{dir}/web; return 200 here;"));
    let path = server.prefix().path().join("web");
    server.signal(Signal::SIGUSR2);
    let successor = Successor::of(&server);
    assert!(server.stop().success());
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    process::signal(successor.0, Signal::SIGTERM);
    until_true("the socket is removed by who has it", || !path.exists());
}

#[test]
fn an_upgraded_server_can_be_upgraded() {
    let (mut server, _) = start(&Conf::live(""));
    server.signal(Signal::SIGUSR2);
    let second = Successor::of(&server);
    assert!(server.stop().success());
    until_true("the second is alone", || !old_pid_file(&server).exists());
    process::signal(second.0, Signal::SIGUSR2);
    let third = Successor::after(&server, second.0);
    process::signal(second.0, Signal::SIGTERM);
    until_true("the third is alone", || !old_pid_file(&server).exists());
    Publisher::start(server.rtmp, "s").leave();
    third.wait_log(&server, "publishing 's'");
}

/// `bytes_in` and `bytes_out` of the whole server, then of its only stream.
fn traffic(server: &Server) -> Vec<[u64; 2]> {
    let text = http::get(server.http, "/stat").text();
    let values = |name: &str| -> Vec<u64> {
        let begin = format!("<{name}>");
        text.split(&begin).skip(1).map(|rest| rest.split('<').next().unwrap().parse().unwrap()).collect()
    };
    values("bytes_in").into_iter().zip(values("bytes_out")).map(|(received, sent)| [received, sent]).collect()
}

#[test]
fn counters_never_fall() {
    let conf = Conf::live("").http_server("location /stat { rtmp_stat all; }");
    let (mut server, _) = start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    player.assert_whole(Tracks::Both, publisher.send(10 * GOP));
    until_true("the player's bytes are counted", || traffic(&server)[0][1] > 10_000);
    let before = traffic(&server);
    assert_eq!((before.len(), before[0]), (2, before[1]));
    player.reset();
    server.wait_log("stopped playing 's'");
    until_true("one session", || http::get(server.http, "/stat").text().contains("<nclients>1<"));
    let without = traffic(&server);
    assert!(without[0][1] >= before[0][1] && without[1][1] >= before[1][1], "{before:?} {without:?}");
    server.reload(&conf.main("worker_shutdown_timeout 5s;"));
    let received = traffic(&server)[0][0];
    publisher.leave();
    server.wait_log("stopped publishing 's'");
    until_true("no session", || traffic(&server).len() == 1);
    let ended = traffic(&server)[0];
    assert!(ended[0] >= received && ended[1] >= without[0][1], "{ended:?}");
    server.signal(Signal::SIGUSR2);
    let _successor = Successor::of(&server);
    assert!(server.stop().success());
    until_true("the new process is alone", || !old_pid_file(&server).exists());
    let after = traffic(&server)[0];
    assert!(after[0] >= ended[0] && after[1] >= ended[1], "{ended:?} {after:?}");
}
