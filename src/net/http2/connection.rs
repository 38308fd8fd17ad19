//! A client's connection: the crate h2's while there is something to do, and parked while the client rests.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};

use super::carrier::Carrier;
use super::framing::{FIRST_WINDOW, goaway};
use super::io::{Http2Io, Traffic};
use super::parked::Replay;
use crate::limits;

/// What the server has told the client in its first frames.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Most streams at a time.
    pub streams: u32,
    /// Window of a stream.
    pub window: u32,
}

/// A client's connection.
pub struct Http2Connection {
    socket: Arc<dyn Carrier>,
    traffic: Arc<Traffic>,
    offer: Offer,
    /// The crate's part, boxed because it is large; `None` while the connection is parked.
    active: Option<Box<Connection<Http2Io, Bytes>>>,
    /// When it is parked, if nothing comes.
    parks_at: Option<Instant>,
}

/// A request, and where its response goes.
type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

impl Http2Connection {
    /// Takes the client's preface and makes the offer. Of the socket, `before` was read already.
    ///
    /// # Errors
    ///
    /// The client does not begin with HTTP/2, or the socket failed.
    pub async fn begin(
        socket: Arc<dyn Carrier>,
        before: Bytes,
        traffic: Arc<Traffic>,
        offer: Offer,
    ) -> Result<Self, h2::Error> {
        let io = Http2Io::new(socket.clone(), before, traffic.clone());
        // Streams hold the client back, as in nginx.
        let window = u32::try_from(limits::HTTP2_WINDOW).unwrap_or(u32::MAX);
        let begun = offer.builder(window, limits::HTTP2_ERROR_RESETS).handshake(io).await;
        if begun.as_ref().is_err_and(is_wrong_preface) {
            refuse(&*socket, &traffic).await;
        }
        let active = Some(Box::new(begun?));
        Ok(Http2Connection { socket, traffic, offer, active, parks_at: None })
    }

    /// The next request; `None` once the connection has ended.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Accepted, h2::Error>>> {
        if self.active.is_none() {
            // Errors of the socket are found by reading.
            let _ = ready!(self.socket.poll_read_ready(cx));
        }
        let accepted = ready!(self.active()?.poll_accept(cx));
        self.parks_at = None;
        Poll::Ready(accepted)
    }

    /// Whether streams are open.
    pub fn has_streams(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.has_streams())
    }

    /// Whether the connection is parked.
    pub fn is_parked(&self) -> bool {
        self.active.is_none()
    }

    /// To be called when nothing more can be done now. If `is_idle`, and nothing is under way either, the connection is parked once that
    /// has lasted long enough, which is at the returned time.
    pub fn rest(&mut self, is_idle: bool, now: Instant) -> Option<Instant> {
        let rests = is_idle && !self.is_parked() && !self.has_streams() && self.traffic.is_settled();
        self.parks_at = rests.then(|| {
            let at = self.parks_at.unwrap_or(now + limits::HTTP2_PARKED_AFTER);
            self.traffic
                .account(|account| account.ignores_until())
                .flatten()
                .map_or(at, |until| at.max(until))
        });
        // What the crate waits for wakes the same task as before.
        if self.parks_at.take_if(|at| *at <= now).is_some() {
            self.active = None;
        }
        self.parks_at
    }

    /// Ends the connection with [`Http2Connection::poll_closed`], for this reason.
    pub fn abrupt_shutdown(&mut self, reason: Reason) {
        if let Ok(active) = self.active() {
            active.abrupt_shutdown(reason);
        }
    }

    /// Resolves when the connection has ended.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        self.active()?.poll_closed(cx)
    }

    /// The crate's connection, which takes over if the connection was parked.
    fn active(&mut self) -> Result<&mut Connection<Http2Io, Bytes>, h2::Error> {
        let active = match self.active.take() {
            Some(active) => active,
            None => Box::new(self.resumed()?),
        };
        Ok(self.active.insert(active))
    }

    /// A connection of the crate's that goes on where the one before was given up; see [`super::parked`].
    fn resumed(&self) -> Result<Connection<Http2Io, Bytes>, h2::Error> {
        /// Bytes of a response that is dropped.
        static NOTHING: [u8; u16::MAX as usize] = [0; u16::MAX as usize];
        let traffic = &self.traffic;
        let unexpected = || h2::Error::from(Reason::INTERNAL_ERROR);
        let begins = traffic.account(|account| {
            let mut frames = Vec::new();
            account.open_window(&mut frames);
            let has_streams = account.has_streams();
            (frames, account.receive_window(), account.error_resets_left(), account.beginning(), has_streams)
        });
        let (frames, window, resets, beginning, has_streams) = begins.ok_or_else(unexpected)?;
        let send_window = traffic.order().ok_or_else(unexpected)?.window();
        traffic.say(&frames);
        let replay = Arc::new(Replay::new());
        replay.say(&beginning);
        let io = Http2Io::resumed(self.socket.clone(), traffic.clone(), replay.clone());
        // The stand-in never waits, and the connection is polled again once it has ended.
        let mut cx = Context::from_waker(Waker::noop());
        let begun = self.offer.builder(window, resets).handshake(io);
        let Poll::Ready(connection) = pin!(begun).poll(&mut cx) else {
            return Err(unexpected());
        };
        let mut connection = connection?;
        if has_streams {
            let Poll::Ready(Some(accepted)) = connection.poll_accept(&mut cx) else {
                return Err(unexpected());
            };
            let (_, mut respond) = accepted?;
            // It leaves of the window what the client's has.
            let length =
                usize::try_from(FIRST_WINDOW - send_window.max(0)).unwrap_or_default().min(NOTHING.len());
            let mut response = respond.send_response(Response::new(()), length == 0)?;
            if length > 0 {
                response.send_data(Bytes::from_static(&NOTHING[..length]), true)?;
            }
            nothing_comes(connection.poll_accept(&mut cx))?;
        }
        replay.say(&traffic.account(|account| account.rest(send_window)).unwrap_or_default());
        nothing_comes(connection.poll_accept(&mut cx))?;
        replay.end();
        Ok(connection)
    }
}

/// Whether a connection has failed because the client does not begin with HTTP/2.
pub fn is_wrong_preface(error: &h2::Error) -> bool {
    error.reason() == Some(Reason::PROTOCOL_ERROR)
}

/// Tells a client that does not begin with HTTP/2 why the connection ends.
async fn refuse(socket: &dyn Carrier, traffic: &Traffic) {
    let mut last_words = Vec::new();
    goaway(0, Reason::PROTOCOL_ERROR, &mut last_words);
    traffic.say(&last_words);
    // What is closed with unread bytes is reset, so that the client might not get the frame.
    let _ = socket.try_read(&mut [0; limits::HTTP2_REFUSED_BYTES]);
    let _ = poll_fn(|cx| traffic.poll_output(socket, cx)).await;
}

/// A stand-in asks for nothing more, and does not end.
fn nothing_comes(polled: Poll<Option<Result<Accepted, h2::Error>>>) -> Result<(), h2::Error> {
    match polled {
        Poll::Pending => Ok(()),
        Poll::Ready(Some(Err(error))) => Err(error),
        Poll::Ready(_) => Err(Reason::INTERNAL_ERROR.into()),
    }
}

impl Offer {
    /// Of a connection on which the client may send this many bytes of bodies, and make errors for which this many streams are reset.
    fn builder(self, window: u32, resets: usize) -> Builder {
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(self.streams)
            .initial_window_size(self.window)
            .initial_connection_window_size(window)
            .max_frame_size(limits::HTTP2_LARGEST_FRAME)
            .max_send_buffer_size(limits::HTTP2_SEND_BUFFER)
            .max_pending_accept_reset_streams(limits::HTTP2_PENDING_RESETS)
            .max_local_error_reset_streams(Some(resets))
            .max_concurrent_reset_streams(limits::HTTP2_LOCAL_RESETS)
            .reset_stream_duration(limits::HTTP2_RESET_MEMORY);
        builder
    }
}

impl fmt::Debug for Http2Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Connection").field("is_parked", &self.is_parked()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
