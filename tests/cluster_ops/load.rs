//! Many streams and players while origins are killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use pingosd::wire::MediaKind;
use pingosd::wire::rtmp::client_session::{ClientEvent, ClientPurpose, ClientSession};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::is_long;
use crate::support::etcd::{Etcd, conf_at};
use crate::support::frame::{metadata, video_header};
use crate::support::raw::Random;
use crate::support::rtmp::settings;
use crate::support::server::Signal;
use crate::support::{Conf, Server};

/// Time from one frame to the next; a key frame once a second.
const STEP: Duration = Duration::from_millis(100);
const GOP: u64 = 10;
/// 80 kbit/s.
const SIZE: usize = 1000;
/// How long a player may be without a picture before the test fails: the lease and what a loaded machine adds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much.
struct Scale {
    streams: usize,
    players: usize,
    duration: Duration,
}

/// A stream, as its publisher sees it.
#[derive(Default)]
struct Stream {
    /// Number of the publish in progress, which frames carry; 0 without one.
    publish: AtomicU64,
    /// Port of the origin that has it.
    origin: AtomicU64,
}

/// A player.
#[derive(Default)]
struct Seen {
    /// Number of the publish that the last key frame is of, and when that came first.
    picture: Mutex<Option<(u64, Instant)>>,
    ended: AtomicU64,
}

struct Load {
    streams: Vec<Stream>,
    origins: Vec<u16>,
    /// Number of publishes so far.
    publishes: AtomicU64,
    began: Instant,
    is_over: AtomicBool,
}

/// A connection with the library's session.
struct Client {
    socket: TcpStream,
    session: ClientSession,
}

impl Client {
    async fn open(port: u16, purpose: ClientPurpose) -> Option<Client> {
        let socket = timeout(PATIENCE, TcpStream::connect(("127.0.0.1", port))).await.ok()?.ok()?;
        let session = ClientSession::new(settings(port, "live", purpose), Instant::now(), [7; 32]);
        let mut client = Client { socket, session };
        client.flush().await?;
        Some(client)
    }

    async fn flush(&mut self) -> Option<()> {
        match self.session.poll_transmit() {
            Some(bytes) => self.socket.write_all(&bytes).await.ok(),
            None => Some(()),
        }
    }

    /// Reads once; `None` at the end of the connection.
    async fn read(&mut self) -> Option<()> {
        let mut buffer = [0; 8192];
        let length = self.socket.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        self.session.handle_input(&buffer[..length], Instant::now()).ok()?;
        self.flush().await
    }

    /// Waits until publish or play is accepted; `None` if it is refused.
    async fn started(&mut self) -> Option<()> {
        loop {
            while let Some(event) = self.session.poll_event() {
                match event {
                    ClientEvent::Started => return Some(()),
                    ClientEvent::Status { level, .. } if level == "error" => return None,
                    _ => {}
                }
            }
            self.read().await?;
        }
    }
}

/// A frame with the numbers of its publish.
fn frame(n: u64, publish: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(SIZE);
    out.put_slice(&[if n.is_multiple_of(GOP) { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
    out.put_slice(b"load");
    out.put_u64(publish);
    out.resize(SIZE, 0x55);
    out.freeze()
}

/// The number of the publish in a key frame.
fn key_of(payload: &[u8]) -> Option<u64> {
    let rest = payload.strip_prefix(&[0x17, 1, 0, 0, 0])?.strip_prefix(b"load")?;
    rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

impl Load {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Publishes a stream to one origin after the other.
    async fn publish(self: Arc<Load>, number: usize) {
        let mut turn = number;
        while !self.is_over() {
            let port = self.origins[turn % self.origins.len()];
            turn += 1;
            let _ = self.publish_to(number, port).await;
            self.streams[number].publish.store(0, Ordering::Relaxed);
            sleep(STEP).await;
        }
    }

    async fn publish_to(&self, number: usize, port: u16) -> Option<()> {
        let purpose = ClientPurpose::Publish { name: format!("s{number}").into() };
        let mut client = Client::open(port, purpose).await?;
        timeout(PATIENCE, client.started()).await.ok()??;
        let stream = &self.streams[number];
        let publish = self.publishes.fetch_add(1, Ordering::Relaxed) + 1;
        stream.origin.store(u64::from(port), Ordering::Relaxed);
        for header in [metadata(), video_header()] {
            client.session.send_media(header.kind, 0, &header.payload).ok()?;
        }
        client.flush().await?;
        stream.publish.store(publish, Ordering::Relaxed);
        for n in 0.. {
            if self.is_over() {
                break;
            }
            let timestamp = self.began.elapsed().as_millis() as u32;
            client.session.send_media(MediaKind::Video, timestamp, &frame(n, publish)).ok()?;
            client.flush().await?;
            tokio::select! {
                read = client.read() => read?,
                () = sleep(STEP) => {}
            }
        }
        Some(())
    }

    /// Plays a stream all the time.
    async fn play(self: Arc<Load>, number: usize, edge: u16, seen: Arc<Seen>) {
        while !self.is_over() {
            let _ = self.play_once(number, edge, &seen).await;
            if !self.is_over() {
                seen.ended.fetch_add(1, Ordering::Relaxed);
                sleep(STEP).await;
            }
        }
    }

    async fn play_once(&self, number: usize, edge: u16, seen: &Seen) -> Option<()> {
        let purpose = ClientPurpose::Play { name: format!("s{number}").into() };
        let mut client = Client::open(edge, purpose).await?;
        while !self.is_over() {
            while let Some(event) = client.session.poll_event() {
                if let ClientEvent::Media { payload, .. } = event
                    && let Some(publish) = key_of(&payload)
                {
                    let mut picture = seen.picture.lock();
                    if picture.is_none_or(|(known, _)| known != publish) {
                        *picture = Some((publish, Instant::now()));
                    }
                }
            }
            if let Ok(read) = timeout(Duration::from_secs(1), client.read()).await {
                read?;
            }
        }
        Some(())
    }

    /// Streams that have no publisher, or whose players have no picture of it.
    fn unserved(&self, players: &[(usize, Arc<Seen>)]) -> usize {
        let publishing = |number: usize| self.streams[number].publish.load(Ordering::Relaxed);
        let waits = |(number, seen): &&(usize, Arc<Seen>)| {
            let publish = publishing(*number);
            publish == 0 || seen.picture.lock().is_none_or(|(shown, _)| shown != publish)
        };
        players.iter().filter(waits).count()
    }

    async fn served(&self, players: &[(usize, Arc<Seen>)], what: &str) {
        let began = Instant::now();
        while self.unserved(players) > 0 {
            assert!(began.elapsed() < PATIENCE, "{what}: {} players have no picture", self.unserved(players));
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An origin that can be started again where it was.
struct Origin {
    server: Option<Server>,
    rtmp: u16,
    http: u16,
    conf: Conf,
}

impl Origin {
    fn start(&mut self) {
        let prefix = crate::support::server::Prefix::new();
        let text = self.conf.text(self.rtmp, self.http, prefix.path());
        self.server = Some(Server::start_text(prefix, self.rtmp, self.http, &text));
    }

    fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.signal(Signal::SIGKILL);
        server.wait_exit();
    }
}

#[test]
fn players_are_served_while_origins_are_killed() {
    let scale = match is_long() {
        true => Scale { streams: 200, players: 1000, duration: Duration::from_secs(600) },
        false => Scale { streams: 16, players: 48, duration: Duration::from_secs(50) },
    };
    // Each player is a socket here, and two in the servers.
    let (_, most) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, most, most).unwrap();
    let etcd = Etcd::start();
    let address = etcd.address();
    let conf = |node: &str, live: &str| {
        conf_at(&address, node, &format!("cache_time 2s; {live}"), "").events("worker_connections 8192;")
    };
    let mut origins: Vec<Origin> = (0..3)
        .map(|n| {
            let (rtmp, http) = (crate::support::server::free_port(), crate::support::server::free_port());
            let conf = conf(&format!("origin{n}"), "cluster_publish on;");
            let mut origin = Origin { server: None, rtmp, http, conf };
            origin.start();
            origin
        })
        .collect();
    let edges: Vec<Server> =
        (0..3).map(|n| Server::start(&conf(&format!("edge{n}"), "cluster_pull on;"))).collect();
    edges.iter().for_each(|edge| edge.wait_log("joined as"));
    let load = Arc::new(Load {
        streams: (0..scale.streams).map(|_| Stream::default()).collect(),
        origins: origins.iter().map(|origin| origin.rtmp).collect(),
        publishes: AtomicU64::new(0),
        began: Instant::now(),
        is_over: AtomicBool::new(false),
    });
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut tasks = JoinSet::new();
    (0..scale.streams).for_each(|number| {
        tasks.spawn_on(load.clone().publish(number), runtime.handle());
    });
    let mut players = Vec::new();
    for number in 0..scale.players {
        let (seen, stream) = (Arc::<Seen>::default(), number % scale.streams);
        let edge = edges[number / scale.streams % edges.len()].rtmp;
        tasks.spawn_on(load.clone().play(stream, edge, seen.clone()), runtime.handle());
        players.push((stream, seen));
    }
    let mut times = Vec::new();
    let (mut random, mut kills) = (Random::new(20), 0);
    runtime.block_on(load.served(&players, "at the beginning"));
    println!("all have a picture {} ms after the beginning", load.began.elapsed().as_millis());
    while load.began.elapsed() < scale.duration {
        let origin = &mut origins[random.below(3)];
        let port = u64::from(origin.rtmp);
        let hit = |stream: &Stream| {
            stream.origin.load(Ordering::Relaxed) == port && stream.publish.load(Ordering::Relaxed) > 0
        };
        let hit: Vec<bool> = load.streams.iter().map(hit).collect();
        let (killed, before) = (Instant::now(), load.publishes.load(Ordering::Relaxed));
        origin.kill();
        kills += 1;
        // Away for less or for more than the lease.
        std::thread::sleep(Duration::from_millis(random.below(4000) as u64));
        origin.start();
        let affected: Vec<_> = players.iter().filter(|(stream, _)| hit[*stream]).collect();
        let began = Instant::now();
        runtime.block_on(async {
            // Each has a picture of a publish after the kill.
            let late = |(_, seen): &&&(usize, Arc<Seen>)| {
                seen.picture.lock().is_none_or(|(publish, _)| publish <= before)
            };
            while affected.iter().any(|player| late(&player)) {
                let count = affected.iter().filter(late).count();
                assert!(began.elapsed() < PATIENCE, "after kill {kills}: {count} players have no picture");
                sleep(Duration::from_millis(20)).await;
            }
        });
        times.extend(affected.iter().filter_map(|(_, seen)| {
            let picture = *seen.picture.lock();
            picture.map(|(_, at)| at.saturating_duration_since(killed).as_millis())
        }));
        runtime.block_on(load.served(&players, "after a kill"));
        std::thread::sleep(Duration::from_millis(random.below(2000) as u64));
    }
    load.is_over.store(true, Ordering::Relaxed);
    runtime.block_on(async { while tasks.join_next().await.is_some() {} });
    let ended: u64 = players.iter().map(|(_, seen)| seen.ended.load(Ordering::Relaxed)).sum();
    assert_eq!(ended, 0, "players were closed, although their edges live");
    times.sort_unstable();
    assert!(kills > 0 && !times.is_empty());
    println!(
        "{} streams, {} players, {kills} kills; time to picture after a kill: median {} ms, p99 {} ms, {} players",
        scale.streams,
        scale.players,
        times[times.len() / 2],
        times[(times.len() * 99 / 100).min(times.len() - 1)],
        times.len(),
    );
}
