//! HTTP/2.

use std::io::{Read, Write};

use pingosd::net::http2::PREFACE;

use crate::http::{has_header, location};
use crate::support::raw::Raw;
use crate::walk::{After, Case, Place, Walk, walk};

/// A row of a server that speaks HTTP/2 without TLS.
macro_rules! server {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::HttpServer,
            before: concat!(
                "listen 127.0.0.1:{web}; ",
                $before,
                " return 200 0123456789012345678901234567890123456789;"
            ),
            after: concat!(
                "listen 127.0.0.1:{web}; ",
                $after,
                " return 200 0123456789012345678901234567890123456789;"
            ),
            look: $look,
        }
    };
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;

pub const CASES: &[Case] = &[
    server!("http v2/http2", "", "http2 on;", |walk| {
        assert_eq!(frame(&mut connect(walk)), None, "it is HTTP/1");
        Box::new(|| assert_eq!(frame(&mut connect(walk)).map(|frame| frame.0), Some(SETTINGS)))
    }),
    server!(
        "http v2/http2_max_concurrent_streams",
        "http2 on; http2_max_concurrent_streams 10;",
        "http2 on; http2_max_concurrent_streams 20;",
        |walk| setting(walk, 3, [10, 20])
    ),
    server!(
        "http v2/http2_body_preread_size",
        "http2 on; http2_body_preread_size 100;",
        "http2 on; http2_body_preread_size 200;",
        |walk| setting(walk, 4, [100, 200])
    ),
    server!(
        "http v2/http2_chunk_size",
        "http2 on; http2_chunk_size 10;",
        "http2 on; http2_chunk_size 20;",
        |walk| {
            assert_eq!(largest_frame(walk), 10);
            Box::new(|| assert_eq!(largest_frame(walk), 20))
        }
    ),
    location!("http v2/keepalive_time", "keepalive_time 1h;", "keepalive_time 1ms;", |walk| {
        has_header(walk, "f.txt", "connection", Some("keep-alive"), Some("close"))
    }),
];

/// A connection on which a client of HTTP/2 has begun.
fn connect(walk: &Walk<'_>) -> Raw {
    let mut raw = Raw::open(walk.web);
    raw.0.write_all(&[PREFACE, &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]].concat()).unwrap();
    raw
}

/// The next frame: type, flags and payload; `None` if what comes is none.
fn frame(raw: &mut Raw) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    raw.0.read_exact(&mut head).ok()?;
    if head.starts_with(b"HTTP") {
        return None;
    }
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    raw.0.read_exact(&mut payload).ok()?;
    Some((head[3], head[4], payload))
}

/// The server announces the first value of this setting, then the second.
fn setting<'w>(walk: &'w Walk<'w>, number: u8, values: [u8; 2]) -> After<'w> {
    let announces = move |value: u8| {
        let (kind, _, payload) = frame(&mut connect(walk)).unwrap();
        assert_eq!(kind, SETTINGS);
        assert!(payload.chunks_exact(6).any(|setting| setting == [0, number, 0, 0, 0, value]), "{payload:?}");
    };
    announces(values[0]);
    Box::new(move || announces(values[1]))
}

/// Length of the largest frame of a response's body.
fn largest_frame(walk: &Walk<'_>) -> usize {
    let mut raw = connect(walk);
    // GET, http, /, and an authority.
    let head = [0x82, 0x86, 0x84, 0x41, 1, b'h'];
    let begin = [0, 0, 6, HEADERS, 5, 0, 0, 0, 1];
    raw.0.write_all(&[&begin[..], &head].concat()).unwrap();
    let mut largest = 0;
    loop {
        let (kind, flags, payload) = frame(&mut raw).expect("the response goes on");
        if kind == DATA {
            largest = largest.max(payload.len());
            if flags & END_STREAM != 0 {
                return largest;
            }
        }
    }
}

#[test]
fn http2() {
    walk(CASES);
}
