//! Upgrades in a row while streams run: no player is cut off, every newcomer finds every stream, and callbacks are
//! neither lost nor doubled.

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use support::frame::{GOP, Tracks};
use support::server::Signal;
use support::upgrade::{Successor, publish_when_free, start};
use support::wait::until_true;
use support::{Conf, Feed, NotifyServer, Player, Publisher, RtmpClient, Server, http, process};

const STREAMS: usize = 20;
const UPGRADES: usize = 3;
const FRAME: Duration = Duration::from_millis(40);

/// A player of MPEG-TS over HTTP, which only looks whether more comes.
struct TsPlayer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl TsPlayer {
    fn start(port: u16, name: &str) -> TsPlayer {
        let mut connection = http::Connection::open(port);
        connection.send(format!("GET /ts/{name} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        assert_eq!(connection.head().status, 200);
        connection.socket.set_read_timeout(Some(FRAME)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            let mut total = 0;
            while !stopped.load(Ordering::Relaxed) {
                match connection.socket.read(&mut buffer) {
                    Ok(0) => panic!("the server has closed"),
                    Ok(length) => total += length,
                    Err(error) => assert!(support::rtmp::is_timeout(&error), "{error}"),
                }
            }
            total
        });
        TsPlayer { stop, thread: Some(thread) }
    }

    fn leave(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let total = self.thread.take().unwrap().join().unwrap();
        assert!(total > 0);
    }
}

/// The ten players of a stream.
struct Audience {
    players: Vec<Player>,
    ts: TsPlayer,
}

impl Audience {
    fn of(server: &Server, name: &str) -> Audience {
        let rtmp = (0..5).map(|_| Player::start(server.rtmp, name));
        let flv = (0..4).map(|_| Player::http(server.http, &format!("/flv/{name}")));
        let players: Vec<Player> = rtmp.chain(flv).collect();
        players.iter().for_each(Player::wait_key);
        Audience { players, ts: TsPlayer::start(server.http, name) }
    }

    fn has_all(&self, last: u64) {
        self.players.iter().for_each(|player| player.assert_whole(Tracks::Both, last));
    }
}

fn name(stream: usize) -> String {
    format!("s{stream}")
}

/// A publisher that goes on with frame `next`, as soon as the name is free.
fn publish(server: &Server, name: &str, next: u64) -> Publisher {
    let mut publisher = Publisher::over(publish_when_free(server.rtmp, name), Tracks::Both);
    publisher.skip_to(next);
    publisher
}

/// Four newcomers find each stream, and no second publisher is let in.
fn every_stream_is_found(server: &Server) {
    for stream in 0..STREAMS {
        let newcomers: [Player; 4] = std::array::from_fn(|n| match n % 2 {
            0 => Player::start(server.rtmp, &name(stream)),
            _ => Player::http(server.http, &format!("/flv/{}", name(stream))),
        });
        newcomers.iter().for_each(Player::wait_key);
        let mut second = RtmpClient::publish(server.rtmp, "live", &name(stream));
        second.wait_status("NetStream.Publish.BadName");
    }
}

#[test]
fn three_upgrades_under_load_lose_nothing() {
    let notify = NotifyServer::start();
    let conf = Conf::live(
        "cache_time 1s; hls2 on; on_publish {url} stage=start,done; on_play {url} stage=start,done;
         on_stream {url} stage=start,done;",
    )
    .var("url", notify.url("/"))
    .http_server(
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }",
    );
    let (mut server, _) = start(&conf);
    let mut feeds: Vec<Feed> =
        (0..STREAMS).map(|stream| publish(&server, &name(stream), 0).keep_sending_every(FRAME)).collect();
    let mut successors: Vec<Successor> = Vec::new();
    for _ in 0..UPGRADES {
        let audience: Vec<Audience> =
            (0..STREAMS).map(|stream| Audience::of(&server, &name(stream))).collect();
        let old = successors.last().map_or(server.pid(), |successor| successor.0);
        process::signal(old, Signal::SIGUSR2);
        successors.push(Successor::after(&server, old));
        // Both processes accept.
        every_stream_is_found(&server);
        process::signal(old, Signal::SIGQUIT);
        until_true("the old process has stopped accepting", || {
            server.log_lines("SIGQUIT").iter().any(|line| line.contains(&format!(" {old}#")))
        });
        every_stream_is_found(&server);
        for (stream, feed) in feeds.iter_mut().enumerate() {
            // Until then its players have got everything.
            let moving = publisher_of(feed);
            let next = moving.next();
            audience[stream].has_all(next - 1);
            moving.leave();
            *feed = publish(&server, &name(stream), next).keep_sending_every(FRAME);
        }
        every_stream_is_found(&server);
        // Those of the old process go on with the publisher in the new one.
        let lasts: Vec<u64> = feeds.iter().map(|feed| feed.next() + GOP).collect();
        for ((feed, last), audience) in feeds.iter().zip(lasts).zip(&audience) {
            until_true("more frames", || feed.next() > last);
            audience.has_all(last);
        }
        for Audience { players, ts } in audience {
            drop(players);
            ts.leave();
        }
        match successors.len() {
            1 => assert!(server.wait_exit().success()),
            _ => until_true("the old process ends", || !process::is_running(old)),
        }
    }
    feeds.into_iter().for_each(|feed| feed.stop().leave());
    let last = successors.pop().unwrap();
    last.signal(Signal::SIGTERM);
    until_true("the last process ends", || !process::is_running(last.0));
    callbacks_match(&notify);
}

/// Stops a feed at the end of a GOP.
fn publisher_of(feed: &mut Feed) -> Publisher {
    let mut publisher = feed.stop_sending();
    while !publisher.next().is_multiple_of(GOP) {
        publisher.send(1);
    }
    publisher
}

/// Each session has one start and one end, and each stream has one event.
fn callbacks_match(notify: &NotifyServer) {
    let mut counts: BTreeMap<(String, String), [u32; 2]> = BTreeMap::new();
    for request in notify.requests() {
        let (call, act) = (request.value("call"), request.value("act"));
        let subject = if call == "stream" { request.value("name") } else { request.value("clientid") };
        counts.entry((call.to_owned(), subject.to_owned())).or_default()[usize::from(act == "done")] += 1;
    }
    // A publisher that is refused because of another one has a start and an end, too.
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != [1, 1]).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let of = |call: &str| counts.keys().filter(|(found, _)| found == call).count();
    assert_eq!(of("stream"), STREAMS);
    assert_eq!(of("play"), UPGRADES * (STREAMS * 10 + 3 * STREAMS * 4));
}
