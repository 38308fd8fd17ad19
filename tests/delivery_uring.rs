//! Sending through io_uring: where it is used, and what happens where the system refuses it.

mod support;

use std::collections::BTreeMap;
use std::thread;

use nix::errno::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use support::frame::{GOP, Tracks};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server};

fn conf(delivery: &str) -> Conf {
    Conf::live("cache_time 1s;").with_flv().events(&format!("delivery {delivery};"))
}

/// Submission queues that the server has open.
fn rings(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().contains("io_uring"))
        .count()
}

/// Whether this system has it at all: containers often have not.
fn is_allowed() -> bool {
    pingosd::media::delivery::IoRing::new().is_ok()
}

#[track_caller]
fn assert_plays(server: &Server) {
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(1);
    let players: Vec<Player> = (0..12)
        .map(|n| match n % 2 {
            0 => Player::start(server.rtmp, "s"),
            _ => Player::http(server.http, "/flv/s"),
        })
        .collect();
    for player in &players {
        player.wait_key();
    }
    let last = publisher.send(2 * GOP);
    for player in &players {
        player.assert_whole(Tracks::Both, last);
    }
}

/// Starts a server whose system calls for io_uring fail, as under the seccomp profile of most containers.
fn start_refused(conf: Conf) -> Server {
    const IO_URING_SETUP: i64 = 425;
    let rules = BTreeMap::from([(IO_URING_SETUP, Vec::new())]);
    let refuse = SeccompAction::Errno(Errno::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    // The filter holds for this thread and for what it starts.
    let starting = thread::spawn(move || {
        seccompiler::apply_filter(&program).unwrap();
        Server::start(&conf)
    });
    starting.join().unwrap()
}

#[test]
fn each_worker_has_a_ring_unless_the_configuration_forbids_it() {
    let expected = if is_allowed() { 2 } else { 0 };
    for delivery in ["auto", "uring"] {
        let server = Server::start(&conf(delivery));
        assert_eq!(rings(&server), expected);
        assert_plays(&server);
    }
    let server = Server::start(&conf("writev"));
    assert_eq!(rings(&server), 0);
    assert_plays(&server);
}

#[test]
fn where_the_system_refuses_io_uring_players_are_served_all_the_same() {
    for (delivery, level) in [("auto", "[notice]"), ("uring", "[warn]")] {
        let server = start_refused(conf(delivery));
        let said =
            server.log_lines("io_uring is not available (1: Operation not permitted), sending with writev");
        assert!(said.len() == 1 && said[0].contains(level), "{said:?}");
        assert_eq!(rings(&server), 0);
        assert_plays(&server);
    }
    let server = start_refused(conf("writev"));
    assert_eq!(server.log_lines("io_uring"), Vec::<String>::new());
}

#[test]
fn players_that_take_nothing_do_not_hold_up_those_of_the_same_batch() {
    let server = Server::start(&conf("uring").rtmp("out_queue 64;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.set_size(20_000);
    let last = publisher.send(1);
    let players: Vec<Player> = (0..16).map(|_| Player::start(server.rtmp, "s")).collect();
    players.iter().for_each(|player| player.wait_frame(last));
    let (held, free) = players.split_at(8);
    held.iter().for_each(|player| player.hold());
    until_true("the socket of a player is full", || {
        let last = publisher.send(GOP);
        free.iter().for_each(|player| player.wait_frame(last));
        !server.log_lines("slow player").is_empty()
    });
    held.iter().for_each(|player| player.resume());
    // They continue at a key frame.
    let last = publisher.send(3 * GOP);
    players.iter().for_each(|player| player.wait_frame(last));
    free.iter().for_each(|player| player.assert_whole(Tracks::Both, last));
}
