//! What hangs or dies within the server is seen and does not take the rest with it.

// Faults are asked for, which builds with debug assertions alone allow.
#![cfg(debug_assertions)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use support::server::{PROGRAM, Prefix, Signal};
use support::wait::{until, until_true};
use support::{Conf, Player, Publisher, Server, http, process};

/// Reloads that hang before they open the logs, as where those are on a file system that hangs.
struct Hanging(PathBuf);

impl Hanging {
    /// A server whose reloads can be made to hang.
    fn server() -> (Server, Self) {
        let prefix = Prefix::new();
        let faults = prefix.path().join("faults");
        fs::create_dir(&faults).unwrap();
        let server = Server::start_with(prefix, &live(), |command, _, _| {
            command.env("PINGOSD_FAULTS", &faults);
        });
        (server, Hanging(faults.join("reload_stalls")))
    }

    /// From now on they do, those of another configuration.
    fn begin(&self, server: &Server, conf: &Conf) {
        fs::write(&self.0, "").unwrap();
        server.rewrite(conf);
    }

    fn release(&self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn wait_hung(server: &Server) {
    until_true("files are not read", || server.status()["configuration"]["on_disk"] == "unknown");
}

fn live() -> Conf {
    Conf::live("")
        .http_server("location /flv { flv_live {rtmp_port} app=live; } location /stat { rtmp_stat all; }")
}

/// As `pingosd -s reload`, without waiting for it.
fn begin(server: &Server, words: &[&str]) -> Child {
    let mut command = std::process::Command::new(PROGRAM);
    command.args(words).arg("-p").arg(server.prefix().path()).arg("-c").arg(server.prefix().conf());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_reload_that_hangs_holds_up_nothing_else() {
    let (mut server, hanging) = Hanging::server();
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let first = Player::start(server.rtmp, "s");
    hanging.begin(&server, &live());
    server.signal(Signal::SIGHUP);
    server.wait_log("(SIGHUP)");
    // More callers than the control socket has places wait for it; requests that only read are answered.
    let mut callers: Vec<Child> = (0..9).map(|_| begin(&server, &["-s", "reload"])).collect();
    // Half of the places are for waiting requests.
    until_true("five are refused", || {
        callers.iter_mut().filter_map(|caller| caller.try_wait().unwrap()).count() == 5
    });
    wait_hung(&server);
    assert!(http::get(server.http, "/stat").text().contains("unknown"));
    let late = Player::http(server.http, "/flv/s");
    late.wait_key();
    let next = feed.next();
    first.wait_frame(next);
    late.wait_frame(next);
    fs::remove_file(server.prefix().path().join("logs/error.log")).unwrap();
    server.signal(Signal::SIGUSR1);
    until_true("the log is there again", || server.log().contains("reopening logs"));
    assert!(server.stop().success());
    assert!(callers.iter_mut().all(|caller| !caller.wait().unwrap().success()), "none was reloaded");
}

#[test]
fn a_server_ends_gracefully_while_a_reload_hangs() {
    let (mut server, hanging) = Hanging::server();
    let publisher = Publisher::start(server.rtmp, "s");
    hanging.begin(&server, &live());
    let mut caller = begin(&server, &["-s", "reload"]);
    server.wait_log("reload over the control socket");
    server.signal(Signal::SIGQUIT);
    server.wait_log("shutting down");
    assert!(!caller.wait().unwrap().success());
    assert!(server.is_running(), "its publisher is there");
    publisher.leave();
    assert!(server.wait_exit().success());
}

#[test]
fn reloads_asked_for_during_one_are_one_more() {
    let (server, hanging) = Hanging::server();
    hanging.begin(&server, &Conf::live("cache_time 1s;"));
    server.signal(Signal::SIGHUP);
    server.wait_log("(SIGHUP)");
    let mut caller = begin(&server, &["-s", "reload"]);
    for count in 2..6 {
        server.signal(Signal::SIGHUP);
        until_true("the signal is taken", || server.log_lines("(SIGHUP)").len() >= count);
    }
    // The file was read before; what comes now is for the next one.
    wait_hung(&server);
    server.rewrite(&Conf::live("cache_time 2s;"));
    hanging.release();
    server.wait_log(" reloaded, generation 3, ");
    assert!(caller.wait().unwrap().success());
    assert!(server.run(&["-s", "reload"]).status.success());
    let done = server.log_lines(" reloaded, generation ");
    // Generations 2 and 3, the caller's and ours, which change nothing.
    assert_eq!(done.len(), 4, "{done:?}");
    assert_eq!(server.log_lines("generation 3 stays in force").len(), 2, "{done:?}");
}

#[test]
fn a_new_binary_takes_the_place_of_a_reload_that_hangs() {
    let (server, hanging) = Hanging::server();
    hanging.begin(&server, &live());
    server.signal(Signal::SIGHUP);
    wait_hung(&server);
    server.rewrite(&Conf::live("cache_time 1s;"));
    server.signal(Signal::SIGUSR2);
    server.wait_log("start new binary process");
    server.wait_log("the reload is abandoned");
    let pid_file = server.prefix().path().join("logs/pingosd.pid");
    let successor: i32 = until("the new pid file", || {
        fs::read_to_string(&pid_file).ok()?.trim().parse().ok().filter(|pid| *pid != server.pid())
    });
    until_true("it serves", || server.log_lines(" started, ").len() == 2);
    hanging.release();
    assert!(server.log_lines(" reloaded, ").is_empty());
    process::signal(successor, Signal::SIGTERM);
    server.wait_log("this process serves in its place");
    server.reload(&live());
}

/// What the server survives of its own faults.
mod faults {
    use std::fs;
    use std::path::PathBuf;

    use pingosd::limits;

    use crate::support::frame::GOP;
    use crate::support::server::Prefix;
    use crate::support::wait::until_true;
    use crate::support::{Conf, NotifyServer, Player, Publisher, Server, http};

    /// Faults that a test asks for; see `server::fault`.
    struct Faults(PathBuf);

    impl Faults {
        fn start(conf: &Conf) -> (Server, Faults) {
            let prefix = Prefix::new();
            let directory = prefix.path().join("faults");
            fs::create_dir(&directory).unwrap();
            let mut server = Server::start_with(prefix, conf, |command, _, _| {
                command.env("PINGOSD_FAULTS", &directory);
            });
            server.may_panic();
            (server, Faults(directory))
        }

        fn strike(&self, name: &str) {
            fs::write(self.0.join(name), "").unwrap();
        }
    }

    fn told(notify: &NotifyServer) -> Conf {
        let url = notify.url("/");
        Conf::live(&format!("on_publish {url} stage=start,done; on_play {url} stage=start,done;"))
    }

    #[test]
    fn commands_to_recorders_whose_disk_hangs_are_bounded_and_obeyed_later() {
        let conf = Conf::live("recorder m { record all manual; record_path {dir}; }");
        let conf = conf.http_server("location /control { rtmp_control all; }");
        let (server, faults) = Faults::start(&conf);
        let feed = Publisher::start(server.rtmp, "s").keep_sending();
        let player = Player::start(server.rtmp, "s");
        player.wait_key();
        let command = |method: &str| {
            let target = format!("/control/record/{method}?srv=default&app=live&name=s&rec=m");
            http::get(server.http, &target).status()
        };
        faults.strike("record_stalls");
        let mut taken = 0;
        until_true("a command is refused", || {
            let status = command("start");
            taken += usize::from(status == 200);
            assert!(taken <= limits::RECORD_COMMANDS + 8, "the queue has no bound");
            status != 200
        });
        assert!(taken >= limits::RECORD_COMMANDS, "{taken}");
        // The stream does not wait for the disk.
        player.wait_frame(feed.next() + GOP);
        fs::remove_file(faults.0.join("record_stalls")).unwrap();
        server.wait_log("record: recording 's'");
        until_true("there is room again", || command("stop") == 200);
        server.wait_log("record: recorded 's'");
        feed.stop().leave();
    }

    /// Takes a turn of the workers, so that the next connection is for the next one.
    fn take_turn(server: &Server) -> Publisher {
        Publisher::start(server.rtmp, "takes_a_turn")
    }

    #[test]
    fn a_worker_that_dies_ends_its_sessions_alone_and_is_replaced() {
        let notify = NotifyServer::start();
        let (server, faults) = Faults::start(&told(&notify));
        let feed = Publisher::start(server.rtmp, "s").keep_sending();
        let mut other = take_turn(&server);
        let player = Player::start(server.rtmp, "s");
        player.wait_key();
        faults.strike("delivery");
        player.wait_end();
        for call in ["publish", "play"] {
            notify.wait(&format!("call={call} act=done name=s"));
        }
        server.wait_log("[alert]");
        let said = server.log_lines(" panicked at src/task/fault.rs:");
        assert!(
            said.len() == 1 && said[0].contains("[alert]") && said[0].contains("asked\\x0Afor"),
            "{said:?}"
        );
        server.wait_log("worker thread 0 is replaced");
        drop(feed);
        until_true("the sessions are gone", || server.status()["sessions"]["publishers"] == 1);
        // The other worker's session continues, and both workers serve again, including the stream of the dead one.
        for name in ["s", "s2", "s3"] {
            let feed = Publisher::start(server.rtmp, name).keep_sending();
            for _ in 0..2 {
                Player::start(server.rtmp, name).wait_key();
            }
            feed.stop().leave();
        }
        let late = Player::start(server.rtmp, "takes_a_turn");
        other.send(2 * GOP);
        late.wait_key();
        assert!(notify.requests_of("act=done name=takes_a_turn call=publish").is_empty());
    }

    #[test]
    fn the_server_ends_by_itself_where_that_is_wanted() {
        let notify = NotifyServer::start();
        let (mut server, faults) = Faults::start(&told(&notify).main("worker_failure exit;"));
        let _feed = Publisher::start(server.rtmp, "s").keep_sending();
        let _other = take_turn(&server);
        let player = Player::start(server.rtmp, "s");
        player.wait_key();
        faults.strike("delivery");
        assert_eq!(server.wait_exit().code(), Some(1));
        assert_eq!(server.log_lines("has panicked, its sessions have ended; the server ends").len(), 1);
        for name in ["s", "takes_a_turn"] {
            notify.wait(&format!("call=publish act=done name={name}"));
        }
    }

    #[test]
    fn a_panic_in_a_session_ends_that_session_alone() {
        let notify = NotifyServer::start();
        let (server, faults) = Faults::start(&told(&notify));
        let feed = Publisher::start(server.rtmp, "s").keep_sending();
        let _turn = take_turn(&server);
        let player = Player::start(server.rtmp, "s");
        player.wait_key();
        faults.strike("session");
        notify.wait("call=publish act=done name=s");
        drop(feed);
        assert_eq!(server.log_lines(" panicked at src/task/fault.rs:").len(), 1);
        assert!(server.log_lines("has died").is_empty());
        let before = player.frames().len();
        let feed = Publisher::start(server.rtmp, "s").keep_sending();
        until_true("the player goes on", || player.frames().len() > before + 10);
        assert!(notify.requests_of("call=play act=done").is_empty());
        feed.stop().leave();
    }

    #[test]
    fn a_panic_while_accepting_loses_that_connection_alone() {
        // The control thread accepts, or the only worker.
        for workers in [2, 1] {
            let (server, faults) = Faults::start(&Conf::live("").workers(workers));
            faults.strike("accept");
            let _lost = std::net::TcpStream::connect(("127.0.0.1", server.rtmp)).unwrap();
            server.wait_log(&format!(
                "accepting rtmp on 0.0.0.0:{} has panicked and is restarted",
                server.rtmp
            ));
            let feed = Publisher::start(server.rtmp, "s").keep_sending();
            Player::start(server.rtmp, "s").wait_key();
            feed.stop().leave();
        }
    }

    #[test]
    fn the_connections_of_the_only_worker_are_accepted_by_the_one_that_replaces_it() {
        let (server, faults) = Faults::start(&Conf::live("").workers(1));
        for turn in 1..=2 {
            let feed = Publisher::start(server.rtmp, "s").keep_sending();
            let player = Player::start(server.rtmp, "s");
            player.wait_key();
            faults.strike("delivery");
            player.wait_end();
            drop(feed);
            until_true("it is replaced", || server.log_lines("worker thread 0 is replaced").len() == turn);
        }
        let feed = Publisher::start(server.rtmp, "s").keep_sending();
        Player::start(server.rtmp, "s").wait_key();
        assert_eq!(http::get(server.http, "/nothing").status(), 404);
        feed.stop().leave();
    }

    #[test]
    fn a_relay_of_a_dead_worker_goes_on_on_another() {
        let origin = Server::start(&Conf::live(""));
        let (server, faults) =
            Faults::start(&Conf::live(&format!("push rtmp://127.0.0.1:{} name=copy;", origin.rtmp)));
        let feed = Publisher::start(server.rtmp, "s").keep_sending();
        Player::start(origin.rtmp, "copy").wait_key();
        // Nothing but the push is sent anything.
        faults.strike("delivery");
        server.wait_log(" is replaced");
        until_true("it is pushed again", || {
            origin.log_lines("publishing 'copy'").iter().filter(|line| !line.contains("stopped")).count() == 2
        });
        Player::start(origin.rtmp, "copy").wait_key();
        feed.stop().leave();
    }
}
