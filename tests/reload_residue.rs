//! What reloads leave behind: nothing. `benches/reload` looks at longer series, and at memory.

mod support;

use std::process::Command;

use support::process::{descriptors, threads};
use support::server::Signal;
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server, server::free_port};

/// Series of reloads; each has one of every kind.
const ROUNDS: usize = 10;

/// What the server says itself.
fn tasks(server: &Server) -> usize {
    let (prefix, conf) = (server.prefix().path(), server.prefix().conf());
    let mut command = Command::new(support::server::PROGRAM);
    let output = command.args(["status", "--json", "-p"]).arg(prefix).arg("-c").arg(conf).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    usize::try_from(status["tasks"].as_u64().unwrap()).unwrap()
}

#[test]
fn reloads_leave_no_descriptor_no_thread_and_no_task_behind() {
    let notify = NotifyServer::start();
    let more = free_port();
    let conf = |text: &str| {
        // Updates that come at the same time would open connections that stay.
        Conf::live(&format!("on_play {{callback}}/ stage=update update=1h; exec sleep 60; {text}"))
            .with_flv()
            .var("callback", notify.url(""))
            .var("more", more)
    };
    let server = Server::start(&conf(""));
    let _feed = Publisher::start(server.rtmp, "s").keep_sending();
    let players: Vec<Player> = (0..6)
        .map(|n| match n % 3 {
            0 => Player::http(server.http, "/flv/s"),
            _ => Player::start(server.rtmp, "s"),
        })
        .collect();
    players.iter().for_each(Player::wait_key);
    let round = |number: usize| {
        server.reload(&conf(&format!("cache_time {}s;", number + 1)));
        server.reload(&conf("} application other { live on;"));
        server.reload(&conf("").rtmp("server { listen 127.0.0.1:{more}; application live { live on; } }"));
        server.reload(&conf(&format!("push rtmp://127.0.0.1:{more}/live; # {number}\n")));
        let refused = server.log_lines("reload refused").len();
        server.rewrite(&conf("no_such_directive 1;"));
        server.signal(Signal::SIGHUP);
        until_true("the reload is refused", || server.log_lines("reload refused").len() > refused);
        server.reload(&conf(""));
        // A session that begins between reloads holds values of that generation, and releases them.
        RtmpClient::play(server.rtmp, "live", "s").wait_started();
    };
    round(0);
    let pid = server.pid();
    let before = (tasks(&server), descriptors(pid), threads(pid));
    (1..=ROUNDS).for_each(round);
    // Nothing is asked until the threads that may wait have had nothing to do for ten seconds.
    until_true("as many threads as before", || threads(pid) <= before.2);
    until_true("as many tasks as before", || tasks(&server) <= before.0);
    until_true("as many descriptors as before", || descriptors(pid) <= before.1);
}
