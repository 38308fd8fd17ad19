//! Any bytes on an HTTP connection: the corpora of the fuzz targets, and random changes of them.

use std::fs;
use std::path::PathBuf;

use support::raw::Random;

#[path = "../fuzz/fuzz_targets/check_http.rs"]
mod check_http;
#[path = "../fuzz/fuzz_targets/check_http2.rs"]
mod check_http2;
mod support;

/// What is put into requests: bytes and words that mean something to the parser or to a handler.
const PARTS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"%00",
    b"%2e%2e/",
    b"//",
    b"?",
    b"#",
    b":",
    b"Connection: keep-alive\r\n",
    b"Range: bytes=1-2,-3,4-\r\n",
    b"If-None-Match: *\r\n",
    b"If-Match: \"x\"\r\n",
    b"Accept-Encoding: gzip\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Expect: 100-continue\r\n",
    b"X-Forwarded-For: 10.0.0.1, ::1\r\n",
    b"Authorization: Basic dXNlcjpwYXNz\r\n",
    b"\r\n\r\nGET /show HTTP/1.1\r\nHost: a\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"\xff",
];

/// Random changes that are tried.
const ROUNDS: usize = 3000;

/// Memory in KiB that the server may have taken meanwhile: less than the buffers of each connection.
const MOST_GROWTH: u64 = 32 * 1024;

/// The files with `own` in their names ask each location for something; the others are from `tests/against_nginx`.
fn corpus() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/http");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_own = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("own-");
    let read = |path: &PathBuf| fs::read(path).unwrap();
    (
        paths.iter().filter(is_own).map(read).collect(),
        paths.iter().filter(|path| !is_own(path)).map(read).collect(),
    )
}

#[test]
fn the_corpus_and_changes_of_it_hold() {
    let (own, others) = corpus();
    assert!(own.len() >= 20 && others.len() >= 100, "{} and {} files", own.len(), others.len());
    own.iter().chain(&others).for_each(|bytes| check_http::connection(bytes));
    let before = resident();
    let mut random = Random::new(0x5eed_4077);
    for _ in 0..ROUNDS {
        let corpus = if random.below(4) > 0 { &own } else { &others };
        let mut bytes = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.splice(at..at, PARTS[random.below(PARTS.len())].iter().copied())),
                2 => {
                    let other = &corpus[random.below(corpus.len())];
                    let from = random.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                3 if at < bytes.len() => bytes[at] = random.bytes(1)[0],
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        check_http::connection(&bytes);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < MOST_GROWTH, "the server keeps {grown} KiB of {ROUNDS} connections that have ended");
}

#[test]
fn the_corpus_of_http2_and_changes_of_it_hold() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/http2");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(corpus.len() >= 10, "{} files", corpus.len());
    corpus.iter().for_each(|bytes| check_http2::frames(bytes));
    let mut random = Random::new(0x5eed_0002);
    for _ in 0..10 * ROUNDS {
        let mut bytes = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => drop(bytes.splice(at..at, corpus[random.below(corpus.len())].iter().copied())),
                2 if at < bytes.len() => bytes[at] = random.bytes(1)[0],
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        check_http2::frames(&bytes);
    }
}

/// Memory of this process, in which the server runs, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
