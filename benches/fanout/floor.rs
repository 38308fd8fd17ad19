//! The role `floor`: the least that sending at once can cost.
//!
//! One thread, one buffer per message shared by all players, one `writev` per player and message as it becomes due.
//! No publisher: the loop has the messages already, and frames each of them once. It answers just enough RTMP or HTTP that the same players can be used.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use rustls::ServerConfig;

use pingosd::limits;
use pingosd::media::delivery::IoRing;

use crate::Result;
use crate::framer::Framer;
use crate::media::Media;
use crate::pacer::{Alarm, Pacer};
use crate::protocol::Protocol;
use crate::role::{self, MAX_LIFE, Options};
use crate::rtmp::{self, Amf, ChunkReader, HANDSHAKE, Received};
use crate::stamp::{self, Stamp};
use crate::tls::{Certificate, Stream};

/// Messages waiting for one player; what comes later is lost, and shows as a gap.
const MAX_WAITING: usize = 512;

/// Slices in one `writev`; more than a 40 ms batch of one stream ever has.
const MAX_SLICES: usize = 64;

/// Messages of one stream are due at whole milliseconds anyway. With many streams this keeps the timer, which no server
/// needs once per message, out of the figure.
const TICK_NS: u64 = 1_000_000;

const INPUT: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;
const LISTENER: u64 = u64::MAX - 2;

struct Connection {
    socket: Stream,
    stage: Stage,
    waiting: VecDeque<Bytes>,
    /// Bytes of the first waiting message that are already sent.
    sent: usize,
    open: bool,
    /// The ring has sent it the batch of this turn.
    served: bool,
}

enum Stage {
    /// C0 and C1, then C2; what came of them.
    Handshake(Vec<u8>, bool),
    Commands(ChunkReader),
    Request(Vec<u8>),
    Playing,
}

struct Floor {
    protocol: Protocol,
    tls: Option<Arc<ServerConfig>>,
    epoll: Epoll,
    connections: Vec<Connection>,
    /// The connections that play each stream.
    players: Vec<Vec<usize>>,
    /// One for each stream.
    framers: Vec<Framer>,
    ring: Option<IoRing>,
}

pub fn run(options: &Options) -> Result<()> {
    let protocol = Protocol::parse(options.text("protocol")?)?;
    let streams: usize = options.number("streams")?;
    let delay_ns = options.number::<u64>("delay_ms")? * 1_000_000;
    let tick_ns = delay_ns.max(TICK_NS);
    let media = Media::read(Path::new(options.text("media")?))?;
    let framers: Result<Vec<Framer>> = (0..streams).map(|_| Framer::new(protocol, &media)).collect();
    let tls = match options.number::<u8>("tls")? {
        0 => None,
        _ => {
            let file = |key| options.text(key).map(PathBuf::from);
            Some(Certificate { certificate: file("certificate")?, key: file("key")? }.server()?)
        }
    };
    let mut floor = Floor {
        protocol,
        tls,
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        connections: Vec::new(),
        players: vec![Vec::new(); streams],
        framers: framers?,
        ring: if options.number::<u8>("uring")? == 1 { Some(IoRing::new()?) } else { None },
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let alarm = Alarm::new()?;
    floor.epoll.add(std::io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, INPUT))?;
    floor.epoll.add(&alarm.0, EpollEvent::new(EpollFlags::EPOLLIN, ALARM))?;
    floor.epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    role::say(&format!("listening port={}", listener.local_addr()?.port()))?;

    let start_ns = stamp::now_ns();
    let end = Instant::now() + MAX_LIFE;
    let mut pacer = Pacer::new(&media, streams, start_ns);
    let mut sequences = vec![0; streams];
    let mut events = vec![EpollEvent::empty(); 256];
    let mut batches: Vec<Vec<Bytes>> = vec![Vec::new(); streams];
    while Instant::now() < end {
        // What is due is looked at only at whole multiples of the tick.
        let alarm_ns = start_ns + (pacer.next_ns() - start_ns).div_ceil(tick_ns) * tick_ns;
        let mut filled = Vec::new();
        while stamp::now_ns() >= alarm_ns {
            let Some(due) = pacer.poll_due(alarm_ns) else { break };
            let message = &media.body[pacer.index(due)];
            // What waits here because the loop is behind counts as latency, as it does when a server is behind.
            let stamp = Stamp { sent_ns: due.at_ns, sequence: sequences[due.stream] };
            sequences[due.stream] += u64::from(message.stamped);
            let batch = &mut batches[due.stream];
            let was_empty = batch.is_empty();
            floor.framers[due.stream].frame(message, pacer.timestamp_ms(due), stamp, batch)?;
            if was_empty && !batch.is_empty() {
                filled.push(due.stream);
            }
            if delay_ns == 0 && !filled.is_empty() {
                break;
            }
        }
        if !filled.is_empty() {
            for stream in filled {
                floor.send(stream, &batches[stream]);
                batches[stream].clear();
            }
            continue;
        }
        alarm.set(alarm_ns)?;
        let count = floor.epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            match event.data() {
                INPUT if role::read_command()?.is_none() => return Ok(()),
                INPUT | ALARM => {}
                LISTENER => floor.accept(&listener)?,
                index => floor.handle(index as usize, event.events())?,
            }
        }
    }
    Ok(())
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let index = self.connections.len();
            self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            let stage = match self.protocol {
                Protocol::Rtmp => Stage::Handshake(Vec::new(), false),
                Protocol::Flv | Protocol::Ts => Stage::Request(Vec::new()),
            };
            let socket = match &self.tls {
                None => Stream::plain(socket),
                Some(config) => Stream::accepted(socket, config)?,
            };
            self.connections.push(Connection {
                socket,
                stage,
                waiting: VecDeque::new(),
                sent: 0,
                open: true,
                served: false,
            });
        }
    }

    fn send(&mut self, stream: usize, batch: &[Bytes]) {
        if self.ring.is_some() && batch.len() <= limits::WRITE_SLICES {
            self.send_ahead(stream, batch);
        }
        for &index in &self.players[stream] {
            let connection = &mut self.connections[index];
            let served = std::mem::take(&mut connection.served);
            let was_waiting = !served && connection.is_waiting();
            if !served {
                connection.send(batch);
            }
            if connection.open && !was_waiting && connection.is_waiting() {
                self.watch(index, EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT);
            }
        }
    }

    /// Sends at once to all players that have nothing waiting.
    fn send_ahead(&mut self, stream: usize, batch: &[Bytes]) {
        let Some(ring) = &mut self.ring else { return };
        for players in self.players[stream].chunks(limits::PLAYERS_PER_TURN) {
            let free = players.iter().map(|&index| (index, &self.connections[index]));
            let free = free.filter(|(_, player)| player.open && player.waiting.is_empty());
            let sockets = free.map(|(index, player)| (index, player.socket.as_fd()));
            for outcome in ring.send(batch, sockets) {
                let player = &mut self.connections[outcome.place];
                match outcome.result {
                    Ok(sent) => {
                        player.keep_rest(batch, sent);
                        player.served = true;
                    }
                    Err(libc::EAGAIN) => {}
                    Err(_) => player.open = false,
                }
            }
        }
    }

    fn watch(&self, index: usize, flags: EpollFlags) {
        let mut event = EpollEvent::new(flags, index as u64);
        self.epoll.modify(&self.connections[index].socket, &mut event).expect("every connection was added");
    }

    fn handle(&mut self, index: usize, flags: EpollFlags) -> Result<()> {
        let connection = &mut self.connections[index];
        if flags.contains(EpollFlags::EPOLLOUT) {
            connection.flush();
            if !connection.is_waiting() && connection.open {
                self.watch(index, EpollFlags::EPOLLIN);
            }
        }
        if !flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            return Ok(());
        }
        let mut buffer = [0; 8192];
        let connection = &mut self.connections[index];
        let size = match connection.socket.read(&mut buffer) {
            Ok(size) => size,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => 0,
        };
        if size == 0 {
            connection.open = false;
            connection.waiting.clear();
            self.epoll.delete(&connection.socket)?;
            return Ok(());
        }
        if let Some(name) = connection.answer(&buffer[..size])? {
            let stream: usize = name.trim_start_matches('s').parse().map_err(|_| "unknown stream")?;
            let lead = self.framers.get(stream).ok_or("no such stream")?.lead();
            connection.send(&[lead]);
            self.players[stream].push(index);
        }
        Ok(())
    }
}

impl Connection {
    /// Whether something is left for when the socket has room.
    fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.socket.holds_output()
    }

    fn send(&mut self, batch: &[Bytes]) {
        if !self.open {
            return;
        }
        let sent = if self.waiting.is_empty() { self.write(batch.iter().map(|bytes| &bytes[..])) } else { 0 };
        self.keep_rest(batch, sent);
    }

    /// The socket took `sent` bytes of `batch`, which is 0 while others wait.
    fn keep_rest(&mut self, batch: &[Bytes], mut sent: usize) {
        let mut first = 0;
        if self.waiting.is_empty() {
            while first < batch.len() && sent >= batch[first].len() {
                sent -= batch[first].len();
                first += 1;
            }
            self.sent = sent;
        }
        debug_assert!(sent == 0 || first < batch.len());
        let room = MAX_WAITING.saturating_sub(self.waiting.len());
        self.waiting.extend(batch[first..].iter().take(room).cloned());
    }

    fn flush(&mut self) {
        let skipped = self.sent;
        let waiting = std::mem::take(&mut self.waiting);
        let slices = waiting
            .iter()
            .enumerate()
            .map(|(index, bytes)| if index == 0 { &bytes[skipped..] } else { bytes });
        let mut sent = skipped + self.write(slices);
        self.waiting = waiting;
        while let Some(front) = self.waiting.front() {
            if sent < front.len() {
                break;
            }
            sent -= front.len();
            self.waiting.pop_front();
        }
        self.sent = sent;
    }

    /// One `writev`. A broken connection counts as closed; the read side cleans it up.
    fn write<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut vector = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slot, slice) in vector.iter_mut().zip(slices) {
            *slot = IoSlice::new(slice);
            count += 1;
        }
        match self.socket.write_vectored(&vector[..count]) {
            Ok(size) => size,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.open = false;
                0
            }
        }
    }

    /// Talks as a server would. Gives the stream's name when the peer asks to play.
    fn answer(&mut self, data: &[u8]) -> Result<Option<String>> {
        let next = match &mut self.stage {
            Stage::Playing => return Ok(None),
            Stage::Request(request) => {
                request.extend_from_slice(data);
                if !request.ends_with(b"\r\n\r\n") {
                    return Ok(None);
                }
                let text = String::from_utf8_lossy(request);
                let path = text.split(' ').nth(1).unwrap_or_default();
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                self.socket.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n",
                )?;
                self.stage = Stage::Playing;
                return Ok(Some(name));
            }
            Stage::Handshake(bytes, answered) => {
                bytes.extend_from_slice(data);
                if !*answered && bytes.len() > HANDSHAKE {
                    *answered = true;
                    // S0, S1 (zeros), S2 (C1 again).
                    let mut answer = vec![3];
                    answer.resize(1 + HANDSHAKE, 0);
                    answer.extend_from_slice(&bytes[1..1 + HANDSHAKE]);
                    self.socket.write_all(&answer)?;
                }
                if bytes.len() <= 2 * HANDSHAKE {
                    return Ok(None);
                }
                let mut reader = ChunkReader::new();
                reader.push(&bytes[1 + 2 * HANDSHAKE..]);
                Stage::Commands(reader)
            }
            Stage::Commands(reader) => {
                reader.push(data);
                return self.answer_commands();
            }
        };
        self.stage = next;
        self.answer_commands()
    }

    fn answer_commands(&mut self) -> Result<Option<String>> {
        let Stage::Commands(reader) = &mut self.stage else { return Ok(None) };
        while let Some(message) = reader.poll_message()? {
            if message.kind != rtmp::COMMAND {
                continue;
            }
            let command = Received::parse(&message.payload);
            let transaction = Amf::Number(command.numbers.first().copied().unwrap_or_default());
            match command.name() {
                "connect" => {
                    let mut answer = rtmp::control(rtmp::WINDOW_ACK_SIZE, &5_000_000_u32.to_be_bytes());
                    answer.extend(rtmp::control(rtmp::SET_PEER_BANDWIDTH, &[0, 0x4c, 0x4b, 0x40, 2]));
                    let chunk_size = (rtmp::CHUNK_SIZE as u32).to_be_bytes();
                    answer.extend(rtmp::control(rtmp::SET_CHUNK_SIZE, &chunk_size));
                    let status = [("code", Amf::String("NetConnection.Connect.Success"))];
                    let result = [Amf::String("_result"), transaction, Amf::Null, Amf::Object(&status)];
                    answer.extend(rtmp::command(0, &result));
                    self.socket.write_all(&answer)?;
                }
                "createStream" => {
                    let result = [Amf::String("_result"), transaction, Amf::Null, Amf::Number(1.0)];
                    self.socket.write_all(&rtmp::command(0, &result))?;
                }
                "play" => {
                    let status =
                        [("level", Amf::String("status")), ("code", Amf::String("NetStream.Play.Start"))];
                    let result = [Amf::String("onStatus"), Amf::Number(0.0), Amf::Null, Amf::Object(&status)];
                    self.socket.write_all(&rtmp::command(1, &result))?;
                    let name = command.strings.get(1).cloned().ok_or("play without a name")?;
                    self.stage = Stage::Playing;
                    return Ok(Some(name));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
