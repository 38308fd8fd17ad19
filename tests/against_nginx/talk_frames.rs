//! A client of HTTP/2 that sends any frames: what begins with the preface.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crate::entry::Step;
use crate::talk::{Answer, Talk, Target};

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(6);

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const PROBE: [u8; 8] = *b"is there";

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What is compared of a frame: ends of responses, resets, and the end of the connection. `None` for others.
fn shown(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<String> {
    let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
    match kind {
        0 | 1 if flags & END_STREAM != 0 => Some(format!("END {stream}")),
        3 => Some(format!("RST_STREAM {stream} for {}", number(0))),
        6 if flags & ACK != 0 && payload == PROBE => Some("PING".to_owned()),
        7 => Some(format!("GOAWAY {} for {}", number(0), number(4))),
        _ => None,
    }
}

/// Carries out the steps: `Read` waits for this number of frames that are shown. At the end a PING shows whether the connection is
/// still served.
pub fn talk(target: &Target, steps: &[Step], pause: Duration) -> Talk {
    let mut talk = Talk::default();
    let Target::Tcp(address) = target else { panic!("entries over HTTP/2 have ports") };
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let mut is_shut = false;
    for step in steps {
        match step {
            // That the server closes meanwhile is its right.
            Step::Send(bytes) => drop(socket.write_all(bytes)),
            Step::Pause => thread::sleep(pause),
            Step::Shut => {
                let _ = socket.shutdown(Shutdown::Write);
                is_shut = true;
            }
            Step::Read(count) => {
                for _ in 0..*count {
                    if !read(&mut socket, &mut talk) {
                        return talk;
                    }
                }
            }
            Step::Interim | Step::Beside(_) => panic!("frames have no such step"),
        }
    }
    if !is_shut {
        let _ = socket.write_all(&frame(6, 0, 0, &PROBE));
    }
    while read(&mut socket, &mut talk) {
        if talk.answers.last().is_some_and(|answer| answer.line == b"PING") {
            talk.before_probe = Some(talk.answers.len() - 1);
            break;
        }
    }
    talk
}

/// Reads up to the next frame that is shown; whether there is one.
fn read(socket: &mut TcpStream, talk: &mut Talk) -> bool {
    loop {
        let mut head = [0; 9];
        if let Err(error) = socket.read_exact(&mut head) {
            talk.is_silent = matches!(error.kind(), std::io::ErrorKind::WouldBlock);
            return false;
        }
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        if socket.read_exact(&mut payload).is_err() {
            return false;
        }
        if let Some(line) = shown(kind, flags, u32::from_be_bytes(stream), &payload) {
            talk.answers.push(Answer { line: line.into_bytes(), ..Answer::default() });
            return true;
        }
    }
}
