//! Players that read in the background and keep what they were sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pingosd::wire::rtmp::client_session::ClientEvent;
use pingosd::wire::{MediaKind, flv};

use super::frame::{self, Tracks};
use super::http::{Dechunker, Head};
use super::rtmp::{End, RtmpClient, end_of, is_timeout};
use super::wait::PATIENCE;

/// One media message or tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub kind: MediaKind,
    pub timestamp: u32,
    pub payload: Bytes,
}

/// What a player has got so far.
#[derive(Debug, Default)]
pub struct Got {
    /// Play was accepted.
    pub started: bool,
    /// Codes of status messages.
    pub statuses: Vec<String>,
    /// Head of the HTTP response.
    pub head: Option<Head>,
    /// The first bytes of the FLV file.
    pub file_header: Vec<u8>,
    /// Everything else.
    pub media: Vec<Media>,
    /// How it ended.
    pub end: Option<End>,
}

/// A player with a thread of its own. Dropping it closes the connection.
pub struct Player {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    got: Mutex<Got>,
    changed: Condvar,
    stop: AtomicBool,
    reset: AtomicBool,
    hold: AtomicBool,
}

impl Player {
    /// Plays `live/NAME` over RTMP; waits until that was accepted.
    #[track_caller]
    pub fn start(port: u16, name: &str) -> Self {
        let player = Player::rtmp(RtmpClient::play(port, "live", name));
        player.wait("play was accepted", |got| got.started.then_some(()));
        player
    }

    /// Reads from this client.
    pub fn rtmp(client: RtmpClient) -> Self {
        let socket = client.socket.try_clone().unwrap();
        Player::spawn(socket, Source::Rtmp(Box::new(client)))
    }

    /// Plays HTTP-FLV: `GET target`.
    pub fn http(port: u16, target: &str) -> Self {
        Player::http_request(port, &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"))
    }

    /// Plays HTTP-FLV with a request of its own.
    pub fn http_request(port: u16, request: &str) -> Self {
        Player::http_over(TcpStream::connect(("127.0.0.1", port)).unwrap(), request)
    }

    /// As [`Player::http_request`], over a socket that was prepared.
    pub fn http_over(mut socket: TcpStream, request: &str) -> Self {
        socket.write_all(request.as_bytes()).unwrap();
        Player::spawn(socket, Source::Http(Box::new(HttpFlv::new())))
    }

    fn spawn(socket: TcpStream, source: Source) -> Self {
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = shared.clone();
            move || shared.read(socket, source)
        });
        Player { shared, thread: Some(thread) }
    }

    /// Everything received so far. Reading continues when the result is dropped.
    pub fn got(&self) -> MutexGuard<'_, Got> {
        lock(&self.shared.got)
    }

    /// Waits until `look` finds something in what was sent.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&Got) -> Option<T>) -> T {
        let due = Instant::now() + PATIENCE;
        let mut got = self.got();
        loop {
            if let Some(found) = look(&got) {
                return found;
            }
            let left = due.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && got.end.is_none(), "waited in vain for {what}; {}", summary(&got));
            got = self.shared.changed.wait_timeout(got, left).unwrap().0;
        }
    }

    /// Waits for frame number `n`.
    #[track_caller]
    pub fn wait_frame(&self, n: u64) {
        self.wait(&format!("frame {n}"), |got| {
            let newest = got.media.iter().rev().find_map(|media| frame::number(&media.payload));
            newest.filter(|newest| *newest >= n).map(drop)
        });
    }

    /// Waits for a key frame.
    #[track_caller]
    pub fn wait_key(&self) {
        self.wait("a key frame", |got| {
            got.media.iter().any(|media| frame::is_key(&media.payload)).then_some(())
        });
    }

    /// Waits for a status with this code.
    #[track_caller]
    pub fn wait_status(&self, code: &str) {
        self.wait(code, |got| got.statuses.iter().any(|status| status == code).then_some(()));
    }

    /// Waits until the server has ended the connection.
    #[track_caller]
    pub fn wait_end(&self) -> End {
        let due = Instant::now() + PATIENCE;
        let mut got = self.got();
        loop {
            if let Some(end) = &got.end {
                return end.clone();
            }
            let left = due.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for the end; {}", summary(&got));
            got = self.shared.changed.wait_timeout(got, left).unwrap().0;
        }
    }

    /// Numbers of the frames it was sent, in order.
    pub fn frames(&self) -> Vec<u64> {
        self.got().media.iter().filter_map(|media| frame::number(&media.payload)).collect()
    }

    /// Checks that from the first key frame up to frame `last` nothing is missing, repeated or changed, and that
    /// the connection lives.
    #[track_caller]
    pub fn assert_whole(&self, tracks: Tracks, last: u64) {
        self.wait_frame(last);
        let got = self.got();
        assert_eq!(got.end, None, "the connection has ended");
        let mut frames = numbered(&got);
        if tracks != Tracks::Audio {
            let key = frames.iter().position(|(_, media)| frame::is_key(&media.payload));
            frames.drain(..key.expect("a key frame was sent"));
        }
        for pair in frames.windows(2) {
            assert_eq!(pair[1].0, pair[0].0 + 1, "a gap or repetition; {}", summary(&got));
        }
        for (n, media) in &frames {
            let sent = tracks.frame(*n, media.payload.len());
            assert!(media.kind == sent.kind && media.payload == sent.payload, "frame {n} has changed");
        }
        assert!(frames.last().is_some_and(|(n, _)| *n >= last));
    }

    /// Stops reading, like a player with too slow a connection; [`Player::resume`] continues.
    pub fn hold(&self) {
        self.shared.hold.store(true, Ordering::Relaxed);
    }

    /// Goes on reading.
    pub fn resume(&self) {
        self.shared.hold.store(false, Ordering::Relaxed);
    }

    /// Leaves with a reset instead of a proper end.
    pub fn reset(self) {
        self.shared.reset.store(true, Ordering::Relaxed);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(outcome.is_ok() || thread::panicking(), "the player's thread has panicked");
        }
    }
}

/// The frames of ours among what was sent, with their numbers.
pub fn numbered(got: &Got) -> Vec<(u64, Media)> {
    let numbered = got.media.iter().map(|media| (frame::number(&media.payload), media));
    numbered.filter_map(|(n, media)| Some((n?, media.clone()))).collect()
}

/// A test that fails while it looks at what was sent must not take the reading thread with it.
fn lock(got: &Mutex<Got>) -> MutexGuard<'_, Got> {
    got.lock().unwrap_or_else(PoisonError::into_inner)
}

fn summary(got: &Got) -> String {
    let frames: Vec<u64> = got.media.iter().filter_map(|media| frame::number(&media.payload)).collect();
    let tail = &frames[frames.len().saturating_sub(30)..];
    let Got { started, statuses, head, end, media, .. } = got;
    format!(
        "started {started}, {statuses:?}, {head:?}, end {end:?}, {} messages, frames ..{tail:?}",
        media.len()
    )
}

impl Shared {
    fn read(&self, mut socket: TcpStream, mut source: Source) {
        let mut buffer = vec![0; 64 * 1024];
        while !self.stop.load(Ordering::Relaxed) {
            if self.hold.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            let read = socket.read(&mut buffer);
            let mut got = lock(&self.got);
            let outcome = match read {
                Ok(0) => Err(End::Closed),
                Ok(n) => source.take(&buffer[..n], &mut got),
                Err(error) if is_timeout(&error) => continue,
                Err(error) => Err(end_of(&error)),
            };
            if let Err(end) = &outcome {
                got.end = Some(end.clone());
            }
            drop(got);
            self.changed.notify_all();
            if outcome.is_err() {
                break;
            }
        }
        if self.reset.load(Ordering::Relaxed) {
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}

enum Source {
    Rtmp(Box<RtmpClient>),
    Http(Box<HttpFlv>),
}

impl Source {
    fn take(&mut self, bytes: &[u8], got: &mut Got) -> Result<(), End> {
        match self {
            Source::Http(http) => http.take(bytes, got),
            Source::Rtmp(client) => {
                client.take(bytes);
                while let Some(event) = client.poll_event() {
                    match event {
                        ClientEvent::Started => got.started = true,
                        ClientEvent::Status { code, .. } => {
                            got.statuses.push(String::from_utf8_lossy(&code).into_owned());
                        }
                        ClientEvent::Media { kind, timestamp, payload } => {
                            got.media.push(Media { kind, timestamp, payload });
                        }
                        ClientEvent::Connected | ClientEvent::StreamBegin | ClientEvent::StreamEof => {}
                    }
                }
                client.end().map_or(Ok(()), |end| Err(end.clone()))
            }
        }
    }
}

/// Bytes of the FLV file header with PreviousTagSize0.
const FILE_HEADER: usize = 13;

struct HttpFlv {
    /// Bytes before the end of the head.
    head: Vec<u8>,
    chunks: Option<Dechunker>,
    reader: flv::FlvReader,
}

impl HttpFlv {
    fn new() -> Self {
        HttpFlv { head: Vec::new(), chunks: None, reader: flv::FlvReader::new(1 << 24) }
    }

    fn take(&mut self, bytes: &[u8], got: &mut Got) -> Result<(), End> {
        if got.head.is_some() {
            return self.body(bytes, got);
        }
        self.head.extend_from_slice(bytes);
        let Some((head, length)) = Head::parse(&self.head) else { return Ok(()) };
        if head.header("transfer-encoding") == Some("chunked") {
            self.chunks = Some(Dechunker::default());
        }
        got.head = Some(head);
        let body = self.head.split_off(length);
        self.body(&body, got)
    }

    fn body(&mut self, bytes: &[u8], got: &mut Got) -> Result<(), End> {
        if got.head.as_ref().is_some_and(|head| head.status != 200) {
            return Ok(());
        }
        let (bytes, complete) = match &mut self.chunks {
            Some(chunks) => chunks.take(bytes),
            None => (bytes.to_vec(), false),
        };
        let missing = FILE_HEADER - got.file_header.len();
        got.file_header.extend(bytes.iter().take(missing));
        let mut input = &bytes[..];
        while let Some(tag) =
            self.reader.read(&mut input).map_err(|error| End::Protocol(error.to_string()))?
        {
            got.media.push(Media { kind: tag.kind, timestamp: tag.timestamp, payload: tag.payload });
        }
        if complete { Err(End::Complete) } else { Ok(()) }
    }
}
