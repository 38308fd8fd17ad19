//! A player of HLS, without I/O: requests out, responses in, over one connection that stays open.
//!
//! ```text
//! HLS+   master playlist -> media playlist -> its new segments, one after the other -> media playlist ...
//! files                     media playlist -> ...
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::Result;

/// A head of a response, and a playlist, are a few hundred bytes.
const MAX_TEXT: usize = 65_536;

/// Until a playlist that is not there yet is asked for again.
const RETRY: Duration = Duration::from_millis(500);

/// What came of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A playlist. `missed` segments stood in none that was read.
    Playlist { missed: u64 },
    /// A segment, as a whole.
    Segment,
    /// Any other status than 200.
    Refused,
}

pub struct HlsClient {
    host: String,
    asked: Asked,
    /// Path of the media playlist; that of the master playlist until its answer names it.
    playlist: String,
    has_master: bool,
    /// Segments of the latest playlist that are still to be asked for.
    segments: VecDeque<String>,
    /// Number behind that of the latest segment in a playlist.
    next: Option<u64>,
    /// From the request for the latest playlist to the next one.
    wait: Duration,
    response: Response,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Master,
    Playlist,
    Segment,
}

impl HlsClient {
    /// `path` is that of the master playlist, or of the media playlist if there is none.
    pub fn new(port: u16, path: String, has_master: bool) -> HlsClient {
        HlsClient {
            host: format!("127.0.0.1:{port}"),
            asked: Asked::Nothing,
            playlist: path,
            has_master,
            segments: VecDeque::new(),
            next: None,
            wait: RETRY,
            response: Response::default(),
        }
    }

    /// The request that follows at once. `None`: the next one is a [`reload`](Self::reload), after [`wait`](Self::wait).
    pub fn poll_request(&mut self) -> Option<Vec<u8>> {
        let path = self.segments.pop_front()?;
        self.asked = Asked::Segment;
        Some(self.request(&path))
    }

    /// The request for the playlist.
    pub fn reload(&mut self) -> Vec<u8> {
        self.asked = if self.has_master { Asked::Master } else { Asked::Playlist };
        self.request(&self.playlist)
    }

    /// From one request for the playlist to the next (RFC 8216, 6.3.4).
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Takes bytes in any pieces, gives what a response that is complete has brought.
    pub fn push(&mut self, data: &[u8]) -> Result<Option<Outcome>> {
        if self.asked == Asked::Nothing {
            return Err("a response without a request".into());
        }
        let keeps = self.asked != Asked::Segment;
        if !self.response.push(data, keeps)? {
            return Ok(None);
        }
        let response = std::mem::take(&mut self.response);
        let asked = std::mem::replace(&mut self.asked, Asked::Nothing);
        if response.status != 200 {
            self.segments.clear();
            self.wait = RETRY;
            return Ok(Some(Outcome::Refused));
        }
        match asked {
            Asked::Master => {
                let text = String::from_utf8(response.body)?;
                let line = text.lines().find(|line| !line.starts_with('#'));
                self.playlist = self.path(line.ok_or("a master playlist without a playlist")?);
                self.has_master = false;
                self.wait = Duration::ZERO;
                Ok(Some(Outcome::Playlist { missed: 0 }))
            }
            Asked::Playlist => self.read_playlist(&String::from_utf8(response.body)?).map(Some),
            Asked::Segment => Ok(Some(Outcome::Segment)),
            Asked::Nothing => Err("a response without a request".into()),
        }
    }

    fn read_playlist(&mut self, text: &str) -> Result<Outcome> {
        let number = |tag: &str| text.lines().find_map(|line| line.strip_prefix(tag)?.parse::<u64>().ok());
        let target = number("#EXT-X-TARGETDURATION:").ok_or("a playlist without a target duration")?;
        let first = number("#EXT-X-MEDIA-SEQUENCE:").unwrap_or(0);
        let uris: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        let end = first + uris.len() as u64;
        // A new player begins with the latest segment, so that it gets one of each from then on.
        let next = self.next.unwrap_or(end.saturating_sub(1)).min(end);
        let missed = first.saturating_sub(next);
        let skipped = usize::try_from(next.saturating_sub(first))?;
        self.segments = uris.iter().skip(skipped).map(|uri| self.path(uri)).collect();
        self.next = Some(end);
        let target = Duration::from_secs(target);
        self.wait = if self.segments.is_empty() { target / 2 } else { target };
        Ok(Outcome::Playlist { missed })
    }

    /// The path of a reference in the playlist.
    fn path(&self, uri: &str) -> String {
        if let Some((_, rest)) = uri.split_once("://") {
            return rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
        }
        let directory = self.playlist.split('?').next().unwrap_or_default();
        let directory = directory.rsplit_once('/').map_or("", |(directory, _)| directory);
        if uri.starts_with('/') { uri.to_owned() } else { format!("{directory}/{uri}") }
    }

    fn request(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: fanout\r\n\r\n", self.host).into_bytes()
    }
}

/// A response with a length.
#[derive(Default)]
struct Response {
    /// The head, as long as it is incomplete.
    head: Vec<u8>,
    status: u16,
    /// Bytes that are still to come; `None` within the head.
    left: Option<usize>,
    /// As far as it is kept.
    body: Vec<u8>,
}

impl Response {
    /// Whether it is complete.
    fn push(&mut self, data: &[u8], keeps: bool) -> Result<bool> {
        let Some(left) = self.left else {
            self.head.extend_from_slice(data);
            let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
                return if self.head.len() > MAX_TEXT { Err("endless HTTP head".into()) } else { Ok(false) };
            };
            let rest = self.head.split_off(end + 4);
            let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
            self.status = status.ok_or("no status in an HTTP response")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length = length.and_then(|length| length.trim().parse().ok());
            self.left = Some(length.ok_or("an HTTP response without a length")?);
            return self.push(&rest, keeps);
        };
        if data.len() > left {
            return Err("bytes behind an HTTP response".into());
        }
        if keeps {
            self.body.extend_from_slice(data);
            if self.body.len() > MAX_TEXT {
                return Err("a playlist that is too long".into());
            }
        }
        self.left = Some(left - data.len());
        Ok(left == data.len())
    }
}
