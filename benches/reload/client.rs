//! What a newcomer meets: an application, a stream, a name that is taken.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::Result;
use crate::session::{APP, Event, Goal, Session, stream_name};
use crate::stamp;

/// A server that says nothing for so long has refused, or lost what it was asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far a newcomer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// To an end: closed, or refused in words.
    Refused,
    /// To its goal.
    Live,
    /// To a picture.
    Media,
}

/// A client that stays until it is dropped.
pub struct Guest(#[allow(dead_code, reason = "closes when dropped")] TcpStream);

/// Whether a player of that application is welcome.
pub fn is_served(port: u16, app: &str) -> Result<bool> {
    Ok(visit(port, Goal::Play, app, "nobody", Came::Live)?.1 == Came::Live)
}

/// Connects to an application and stays.
pub fn stay(port: u16, app: &str) -> Result<Guest> {
    match visit(port, Goal::Idle, app, "nobody", Came::Live)? {
        (socket, Came::Live) => Ok(Guest(socket)),
        _ => Err(format!("{app}: a guest is refused").into()),
    }
}

/// Whether a new player gets pictures of the measured stream.
pub fn finds_stream(port: u16) -> Result<bool> {
    Ok(visit(port, Goal::Play, APP, &stream_name(0), Came::Media)?.1 == Came::Media)
}

/// Whether another publisher may have the name of the measured stream.
pub fn second_publisher_is_let_in(port: u16) -> Result<bool> {
    Ok(visit(port, Goal::Publish, APP, &stream_name(0), Came::Live)?.1 == Came::Live)
}

fn visit(port: u16, goal: Goal, app: &str, name: &str, until: Came) -> Result<(TcpStream, Came)> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut session = Session::rtmp(goal, port, app, name.to_owned());
    let mut buffer = vec![0; 65_536];
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let read = socket.write_all(&session.take_output()).and_then(|()| socket.read(&mut buffer));
        let size = match read {
            Ok(0) => break,
            Ok(size) => size,
            Err(error) if is_end(error.kind()) => break,
            Err(error) => return Err(error.into()),
        };
        session.push(&buffer[..size])?;
        loop {
            match session.poll_event() {
                Ok(Some(Event::Live)) if until == Came::Live => return Ok((socket, Came::Live)),
                Ok(Some(Event::Media(message)))
                    if until == Came::Media && stamp::is_picture(message.kind, &message.payload) =>
                {
                    return Ok((socket, Came::Media));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                // In words.
                Err(_) => return Ok((socket, Came::Refused)),
            }
        }
    }
    Ok((socket, Came::Refused))
}

fn is_end(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(kind, WouldBlock | TimedOut | ConnectionReset | BrokenPipe)
}
