//! What is known of a request's attempts to forward it, for variables and the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use parking_lot::Mutex;

use crate::http::headers::Headers;

/// One attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// Name of the peer; `None` separates what different locations have forwarded.
    pub(super) peer: Option<String>,
    /// Status, 0 before it is known.
    pub(super) status: u16,
    /// When it began.
    pub(super) began: Instant,
    /// Time until the connection was there.
    pub(super) connect: Option<Duration>,
    /// Time until the response head was there.
    pub(super) header: Option<Duration>,
    /// Time until its end.
    pub(super) response: Option<Duration>,
    /// Bytes of the body as received.
    pub(super) length: u64,
    /// Bytes received.
    pub(super) received: u64,
    /// Bytes sent.
    pub(super) sent: u64,
}

impl Attempt {
    fn new(peer: Option<String>) -> Attempt {
        Attempt {
            peer,
            status: 0,
            began: Instant::now(),
            connect: None,
            header: None,
            response: None,
            length: 0,
            received: 0,
            sent: 0,
        }
    }
}

/// The attempts of a request.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    all: Vec<Attempt>,
    /// Headers of the latest response.
    pub(super) headers: Arc<Headers>,
    /// Its trailers.
    pub(super) trailers: Headers,
    /// What the backend has sent beyond it, until that is logged.
    pub(super) excess: Option<Excess>,
}

/// That a backend has sent more than its response, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excess {
    /// Whether that stands behind the last chunk, and not behind a body of known length or where there is none.
    pub(super) is_behind_chunks: bool,
    /// What was done then.
    pub(super) doing: &'static str,
}

/// What is kept for a request.
#[derive(Clone, Debug, Default)]
pub(super) struct UpstreamAttempts(pub(super) Arc<Mutex<Attempts>>);

/// A number of each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Addr,
    Status,
    ConnectTime,
    HeaderTime,
    ResponseTime,
    Length,
    Received,
    Sent,
}

impl UpstreamAttempts {
    /// Separates the attempts of a location from those of another one before.
    pub(super) fn begin(&self) {
        let mut attempts = self.0.lock();
        if !attempts.all.is_empty() {
            attempts.all.push(Attempt::new(None));
        }
    }

    /// Begins an attempt.
    pub(super) fn add(&self, peer: &str) {
        self.end();
        self.0.lock().all.push(Attempt::new(Some(peer.to_owned())));
    }

    /// Changes the latest attempt.
    pub(super) fn latest(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.0.lock().all.last_mut() {
            change(attempt);
        }
    }

    /// Ends the latest attempt.
    pub(super) fn end(&self) {
        self.latest(|attempt| {
            attempt.response.get_or_insert_with(|| attempt.began.elapsed());
        });
    }

    /// A figure of all attempts, as nginx writes lists of them. `None` if there was no attempt.
    pub(super) fn list(&self, figure: Figure) -> Option<String> {
        let attempts = self.0.lock();
        let mut text = String::new();
        let mut rest = attempts.all.iter();
        let mut next = rest.next();
        next?;
        while let Some(attempt) = next {
            text.push_str(&shown(attempt, figure));
            next = rest.next();
            match next {
                Some(next) if next.peer.is_some() => text.push_str(", "),
                Some(_) => {
                    text.push_str(" : ");
                    next = rest.next();
                }
                None => {}
            }
        }
        Some(text)
    }
}

fn shown(attempt: &Attempt, figure: Figure) -> String {
    let time = |time: Option<Duration>| match time {
        Some(time) => format!("{}.{:03}", time.as_secs(), time.subsec_millis()),
        None => "-".into(),
    };
    match figure {
        Figure::Addr => attempt.peer.clone().unwrap_or_default(),
        Figure::Status if attempt.status == 0 => "-".into(),
        Figure::Status => attempt.status.to_string(),
        Figure::ConnectTime => time(attempt.connect),
        Figure::HeaderTime => time(attempt.header),
        Figure::ResponseTime => time(attempt.response),
        Figure::Length => attempt.length.to_string(),
        Figure::Received => attempt.received.to_string(),
        Figure::Sent => attempt.sent.to_string(),
    }
}

/// Value of a cookie that a response sets.
pub(super) fn cookie(headers: &Headers, name: &[u8]) -> Option<BString> {
    headers.all(b"set-cookie").find_map(|line| {
        let start = line.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name))?;
        let rest = line[start.len()..].trim_start_with(|c| c == ' ').strip_prefix(b"=")?;
        let value = rest.trim_start_with(|c| c == ' ');
        Some(value.split(|b| *b == b';').next().unwrap_or_default().into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_listed_as_in_nginx() {
        let attempts = UpstreamAttempts::default();
        assert_eq!(attempts.list(Figure::Addr), None);
        attempts.begin();
        attempts.add("127.0.0.1:1");
        attempts.latest(|attempt| attempt.status = 502);
        attempts.add("127.0.0.1:2");
        assert_eq!(attempts.list(Figure::Addr).unwrap(), "127.0.0.1:1, 127.0.0.1:2");
        assert_eq!(attempts.list(Figure::Status).unwrap(), "502, -");
        attempts.begin();
        attempts.add("unix:/s");
        assert_eq!(attempts.list(Figure::Addr).unwrap(), "127.0.0.1:1, 127.0.0.1:2 : unix:/s");
    }

    #[test]
    fn cookies_of_responses_are_found() {
        let mut headers = Headers::default();
        headers.append("Set-Cookie", "a = 1; path=/");
        headers.append("set-cookie", "ab=2");
        assert_eq!(cookie(&headers, b"A").unwrap(), "1");
        assert_eq!(cookie(&headers, b"ab").unwrap(), "2");
        assert_eq!(cookie(&headers, b"b"), None);
    }
}
