//! Three servers on addresses of their own: what happens to players and publishers when one is killed.

mod support;

use std::collections::HashMap;
use std::time::Instant;

use support::frame::{GOP, Tracks};
use support::server::{Signal, free_port};
use support::wait::until_true;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server};

/// Delays that a test can wait for.
const QUICK: &str = "failed_reconnect 20ms; relay_reconnect 500ms;";

/// A server that can be started again where it was.
struct Node {
    address: String,
    conf: Conf,
    server: Server,
}

impl Node {
    /// On the loopback address `127.0.0.HOST`.
    fn start(host: u8, port: u16, directives: &str) -> Self {
        let address = format!("127.0.0.{host}:{port}");
        let conf = Conf::new(&format!(
            "listen {address}; application live {{ live on; cache_time 1s; {QUICK} {directives} }}"
        ));
        Node { address, server: Server::start(&conf), conf }
    }

    fn kill(&mut self) {
        self.server.signal(Signal::SIGKILL);
        self.server.wait_exit();
    }

    fn start_again(&mut self) {
        self.server = Server::start(&self.conf);
    }

    fn publish(&self, name: &str) -> Publisher {
        Publisher::with(RtmpClient::publish_at(&self.address, "live", name), Tracks::Both)
    }

    fn play(&self, name: &str) -> Player {
        Player::start(self.server.rtmp, name)
    }
}

/// Waits for a frame after `n` and returns how many there are between the last one before and it.
#[track_caller]
fn recovers(player: &Player, n: u64) -> u64 {
    until_true("frames after the failure", || player.frames().last().is_some_and(|last| *last > n + GOP));
    let frames = player.frames();
    let gap = frames.windows(2).map(|two| two[1].saturating_sub(two[0]));
    gap.max().unwrap_or(0)
}

#[test]
fn players_go_over_to_the_address_in_reserve_when_the_server_between_is_killed() {
    let port = free_port();
    let origin = Node::start(11, port, "");
    let mut middle = Node::start(12, port, &format!("pull rtmp://127.0.0.11:{port};"));
    let edge = Node::start(13, port, &format!("pull rtmp://127.0.0.12:{port} rtmp://127.0.0.11:{port};"));
    let publisher = origin.publish("s").keep_sending();
    let players: Vec<Player> = (0..3).map(|_| edge.play("s")).collect();
    players.iter().for_each(Player::wait_key);
    edge.server.wait_log("relay pull: 's' by 127.0.0.12");
    let killed = Instant::now();
    middle.kill();
    let last = publisher.next();
    for player in &players {
        let gap = recovers(player, last);
        // Printed for information; the test must not depend on the speed of the machine.
        println!("recovered {} ms after the kill, {gap} frames missing", killed.elapsed().as_millis());
    }
    edge.server.wait_log("relay pull: 's' by 127.0.0.11");
    assert_eq!(edge.server.log_lines("stopped playing").len(), 0, "the players were not closed");
    // The publisher has noticed nothing, and what it sends arrives in full.
    let mut publisher = publisher.stop();
    let whole = players[0].frames().last().copied().unwrap();
    let end = publisher.send(2 * GOP);
    players[0].wait_frame(end);
    let after: Vec<u64> = players[0].frames().into_iter().filter(|n| *n >= whole).collect();
    assert_eq!(after, (whole..=end).collect::<Vec<u64>>());
    publisher.leave();
}

#[test]
fn an_edge_that_is_killed_disturbs_neither_publisher_nor_other_edges() {
    let (port, notify) = (free_port(), NotifyServer::start());
    let origin = Node::start(21, port, "");
    let ask = format!("on_play {} stage=start,done;", notify.url("/middle"));
    let middle = Node::start(22, port, &format!("pull rtmp://127.0.0.21:{port}; {ask}"));
    let pull = format!("pull rtmp://127.0.0.22:{port};");
    let (mut first, second) = (Node::start(23, port, &pull), Node::start(24, port, &pull));
    let publisher = origin.publish("s").keep_sending();
    let (lost, kept) = (first.play("s"), second.play("s"));
    lost.wait_key();
    kept.wait_key();
    first.kill();
    notify.wait_count("call=play act=done", 1);
    let seen = publisher.next();
    kept.wait_frame(seen + GOP);
    let frames: Vec<u64> = kept.frames().into_iter().skip_while(|n| n % GOP != 0).collect();
    assert_eq!(frames, (frames[0]..).take(frames.len()).collect::<Vec<u64>>(), "nothing is missing");
    first.start_again();
    first.play("s").wait_key();
    publisher.stop().leave();
    drop(middle);
}

#[test]
fn players_wait_for_an_origin_that_is_killed_and_comes_back() {
    let (port, notify) = (free_port(), NotifyServer::start());
    let mut origin = Node::start(31, port, "");
    let middle = Node::start(32, port, &format!("pull rtmp://127.0.0.31:{port};"));
    let ask = format!("on_pull {} stage=start,done;", notify.url("/edge"));
    let edge = Node::start(33, port, &ask);
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: rtmp://{}/live/s\r\nContent-Length: 0\r\n\r\n",
        middle.address
    );
    notify.answer("call=pull act=start", support::Answer::Raw(location.into_bytes()));
    let feed = origin.publish("s").keep_sending();
    let player = edge.play("s");
    player.wait_key();
    let mut next = feed.stop();
    origin.kill();
    next.skip_to(100_000);
    let at = next.next();
    drop(next);
    middle.server.wait_log("relay pull failed: 's'");
    origin.start_again();
    let mut publisher = origin.publish("s");
    publisher.skip_to(at);
    let publisher = publisher.keep_sending();
    until_true("frames of the new publisher", || player.frames().iter().any(|n| *n > at));
    assert!(player.got().end.is_none(), "the player was not closed");
    drop(player);
    publisher.stop().leave();
    // Every relay that was begun has ended, and once.
    until_true("an end for each start", || {
        let count = |act: &str| notify.requests_of(&format!("call=pull act={act}")).len();
        count("done") == count("start")
    });
    let mut ends: HashMap<String, usize> = HashMap::new();
    for done in notify.requests_of("call=pull act=done") {
        *ends.entry(done.value("clientid").to_owned()).or_default() += 1;
    }
    assert!(ends.values().all(|count| *count == 1), "{ends:?}");
}

#[test]
fn servers_that_push_to_each_other_do_not_go_round() {
    let port = free_port();
    let first = Node::start(41, port, &format!("push rtmp://127.0.0.42:{port};"));
    let second = Node::start(42, port, &format!("push rtmp://127.0.0.41:{port};"));
    let mut publisher = first.publish("s");
    second.server.wait_log("publishing 's'");
    second.server.wait_log("relay push failed: 's'");
    let player = second.play("s");
    let last = publisher.send(3 * GOP);
    player.wait_frame(last);
    publisher.leave();
}
