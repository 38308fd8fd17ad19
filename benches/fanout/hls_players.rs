//! The role `hls-players`: every player of HLS of a measurement on one thread, each over one connection that stays open.
//!
//! Each reads its playlist again and again, as RFC 8216 asks, and every new segment once, which it discards.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Result;
use crate::hls_client::{HlsClient, Outcome};
use crate::pacer::Alarm;
use crate::players::{percentile, read_ready};
use crate::role::{self, MAX_LIFE, Options};
use crate::stamp;

/// The players begin spread over this time, about a segment, as people do.
const SPREAD_NS: u64 = 2_000_000_000;

/// Maximum size of one read.
const READ: usize = 65_536;

const INPUT: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;

struct Player {
    socket: TcpStream,
    client: HlsClient,
    open: bool,
    /// It has had a segment.
    live: bool,
    /// A request has no response yet.
    waits: bool,
    /// When the playlist was asked for, and any other thing.
    reloaded_ns: u64,
    asked_ns: u64,
    received: u64,
    received_before_window: u64,
    /// Segments within the window.
    segments: u64,
}

#[derive(Default)]
struct Window {
    started: Option<Instant>,
    /// From the request for a segment to its last byte.
    segments_us: Vec<u32>,
    gaps: u64,
    failed: u64,
    closed: u64,
}

struct Players {
    epoll: Epoll,
    alarm: Alarm,
    players: Vec<Player>,
    /// The players that read their playlist next, the earliest on top.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    live: usize,
    window: Window,
}

pub fn run(options: &Options) -> Result<()> {
    let port: u16 = options.number("port")?;
    let has_master = options.number::<u8>("master")? == 1;
    let count: usize = options.number("players")?;
    let period: f64 = options.number("segment_seconds")?;
    let mut players = Players {
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        alarm: Alarm::new()?,
        players: Vec::with_capacity(count),
        due: BinaryHeap::new(),
        live: 0,
        window: Window::default(),
    };
    players.epoll.add(std::io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, INPUT))?;
    players.epoll.add(&players.alarm.0, EpollEvent::new(EpollFlags::EPOLLIN, ALARM))?;
    let start_ns = stamp::now_ns();
    for index in 0..count {
        players.join(HlsClient::new(port, options.text("path")?.to_owned(), has_master), port)?;
        players.due.push(Reverse((start_ns + SPREAD_NS * index as u64 / count as u64, index)));
    }
    players.run(period)
}

impl Players {
    fn run(&mut self, period: f64) -> Result<()> {
        let end = Instant::now() + MAX_LIFE;
        let mut events = [EpollEvent::empty(); 256];
        let mut buffer = vec![0; READ];
        let mut said_ready = false;
        while Instant::now() < end {
            self.reload_due()?;
            if self.live == self.players.len() && !said_ready {
                said_ready = true;
                role::say("ready")?;
            }
            if let Some(Reverse((at_ns, _))) = self.due.peek() {
                self.alarm.set(*at_ns)?;
            }
            let count = self.epoll.wait(&mut events, EpollTimeout::from(1000_u16))?;
            for event in &events[..count] {
                match event.data() {
                    ALARM => {}
                    INPUT => match role::read_command()?.as_deref() {
                        None => return Ok(()),
                        Some("begin") => self.begin()?,
                        Some("end") => self.end(period)?,
                        Some(other) => return Err(format!("unknown command {other}").into()),
                    },
                    index => self.read(index as usize, &mut buffer)?,
                }
            }
        }
        Ok(())
    }

    fn join(&mut self, client: HlsClient, port: u16) -> Result<()> {
        // A connect on the loopback completes at once, so it may block.
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, self.players.len() as u64))?;
        self.players.push(Player {
            socket,
            client,
            open: true,
            live: false,
            waits: false,
            reloaded_ns: 0,
            asked_ns: 0,
            received: 0,
            received_before_window: 0,
            segments: 0,
        });
        Ok(())
    }

    fn reload_due(&mut self) -> Result<()> {
        let now_ns = stamp::now_ns();
        while let Some(&Reverse((at_ns, index))) = self.due.peek()
            && at_ns <= now_ns
        {
            self.due.pop();
            let player = &mut self.players[index];
            if !player.open {
                continue;
            }
            let request = player.client.reload();
            player.reloaded_ns = now_ns;
            player.ask(&request)?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) -> Result<()> {
        let player = &mut self.players[index];
        let Some(size) = read_ready(&mut player.socket, buffer) else { return Ok(()) };
        if size == 0 {
            if !player.live {
                return Err("the server closed a player before it was live".into());
            }
            player.open = false;
            self.window.closed += 1;
            self.epoll.delete(&player.socket)?;
            return Ok(());
        }
        player.received += size as u64;
        if !player.waits {
            return Err("a response without a request".into());
        }
        let Some(outcome) = player.client.push(&buffer[..size])? else { return Ok(()) };
        player.waits = false;
        match outcome {
            Outcome::Playlist { missed } => self.window.gaps += missed,
            // Until then the stream may have no playlist yet.
            Outcome::Refused => self.window.failed += u64::from(player.live),
            Outcome::Segment => {
                player.segments += 1;
                self.live += usize::from(!player.live);
                player.live = true;
                if self.window.started.is_some() {
                    let took_us = (stamp::now_ns() - player.asked_ns) / 1000;
                    self.window.segments_us.push(u32::try_from(took_us).unwrap_or(u32::MAX));
                }
            }
        }
        match player.client.poll_request() {
            Some(request) => player.ask(&request)?,
            None => {
                let at_ns = player.reloaded_ns + player.client.wait().as_nanos() as u64;
                self.due.push(Reverse((at_ns, index)));
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        for player in &mut self.players {
            player.received_before_window = player.received;
            player.segments = 0;
        }
        self.window = Window { started: Some(Instant::now()), ..Window::default() };
        role::say("begun")
    }

    /// `period` is the length of a segment in seconds.
    fn end(&mut self, period: f64) -> Result<()> {
        let seconds =
            self.window.started.take().map_or(Duration::ZERO, |start| start.elapsed()).as_secs_f64();
        // One begins before the window, and one ends after it.
        let least = (seconds / period).floor() - 1.0;
        let short = self.players.iter().filter(|player| (player.segments as f64) < least).count();
        let of_window = |player: &Player| player.received - player.received_before_window;
        let bytes: u64 = self.players.iter().map(of_window).sum();
        let took = &mut self.window.segments_us;
        took.sort_unstable();
        role::say(&format!(
            "result seconds={seconds:.6} bytes={bytes} segments={} p50_us={} p99_us={} gaps={} short={short} \
             failed={} closed={}",
            took.len(),
            percentile(took, 50),
            percentile(took, 99),
            self.window.gaps,
            self.window.failed,
            self.window.closed,
        ))
    }
}

impl Player {
    fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.asked_ns = stamp::now_ns();
        self.waits = true;
        // A request always fits into the socket unless the server is gone, which the next read finds out.
        match self.socket.write(request) {
            Ok(size) if size < request.len() => Err("a socket without room for a request".into()),
            _ => Ok(()),
        }
    }
}
