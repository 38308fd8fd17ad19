//! The role `joiner`: new players, one after the other, each until its first key frame.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::players::percentile;
use crate::protocol::Protocol;
use crate::role::{self, Options};
use crate::session::{Event, Goal, Session};
use crate::stamp;

/// A server that answers nothing for so long is not measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two players: no multiple of the media's steps, so that they come at every moment of a frame.
const PAUSE: Duration = Duration::from_micros(3_700);

pub fn run(options: &Options) -> Result<()> {
    let port: u16 = options.number("port")?;
    let end = Instant::now() + Duration::from_millis(options.number("millis")?);
    let (mut connect, mut play) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        let (from_connect, from_play) = join(port)?;
        connect.push(micros(from_connect));
        play.push(micros(from_play));
        sleep(PAUSE);
    }
    connect.sort_unstable();
    play.sort_unstable();
    role::say(&format!(
        "result joins={} connect_p50_us={} connect_p99_us={} play_p50_us={} play_p99_us={}",
        connect.len(),
        percentile(&connect, 50),
        percentile(&connect, 99),
        percentile(&play, 50),
        percentile(&play, 99),
    ))
}

/// How long the first key frame took, from connecting and from `play`.
fn join(port: u16) -> Result<(Duration, Duration)> {
    let began = Instant::now();
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut session = Session::new(Protocol::Rtmp, Goal::Play, port, 0);
    let mut buffer = vec![0; 65_536];
    // The last thing a player says before the media is `play`.
    let mut said = began;
    loop {
        let output = session.take_output();
        if !output.is_empty() {
            said = Instant::now();
            socket.write_all(&output)?;
        }
        let size = socket.read(&mut buffer)?;
        if size == 0 {
            return Err("the server closed a new player".into());
        }
        session.push(&buffer[..size])?;
        while let Some(event) = session.poll_event()? {
            if let Event::Media(message) = event
                && stamp::is_picture(message.kind, &message.payload)
            {
                if message.payload[0] >> 4 != 1 {
                    return Err("the first picture is no key frame".into());
                }
                return Ok((began.elapsed(), said.elapsed()));
            }
        }
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
