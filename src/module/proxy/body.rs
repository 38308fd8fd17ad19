//! Bodies of backends' responses, read as fast as the client takes them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::chunks::ChunkReader;
use super::link::BackendConnection;
use super::states::{Excess, UpstreamAttempts};
use super::stream::bytes_of;
use crate::http::headers::Headers;
use crate::http::log::{READING_UPSTREAM, READING_UPSTREAM_HEAD};
use crate::http::rate::RateLimit;
use crate::http::response::{BodySource, BrokenBody, Piece};
use crate::http::upstream::group::{IdleSettings, PeerUse};
use crate::http::upstream::idle::{self, IdleKey};
use crate::limits;
use crate::log::os_text::os_text;
use crate::task::patience::end_of;

/// How the end of a body shows.
#[derive(Debug)]
pub(super) enum Framing {
    /// Bytes left.
    Length(u64),
    /// The last chunk.
    Chunked(Box<ChunkReader>),
    /// The end of the connection.
    UntilClose,
    /// The end of the stream, over HTTP/2; the bytes that its head has told, and those that have come.
    Stream { told: Option<u64>, come: u64 },
}

/// What becomes of a connection after its response.
#[derive(Debug)]
pub(super) struct Afterwards {
    pub(super) attempts: UpstreamAttempts,
    /// The peer in use.
    pub(super) used: PeerUse,
    /// Where the connection is kept, if it is.
    pub(super) kept: Option<(IdleKey, IdleSettings)>,
}

impl Afterwards {
    /// Ends the use of a connection whose response is complete.
    pub(super) fn finish(self, mut link: BackendConnection) {
        self.attempts.latest(|attempt| link.count(attempt));
        self.attempts.end();
        drop(self.used);
        let Some((key, settings)) = self.kept else { return };
        if !link.is_reusable() {
            return;
        }
        let mut connection = link.connection;
        connection.requests += 1;
        if connection.requests < settings.requests && connection.opened.elapsed() <= settings.time {
            idle::keep(key, connection, settings.connections, settings.timeout);
        }
    }

    /// Counts what has come of a body that is not passed on.
    pub(super) fn count_unwanted(&self, link: &BackendConnection, doing: &'static str) {
        let length = link.received.len() as u64;
        if length > 0 {
            self.attempts.latest(|attempt| attempt.length += length);
            self.note_excess(link, Excess { is_behind_chunks: false, doing });
        }
    }

    /// Notes for the log that a backend has sent more than its response, if it has.
    fn note_excess(&self, link: &BackendConnection, excess: Excess) {
        if !link.received.is_empty() && !link.is_http2() {
            self.attempts.0.lock().excess = Some(excess);
        }
    }

    /// Ends the use of a connection that is closed.
    fn close(self, link: &BackendConnection) {
        self.attempts.latest(|attempt| link.count(attempt));
        self.attempts.end();
    }
}

/// A body being received.
pub(super) struct UpstreamBody {
    /// Gone once the body is complete, or cannot be.
    open: Option<(BackendConnection, Afterwards)>,
    framing: Framing,
    length: Option<u64>,
    patience: Duration,
    /// When the wait for more ends, while there is one.
    until: Option<Instant>,
    rate: Rate,
    /// Bytes that came with the head, until they count.
    early: u64,
    /// Whether filters send on at once what has come.
    is_flushed: bool,
    /// What is done, for the log: as in nginx, what came with the head of an unbuffered response is taken before that changes.
    doing: &'static str,
}

/// `proxy_limit_rate`
struct Rate {
    limit: Option<RateLimit>,
    received: u64,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Rate {
    /// Number of bytes that may be read now.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let Some(limit) = self.limit else { return Poll::Ready(usize::MAX) };
        loop {
            let wait = match limit.room(self.received) {
                Ok(room) => {
                    self.wait = None;
                    return Poll::Ready(room);
                }
                Err(wait) => wait,
            };
            let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
    }
}

/// Chunks that are malformed.
#[derive(Debug, thiserror::Error)]
#[error("upstream sent invalid chunked response")]
struct BadChunks;

/// What a step of reading came to.
enum Step {
    Piece(Piece),
    /// The body is complete.
    End,
    /// More must be received.
    More,
}

impl UpstreamBody {
    pub(super) fn new(
        link: BackendConnection,
        afterwards: Afterwards,
        framing: Framing,
        patience: Duration,
        rate: u64,
        is_flushed: bool,
    ) -> UpstreamBody {
        let length = match &framing {
            Framing::Length(length) => Some(*length),
            Framing::Stream { told, .. } => *told,
            Framing::Chunked(_) | Framing::UntilClose => None,
        };
        let limit = (rate > 0).then(|| RateLimit { bytes: rate, after: 0, began: Instant::now() });
        let rate = Rate { limit, received: link.received.len() as u64, wait: None };
        let early = link.received.len() as u64;
        let open = Some((link, afterwards));
        let doing = if is_flushed && early > 0 { READING_UPSTREAM_HEAD } else { READING_UPSTREAM };
        UpstreamBody { open, framing, length, patience, until: None, rate, early, is_flushed, doing }
    }

    fn broken(&mut self, text: &str, is_sent: bool) -> io::Error {
        if let Some((link, afterwards)) = self.open.take() {
            afterwards.close(&link);
        }
        let (text, doing) = (text.to_owned(), Some(self.doing));
        // As in nginx, what another server has cut short is complete.
        BrokenBody { text, doing, is_sent, counts_as_complete: is_sent }.into()
    }

    /// Takes what follows from what was received.
    fn step(&mut self) -> Result<Step, BadChunks> {
        let Some((link, afterwards)) = &mut self.open else { return Ok(Step::End) };
        let early = std::mem::take(&mut self.early);
        if early > 0 {
            afterwards.attempts.latest(|attempt| attempt.length += early);
        }
        let received = &mut link.received;
        match &mut self.framing {
            Framing::Length(0) => Ok(Step::End),
            Framing::Length(left) => {
                let length = received.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                if length == 0 {
                    return Ok(Step::More);
                }
                *left -= length as u64;
                Ok(Step::Piece(Piece::Memory(received.split_to(length).freeze())))
            }
            Framing::Chunked(reader) => match reader.take(received) {
                Err(_) => Err(BadChunks),
                Ok(Some(bytes)) => Ok(Step::Piece(Piece::Memory(bytes))),
                Ok(None) if reader.is_done() => {
                    afterwards.attempts.0.lock().trailers = std::mem::take(&mut reader.trailers);
                    Ok(Step::End)
                }
                Ok(None) => Ok(Step::More),
            },
            Framing::UntilClose | Framing::Stream { .. } if received.is_empty() => Ok(Step::More),
            Framing::UntilClose | Framing::Stream { .. } => {
                Ok(Step::Piece(Piece::Memory(received.split().freeze())))
            }
        }
    }

    /// Receives more.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.doing = READING_UPSTREAM;
        let room = ready!(self.rate.poll_room(cx));
        if matches!(self.framing, Framing::Stream { .. }) {
            return self.poll_more_of_stream(room, cx);
        }
        loop {
            let Some((link, afterwards)) = &mut self.open else { return Poll::Ready(Ok(())) };
            let socket = link.connection.socket.clone();
            match socket.read_some(&mut link.received, room) {
                Ok(0) => {
                    if matches!(self.framing, Framing::UntilClose) {
                        self.framing = Framing::Length(0);
                        afterwards.kept = None;
                        return Poll::Ready(Ok(()));
                    }
                    return Poll::Ready(Err(self.broken("upstream prematurely closed connection", true)));
                }
                Ok(length) => {
                    let length = length as u64;
                    self.rate.received += length;
                    afterwards.attempts.latest(|attempt| {
                        attempt.received += length;
                        attempt.length += length;
                    });
                    self.until = None;
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let text = format!("recv() failed ({})", os_text(&error));
                    return Poll::Ready(Err(self.broken(&text, true)));
                }
            }
            if let Poll::Ready(ready) = socket.poll_read_ready(cx) {
                if let Err(error) = ready {
                    let text = format!("recv() failed ({})", os_text(&error));
                    return Poll::Ready(Err(self.broken(&text, true)));
                }
                continue;
            }
            return self.poll_timed_out(cx);
        }
    }

    /// Waits for the end of the time in which more must be received.
    fn poll_timed_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((link, _)) = &mut self.open else { return Poll::Ready(Ok(())) };
        let patience = self.patience;
        let until = *self.until.get_or_insert_with(|| end_of(patience));
        ready!(link.connection.patience.poll_over(until, cx));
        Poll::Ready(Err(self.broken("upstream timed out (110: Connection timed out)", true)))
    }

    /// Receives more over HTTP/2.
    fn poll_more_of_stream(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((link, afterwards)) = &mut self.open else { return Poll::Ready(Ok(())) };
        let Some((stream, received)) = link.receiving() else { return Poll::Ready(Ok(())) };
        let length = match stream.poll_received(received, room, cx) {
            Poll::Ready(Ok(length)) => length as u64,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(&error.to_string(), true))),
            Poll::Pending => return self.poll_timed_out(cx),
        };
        let Framing::Stream { told, come } = &mut self.framing else { return Poll::Ready(Ok(())) };
        self.until = None;
        if length > 0 {
            *come += length;
            self.rate.received += length;
            afterwards.attempts.latest(|attempt| {
                attempt.length += length;
                link.count(attempt);
            });
            return Poll::Ready(Ok(()));
        }
        if told.is_some_and(|told| told != *come) {
            return Poll::Ready(Err(self.broken("upstream prematurely closed stream", true)));
        }
        let fields = stream.trailers().unwrap_or_default();
        if bytes_of(&fields) > limits::PROXY_TRAILER_BYTES {
            return Poll::Ready(Err(self.broken("upstream sent too big trailers", false)));
        }
        let mut trailers = Headers::default();
        for (name, value) in &fields {
            trailers.append(name.as_str().to_owned(), value.as_bytes().to_vec());
        }
        afterwards.attempts.0.lock().trailers = trailers;
        self.framing = Framing::Length(0);
        Poll::Ready(Ok(()))
    }
}

impl BodySource for UpstreamBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        loop {
            match self.step() {
                Ok(Step::Piece(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(Step::More) => {
                    if let Err(error) = ready!(self.poll_more(cx)) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Ok(Step::End) => {
                    if let Some((link, afterwards)) = self.open.take() {
                        let is_behind_chunks = matches!(self.framing, Framing::Chunked(_));
                        afterwards.note_excess(&link, Excess { is_behind_chunks, doing: self.doing });
                        afterwards.finish(link);
                    }
                    return Poll::Ready(None);
                }
                Err(bad) => return Poll::Ready(Some(Err(self.broken(&bad.to_string(), false)))),
            }
        }
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn is_flushed(&self) -> bool {
        self.is_flushed
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if let Some((link, afterwards)) = self.open.take() {
            afterwards.close(&link);
        }
    }
}

/// A body that is not sent, with the length that it would have. As in nginx, the use of its connection ends with the response.
pub(super) struct NoBody {
    pub(super) length: Option<u64>,
    pub(super) open: Option<(BackendConnection, Afterwards)>,
}

impl Drop for NoBody {
    fn drop(&mut self) {
        if let Some((link, afterwards)) = self.open.take() {
            afterwards.finish(link);
        }
    }
}

impl BodySource for NoBody {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        Poll::Ready(None)
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}
