//! A stream of an HTTP/2 connection, with the interface of a socket: what reads and writes sockets answers a request over
//! HTTP/2 without knowing it. A closed flow-control window is a full socket.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use parking_lot::Mutex;

use super::carrier::Carrier;
use super::intake::ClientReset;
use super::io::Traffic;
use super::order::SendOrder;
use super::priority::NamedPriority;

/// A request's stream. All calls are non-blocking and take `&self`.
pub struct Http2Stream {
    connection: Arc<dyn Carrier>,
    traffic: Arc<Traffic>,
    state: Mutex<State>,
}

struct State {
    stream: u32,
    respond: SendResponse<Bytes>,
    /// The body of the response, once its head was sent.
    sending: Option<SendStream<Bytes>>,
    receiving: RecvStream,
    /// Received bytes that were not read yet.
    received: Bytes,
    /// Whether the client has sent everything.
    is_received: bool,
    /// A failure behind what was received.
    failure: Option<io::Error>,
    /// Whether everything was passed on for sending, or the stream was reset.
    is_finished: bool,
    /// Largest DATA frame.
    frame_size: usize,
    /// DATA frames so far.
    frames: u64,
    /// Whether it sends without waiting for its turn.
    is_live: bool,
    /// Whether the crate accepts less than its turn allows.
    is_held: bool,
    /// Reason of a reset.
    reset_as: Reason,
    /// Task that waits for input.
    reader: Option<Waker>,
}

impl State {
    /// Resolves when there is input, or no more follows.
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failure.take() {
            return Poll::Ready(Err(error));
        }
        while self.received.is_empty() && !self.is_received {
            match ready!(self.receiving.poll_data(cx)) {
                Some(Ok(bytes)) => self.received = bytes,
                Some(Err(error)) => return Poll::Ready(Err(failed(&error))),
                None => self.is_received = true,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Passes bytes on as far as the window is open; `ends` ends the body if all are.
    fn write(&mut self, order: Option<&SendOrder>, bufs: &[IoSlice<'_>], ends: bool) -> io::Result<usize> {
        let frame_size = self.frame_size;
        let Some(sending) = self.sending.as_mut() else { return Err(io::ErrorKind::NotConnected.into()) };
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        if length == 0 {
            if ends {
                sending.send_data(Bytes::new(), true).map_err(|error| failed(&error))?;
                self.frames += 1;
                self.is_finished = true;
            }
            return Ok(0);
        }
        let turns = order.filter(|_| !self.is_live);
        let turn = turns.map_or(length, |order| order.take(self.stream, length));
        if turn == 0 {
            self.is_held = false;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if sending.capacity() < turn {
            sending.reserve_capacity(turn);
        }
        let room = sending.capacity().min(turn);
        self.is_held = room == 0;
        match order {
            Some(order) if self.is_live => order.note(self.stream, room),
            Some(order) if room < turn => order.give_back(self.stream, turn - room),
            _ => {}
        }
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut left = room;
        let mut bytes = BytesMut::with_capacity(room);
        for buf in bufs {
            let taken = left.min(buf.len());
            bytes.extend_from_slice(&buf[..taken]);
            left -= taken;
        }
        let mut bytes = bytes.freeze();
        let ends = ends && room == length;
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(frame_size));
            let is_last = ends && bytes.is_empty();
            sending.send_data(part, is_last).map_err(|error| failed(&error))?;
            self.frames += 1;
        }
        self.is_finished |= ends;
        Ok(room)
    }
}

impl Http2Stream {
    /// The stream of a request. Bodies are sent in the largest frames possible, until [`Http2Stream::set_frame_size`].
    pub fn new(
        connection: Arc<dyn Carrier>,
        traffic: Arc<Traffic>,
        receiving: RecvStream,
        respond: SendResponse<Bytes>,
    ) -> Self {
        let is_received = receiving.is_end_stream();
        let state = State {
            stream: respond.stream_id().as_u32(),
            respond,
            sending: None,
            receiving,
            received: Bytes::new(),
            is_received,
            failure: None,
            is_finished: false,
            frame_size: usize::MAX,
            frames: 0,
            is_live: false,
            is_held: false,
            reset_as: Reason::INTERNAL_ERROR,
            reader: None,
        };
        Http2Stream { connection, traffic, state: Mutex::new(state) }
    }

    /// The socket of the connection.
    pub fn connection(&self) -> &dyn Carrier {
        &*self.connection
    }

    /// Whether everything was passed on for sending, or the stream was reset by the server.
    pub fn is_finished(&self) -> bool {
        self.state.lock().is_finished
    }

    /// Number of DATA frames so far.
    pub fn frames(&self) -> u64 {
        self.state.lock().frames
    }

    /// Sets the size of the largest DATA frame.
    pub fn set_frame_size(&self, bytes: usize) {
        self.state.lock().frame_size = bytes.max(1);
    }

    /// From now on it sends at once what there is, without waiting for its turn: packets of a live stream are of no use later.
    pub fn set_live(&self) {
        self.state.lock().is_live = true;
    }

    /// Changes the priority of the response as its backend asks for (RFC 9218 §8): what is not named stays.
    pub fn merge_priority(&self, named: NamedPriority) {
        if let Some(order) = self.traffic.order() {
            order.merge(self.state.lock().stream, named);
        }
    }

    /// Sends the head of the response; `ends` if no body follows.
    ///
    /// # Errors
    ///
    /// The client has reset the stream.
    pub fn send_head(&self, head: Response<()>, ends: bool) -> io::Result<()> {
        let mut state = self.state.lock();
        let sending = state.respond.send_response(head, ends).map_err(|error| failed(&error))?;
        state.sending = Some(sending);
        state.is_finished |= ends;
        Ok(())
    }

    /// Sends a head before that of the response.
    ///
    /// # Errors
    ///
    /// The client has reset the stream.
    pub fn send_hint(&self, head: Response<()>) -> io::Result<()> {
        self.state.lock().respond.send_informational(head).map_err(|error| failed(&error))
    }

    /// Sends trailers, which end the body.
    ///
    /// # Errors
    ///
    /// The client has reset the stream.
    pub fn send_trailers(&self, trailers: HeaderMap) -> io::Result<()> {
        let mut state = self.state.lock();
        let Some(sending) = state.sending.as_mut() else { return Err(io::ErrorKind::NotConnected.into()) };
        sending.send_trailers(trailers).map_err(|error| failed(&error))?;
        state.is_finished = true;
        Ok(())
    }

    /// As [`Http2Stream::try_write_vectored`]; ends the body if all bytes were accepted.
    ///
    /// # Errors
    ///
    /// As for [`Http2Stream::try_write_vectored`].
    pub fn try_write_last(&self, bytes: &[u8]) -> io::Result<usize> {
        self.counted(|state, order| state.write(order, &[IoSlice::new(bytes)], true))
    }

    /// Writes as much as the client's window and the connection accept.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where the window is closed; the client has reset the stream.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.counted(|state, order| state.write(order, bufs, false))
    }

    fn counted(
        &self,
        write: impl FnOnce(&mut State, Option<&SendOrder>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let written = write(&mut self.state.lock(), self.traffic.order())?;
        self.traffic.sent_payload(written);
        Ok(written)
    }

    /// Lets a reset tell that the client is at fault.
    pub fn blame_client(&self) {
        self.state.lock().reset_as = Reason::PROTOCOL_ERROR;
    }

    /// Resets the stream, unless everything was passed on for sending.
    pub fn abort(&self) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.is_finished, true) {
            let reason = state.reset_as;
            state.respond.send_reset(reason);
        }
    }

    /// Reads what the client has sent of the body; 0 at its end.
    pub(in crate::net) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        // What waits for input still is to be woken.
        let waker = state.reader.clone().unwrap_or_else(|| Waker::noop().clone());
        let mut length = 0;
        // Frames that came together are read together, as in nginx.
        while length < buf.len() || length == 0 {
            match state.poll_received(&mut Context::from_waker(&waker)) {
                Poll::Pending if length == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                Poll::Pending => break,
                Poll::Ready(Err(error)) if length == 0 => return Err(error),
                Poll::Ready(Err(error)) => {
                    state.failure = Some(error);
                    break;
                }
                Poll::Ready(Ok(())) => {}
            }
            let part = state.received.len().min(buf.len() - length);
            if part == 0 {
                break;
            }
            buf[length..length + part].copy_from_slice(&state.received[..part]);
            state.received.advance(part);
            length += part;
        }
        // The window opens as fast as the body is read.
        let _ = state.receiving.flow_control().release_capacity(length);
        Ok(length)
    }

    /// Waits until there is something to read.
    pub(in crate::net) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            state.reader = Some(cx.waker().clone());
        }
        state.poll_received(cx)
    }

    /// Waits until the client's window and the connection accept data.
    pub(in crate::net) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(sending) = state.sending.as_mut() else { return Poll::Ready(Ok(())) };
        let order = self.traffic.order().filter(|_| !state.is_live && !state.is_held);
        if let Some(order) = order {
            return match order.poll_turn(state.stream, cx) {
                Poll::Ready(()) => Poll::Ready(Ok(())),
                // The crate knows when the stream or the connection has ended.
                Poll::Pending => match ready!(sending.poll_reset(cx)) {
                    Ok(_) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                    Err(error) => Poll::Ready(Err(failed(&error))),
                },
            };
        }
        loop {
            if sending.capacity() > 0 {
                return Poll::Ready(Ok(()));
            }
            sending.reserve_capacity(1);
            if sending.capacity() > 0 {
                return Poll::Ready(Ok(()));
            }
            match ready!(sending.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(failed(&error))),
                None => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
        }
    }

    /// Resolves when the client has reset the stream, or the connection has ended.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        let gone = match state.sending.as_mut() {
            Some(sending) => sending.poll_reset(cx),
            None => state.respond.poll_reset(cx),
        };
        gone.map(|_| ())
    }

    /// Whether the client has reset the stream, or the connection has ended.
    pub fn is_gone(&self) -> bool {
        // What waits for it still is to be woken: it waits anew.
        self.poll_gone(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// How the client has reset the stream, if it has; told once.
    pub fn take_reset(&self) -> Option<ClientReset> {
        self.traffic.take_reset(self.state.lock().stream)
    }

    /// Waits until the client has reset the stream, or the connection has ended.
    pub async fn gone(&self) {
        poll_fn(|cx| self.poll_gone(cx)).await;
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        if let Some(order) = self.traffic.order() {
            order.end(self.state.get_mut().stream);
        }
    }
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream").finish_non_exhaustive()
    }
}

/// The error of a socket for one of a stream.
fn failed(error: &h2::Error) -> io::Error {
    let kind = match error.is_io() {
        true => error.get_io().map_or(io::ErrorKind::BrokenPipe, io::Error::kind),
        false if error.is_reset() => io::ErrorKind::ConnectionReset,
        false => io::ErrorKind::BrokenPipe,
    };
    io::Error::new(kind, error.to_string())
}
