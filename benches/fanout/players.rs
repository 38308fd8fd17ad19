//! The role `players`: every player of a measurement on one thread.
//!
//! All of them handshake, ask for their stream and read until the first media message. From then on the sampled ones
//! parse every message, for latency and gaps, and the others read and discard, as cheap as a reader can be.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use rustls::ClientConfig;

use crate::Result;
use crate::protocol::Protocol;
use crate::role::{self, MAX_LIFE, Options};
use crate::rtmp;
use crate::session::{Event, Goal, Session};
use crate::stamp::{self, Stamp};
use crate::tls::{self, Stream};

/// Number of sampled players, spread evenly.
const SAMPLED: usize = 20;

/// Connections at a time that no answer to `connect`, `play` or the request has come for: below any server's backlog.
const JOINING: usize = 128;

/// Players that get less than this part of the nominal bytes in a window count as short.
const SHORT: f64 = 0.8;

/// Maximum size of one read.
const READ: usize = 65_536;

const INPUT: u64 = u64::MAX;

struct Player {
    socket: Stream,
    /// `None` once an unsampled player is live: it discards.
    session: Option<Session>,
    sampled: bool,
    /// Reads nothing once it is live.
    stalls: bool,
    /// The server agreed. Media may take until the next key frame.
    joined: bool,
    live: bool,
    open: bool,
    ack_window: Option<u64>,
    received: u64,
    acknowledged: u64,
    received_before_window: u64,
    last_sequence: Option<u64>,
}

#[derive(Default)]
struct Window {
    started: Option<Instant>,
    latencies_us: Vec<u32>,
    gaps: u64,
    closed: u64,
}

struct Players {
    protocol: Protocol,
    tls: Option<Arc<ClientConfig>>,
    goal: Goal,
    port: u16,
    streams: usize,
    count: usize,
    stalled: usize,
    bytes_per_second: f64,
    epoll: Epoll,
    players: Vec<Player>,
    joined: usize,
    live: usize,
    window: Window,
}

pub fn run(options: &Options) -> Result<()> {
    let mut players = Players {
        protocol: Protocol::parse(options.text("protocol")?)?,
        tls: match options.number::<u8>("tls")? {
            0 => None,
            _ => Some(tls::client(Path::new(options.text("certificate")?))?),
        },
        goal: if options.text("goal")? == "idle" { Goal::Idle } else { Goal::Play },
        port: options.number("port")?,
        streams: options.number("streams")?,
        count: options.number("players")?,
        stalled: options.number("stalled")?,
        bytes_per_second: options.number("rate")?,
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        players: Vec::new(),
        joined: 0,
        live: 0,
        window: Window::default(),
    };
    players.run()
}

impl Players {
    fn run(&mut self) -> Result<()> {
        self.epoll.add(std::io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, INPUT))?;
        let end = Instant::now() + MAX_LIFE;
        let mut events = [EpollEvent::empty(); 256];
        let mut buffer = vec![0; READ];
        let mut said_ready = false;
        while Instant::now() < end {
            while self.players.len() < self.count && self.players.len() - self.joined < JOINING {
                self.join()?;
            }
            if self.live == self.count && !said_ready {
                said_ready = true;
                role::say("ready")?;
            }
            let count = self.epoll.wait(&mut events, EpollTimeout::from(1000_u16))?;
            for event in &events[..count] {
                if event.data() != INPUT {
                    self.read(event.data() as usize, &mut buffer)?;
                    continue;
                }
                match role::read_command()?.as_deref() {
                    None => return Ok(()),
                    Some("begin") => self.begin()?,
                    Some("end") => self.end()?,
                    Some(other) => return Err(format!("unknown command {other}").into()),
                }
            }
        }
        Ok(())
    }

    fn join(&mut self) -> Result<()> {
        let index = self.players.len();
        // A connect on the loopback completes at once, so it may block.
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = match &self.tls {
            None => Stream::plain(socket),
            Some(config) => Stream::connected(socket, config)?,
        };
        let mut session = Session::new(self.protocol, self.goal, self.port, index % self.streams);
        socket.write_all(&session.take_output())?;
        self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        let every = (self.count / SAMPLED).max(1);
        self.players.push(Player {
            socket,
            session: Some(session),
            sampled: self.goal == Goal::Play && index.is_multiple_of(every),
            // Beside the sampled ones, which are those of the multiples.
            stalls: self.stalled > 0 && index % (self.count / self.stalled) == 1,
            joined: false,
            live: false,
            open: true,
            ack_window: None,
            received: 0,
            acknowledged: 0,
            received_before_window: 0,
            last_sequence: None,
        });
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
        if let Some(session) = &mut player.session {
            session.push(&buffer[..size])?;
            self.handle_events(index)?;
        }
        let player = &mut self.players[index];
        player.acknowledge();
        if player.live && player.stalls {
            self.epoll.delete(&player.socket)?;
        }
        Ok(())
    }

    fn handle_events(&mut self, index: usize) -> Result<()> {
        let now_ns = stamp::now_ns();
        let player = &mut self.players[index];
        let Some(session) = &mut player.session else { return Ok(()) };
        let (mut joined, mut live) = (player.joined, player.live);
        while let Some(event) = session.poll_event()? {
            joined = true;
            match event {
                Event::Live => live |= self.goal == Goal::Idle,
                Event::Media(message) => {
                    live |= stamp::is_picture(message.kind, &message.payload);
                    let looked_at = player.sampled && message.kind == rtmp::VIDEO;
                    if let Some(stamp) = looked_at.then(|| Stamp::find(&message.payload)).flatten() {
                        self.window.note(player.last_sequence.replace(stamp.sequence), stamp, now_ns);
                    }
                }
                Event::Picture(picture) => {
                    live = true;
                    if let Some(stamp) = picture.stamp.filter(|_| player.sampled) {
                        let last = player.last_sequence.replace(stamp.sequence);
                        self.window.note(last, stamp, picture.read_ns);
                    }
                }
            }
        }
        let output = session.take_output();
        if !output.is_empty() {
            player.socket.write_all(&output)?;
        }
        player.ack_window = session.ack_window();
        self.joined += usize::from(joined && !player.joined);
        self.live += usize::from(live && !player.live);
        (player.joined, player.live) = (joined, live);
        if player.live && !player.sampled {
            player.session = None;
            // It reads and discards, as cheap as a reader can be; only players of RTMP still have something to say.
            if self.protocol != Protocol::Rtmp {
                player.socket.forget_tls();
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        for player in &mut self.players {
            player.received_before_window = player.received;
        }
        self.window = Window { started: Some(Instant::now()), ..Window::default() };
        role::say("begun")
    }

    fn end(&mut self) -> Result<()> {
        let seconds =
            self.window.started.take().map_or(Duration::ZERO, |start| start.elapsed()).as_secs_f64();
        let nominal = self.bytes_per_second * seconds;
        let of_window = |player: &Player| player.received - player.received_before_window;
        let bytes: u64 = self.players.iter().map(of_window).sum();
        let short = self.players.iter().filter(|player| (of_window(player) as f64) < SHORT * nominal).count();
        let sampled = self.players.iter().filter(|player| player.sampled).count();
        let latencies = &mut self.window.latencies_us;
        latencies.sort_unstable();
        role::say(&format!(
            "result seconds={seconds:.6} bytes={bytes} samples={} sampled={sampled} p50_us={} p99_us={} gaps={} \
             short={short} closed={}",
            latencies.len(),
            percentile(latencies, 50),
            percentile(latencies, 99),
            self.window.gaps,
            self.window.closed,
        ))
    }
}

impl Window {
    fn note(&mut self, last: Option<u64>, stamp: Stamp, now_ns: u64) {
        if self.started.is_none() {
            return;
        }
        let latency_us = now_ns.saturating_sub(stamp.sent_ns) / 1000;
        self.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
        if let Some(last) = last {
            self.gaps += stamp.sequence.saturating_sub(last + 1);
        }
    }
}

impl Player {
    /// Tells the server how far it got (RTMP 1.0 §5.4.3), as players do.
    fn acknowledge(&mut self) {
        let Some(window) = self.ack_window else { return };
        if self.received - self.acknowledged < window {
            return;
        }
        self.acknowledged = self.received;
        let sequence = (self.received as u32).to_be_bytes();
        // Sixteen bytes always fit unless the server is gone, which the next read finds out.
        let _ = self.socket.write(&rtmp::control(rtmp::ACKNOWLEDGEMENT, &sequence));
    }
}

/// Reads what has come: 0 bytes where the connection has ended or failed, `None` where nothing has come.
pub fn read_ready(socket: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    match socket.read(buffer) {
        Ok(size) => Some(size),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
        Err(_) => Some(0),
    }
}

pub fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(0)
}
