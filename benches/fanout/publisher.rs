//! The role `publisher`: replays the media in real time into one or many streams.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Result;
use crate::media::Media;
use crate::pacer::{Alarm, Pacer};
use crate::protocol::Protocol;
use crate::role::{self, MAX_LIFE, Options};
use crate::session::{Event, Goal, Session};
use crate::stamp::{self, Stamp};

/// A server that does not read for so long is not measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Streams that start publishing at the same time.
const CONNECTING: usize = 50;

const INPUT: u64 = 0;
const ALARM: u64 = 1;

pub fn run(options: &Options) -> Result<()> {
    let port: u16 = options.number("port")?;
    let streams: usize = options.number("streams")?;
    let media = Media::read(Path::new(options.text("media")?))?;

    let mut sockets = Vec::with_capacity(streams);
    while sockets.len() < streams {
        // A server with Nagle's algorithm takes 40 ms per answer, so they are not asked one after the other.
        let group = sockets.len()..streams.min(sockets.len() + CONNECTING);
        let connected: Vec<_> = std::thread::scope(|scope| {
            let start =
                |stream| scope.spawn(move || publish(port, stream).map_err(|error| error.to_string()));
            let threads: Vec<_> = group.map(start).collect();
            threads.into_iter().map(|thread| thread.join().expect("publish does not panic")).collect()
        });
        for socket in connected {
            sockets.push(socket?);
        }
    }
    let heads = Stamp { sent_ns: 0, sequence: 0 };
    for socket in &mut sockets {
        for head in &media.heads {
            socket.write_all(&head.framed(false, 0, heads))?;
        }
    }

    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let alarm = Alarm::new()?;
    epoll.add(std::io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, INPUT))?;
    epoll.add(&alarm.0, EpollEvent::new(EpollFlags::EPOLLIN, ALARM))?;
    let end = Instant::now() + MAX_LIFE;
    let mut pacer = Pacer::new(&media, streams, stamp::now_ns());
    let mut sequences = vec![0; streams];
    role::say("publishing")?;
    while Instant::now() < end {
        while let Some(due) = pacer.poll_due(stamp::now_ns()) {
            let message = &media.body[pacer.index(due)];
            let stamp = Stamp { sent_ns: stamp::now_ns(), sequence: sequences[due.stream] };
            sequences[due.stream] += u64::from(message.stamped);
            let bytes = message.framed(false, pacer.timestamp_ms(due), stamp);
            sockets[due.stream].write_all(&bytes).map_err(|error| format!("publisher: {error}"))?;
        }
        alarm.set(pacer.next_ns())?;
        let mut events = [EpollEvent::empty(); 2];
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        let asked = events.iter().take(count).any(|event| event.data() == INPUT);
        if asked && role::read_command()?.is_none() {
            break;
        }
    }
    Ok(())
}

/// Connects and publishes; what the server says afterwards (acknowledgements) is little and stays in the socket.
fn publish(port: u16, stream: usize) -> Result<TcpStream> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut session = Session::new(Protocol::Rtmp, Goal::Publish, port, stream);
    let mut buffer = [0; 8192];
    loop {
        socket.write_all(&session.take_output())?;
        let size = socket.read(&mut buffer)?;
        if size == 0 {
            return Err("the server closed the publisher".into());
        }
        session.push(&buffer[..size])?;
        while let Some(event) = session.poll_event()? {
            if matches!(event, Event::Live) {
                return Ok(socket);
            }
        }
    }
}
