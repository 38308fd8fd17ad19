//! Sends responses: nginx's head, and the body from memory, from files, or as it is produced.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Write};
use std::time::Instant;

use bstr::BString;
use http::{StatusCode, Version};

use super::conf::ServerTokens;
use super::core::buffers::SizeOrVariable;
use super::exchange::Exchange;
use super::http2::FRAME_HEAD;
use super::rate::RateLimit;
use super::response::{Body, BrokenBody, Piece};
use super::status::reason;
use super::write::{COPIED, append_present};
use super::{date, log};
use crate::directive::number;
use crate::limits;

/// How the end of a body is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// No body follows the head.
    HeadOnly,
    /// `Content-Length`.
    Length(u64),
    /// Chunks.
    Chunked,
    /// The connection is closed.
    UntilClose,
}

/// A response being sent.
pub(super) struct Sending {
    /// Bytes that are written next.
    output: Vec<u8>,
    /// What is left of the body.
    body: Body,
    framing: Framing,
    rate: Option<RateLimit>,
    head_bytes: u64,
    /// How it ended, once it has.
    ended: Option<io::Result<()>>,
}

thread_local! {
    /// Output that is written at once.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };

    /// What the latest head began with: the next one often begins alike.
    static HEAD_START: RefCell<HeadStart> = const { RefCell::new(HeadStart { of: None, text: Vec::new() }) };
}

/// What a head begins with: status line, `Server` and `Date`.
struct HeadStart {
    /// Status, server and second of the text.
    of: Option<(StatusCode, &'static str, i64)>,
    text: Vec<u8>,
}

impl Sending {
    /// Whether nothing is left to send.
    pub(super) fn is_over(&self) -> bool {
        // A body that is kept is made to its end also where its client has left.
        matches!(self.ended, Some(Ok(()))) || self.ended.is_some() && !self.body.outlasts_client()
    }

    /// Appends the body to the output, if it is small and in memory.
    fn append_small(&mut self) -> bool {
        match self.body.small(COPIED) {
            None => return false,
            Some(None) => {}
            Some(Some(Piece::Memory(bytes))) => self.output.extend_from_slice(bytes),
            Some(Some(Piece::File(part))) => {
                if !append_present(&mut self.output, part) {
                    return false;
                }
            }
        }
        self.body = Body::default();
        true
    }
}

impl Exchange<'_> {
    /// Begins to send the response, and leaves the connection open or not as [`Exchange::keeps_alive`] then says. One that is small
    /// and in memory is sent whole: most are.
    pub(super) fn begin_sending(&mut self) -> Sending {
        let framing = self.framing();
        let mut body = std::mem::take(&mut self.response.body);
        self.sent.length = body.length();
        self.response.hides_length |= self.sent.length.is_none();
        // As in nginx, one that is kept is produced although the client does not get it.
        if framing == Framing::HeadOnly && !matches!(body, Body::Live(_)) && !body.is_kept() {
            body = Body::default();
        }
        let mut output = OUTPUT.with_borrow_mut(std::mem::take);
        output.clear();
        // As in nginx, what a backend has sent without a head has the status 009.
        self.sent.status = match &self.response.foreign {
            Some(foreign) if foreign.is_bare => 9,
            _ => self.response.status.as_u16(),
        };
        self.sent.is_chunked = framing == Framing::Chunked;
        let mut sending = Sending { output, body, framing, rate: None, head_bytes: 0, ended: None };
        if self.connection.socket.http2().is_some() {
            let is_empty = framing == Framing::HeadOnly
                || sending.body.length() == Some(0) && !self.response.expects_trailers;
            match self.send_http2_head(self.sent_length(framing), is_empty) {
                Ok(length) => sending.head_bytes = length,
                Err(error) => sending.ended = Some(Err(error)),
            }
        } else {
            if !self.is_bare() {
                self.write_head(&mut sending.output, framing);
            }
            sending.head_bytes = sending.output.len() as u64;
        }
        if !matches!(sending.body, Body::Live(_)) {
            if framing != Framing::HeadOnly
                && self.response.foreign.as_ref().is_some_and(|foreign| foreign.is_unbuffered)
            {
                self.assigned.set(&"limit_rate".into(), "0".into());
            }
            sending.rate = self.rate();
            self.send_at_once(&mut sending);
        }
        sending
    }

    /// Sends all of a response that is small and in memory, or as much of it as the client accepts now.
    fn send_at_once(&mut self, sending: &mut Sending) {
        let is_whole = matches!(sending.framing, Framing::Length(_) | Framing::HeadOnly)
            && sending.rate.is_none()
            && self.continuation.is_none()
            && !self.response.expects_trailers;
        // Over TLS, what was written is still to be flushed.
        if !is_whole || self.connection.socket.plain().is_none() || !sending.append_small() {
            return;
        }
        match self.connection.socket.try_write(&sending.output) {
            Ok(written) => {
                self.sent.bytes += written as u64;
                sending.output.drain(..written);
                sending.ended = sending.output.is_empty().then_some(Ok(()));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => sending.ended = Some(Err(error)),
        }
    }

    /// Sends the rest of the response. The body of a live one is left for its player.
    pub(super) async fn send_rest(&mut self, sending: &mut Sending) {
        let sent = match sending.ended.take() {
            Some(ended) => ended,
            None => self.send_output(sending).await,
        };
        if sent.is_err() && sending.body.outlasts_client() {
            while let Some(Ok(_)) = poll_fn(|cx| sending.body.poll_piece(cx)).await {}
        }
        sending.ended = Some(sent);
    }

    /// Ends what was begun with [`Exchange::begin_sending`].
    ///
    /// # Errors
    ///
    /// The client has closed or accepts nothing, or the body could not be completed; also if the rest was not sent.
    pub(super) fn end_sending(&mut self, sending: Sending) -> io::Result<()> {
        let Sending { mut output, body, mut head_bytes, ended, .. } = sending;
        let sent = ended.unwrap_or_else(|| Err(io::ErrorKind::ConnectionAborted.into()));
        if let Some(stream) = self.connection.socket.http2() {
            // As in nginx, the heads of frames do not count as body.
            head_bytes += stream.frames() * FRAME_HEAD;
            self.sent.bytes += head_bytes;
        }
        output.clear();
        if output.capacity() <= limits::HTTP_READ_BYTES * 2 {
            OUTPUT.with_borrow_mut(|kept| *kept = output);
        }
        self.sent.body_bytes = self.sent.bytes.saturating_sub(head_bytes);
        if matches!(body, Body::Live(_)) {
            self.response.body = body;
        }
        let is_complete = match &sent {
            Ok(()) => true,
            Err(error) => BrokenBody::of(error).is_some_and(|broken| broken.counts_as_complete),
        };
        self.sent.is_complete = is_complete && !self.is_cut_short;
        sent
    }

    /// Decides how the body is framed, and whether the connection stays open.
    fn framing(&mut self) -> Framing {
        let response = &self.response;
        let status = response.status;
        self.keeps_alive &= !response.closes;
        // As in nginx, a text that `return` gives a status below 200 is sent, and what a backend sends behind a 101 that was not
        // asked for.
        let has_body = match &response.foreign {
            Some(foreign) => foreign.tunnel.is_none(),
            None => status != StatusCode::SWITCHING_PROTOCOLS,
        };
        if (status.is_informational() && !has_body)
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return Framing::HeadOnly;
        }
        if self.is_bare() {
            self.keeps_alive = false;
            return Framing::UntilClose;
        }
        match response.body.length() {
            _ if self.is_head() => Framing::HeadOnly,
            Some(length) if self.connection.socket.http2().is_some() => Framing::Length(length),
            Some(length) if !response.expects_trailers || !self.speaks_chunks() => Framing::Length(length),
            _ if self.speaks_chunks() && !status.is_informational() => Framing::Chunked,
            // As in nginx, the connection nevertheless stays open.
            _ if status.is_informational() && response.foreign.is_some() => Framing::UntilClose,
            _ => {
                self.keeps_alive = false;
                Framing::UntilClose
            }
        }
    }

    /// Whether the response has no head: that of a request of HTTP/0.9, or of a backend without one.
    fn is_bare(&self) -> bool {
        self.request.version() == Version::HTTP_09
            || self.response.foreign.as_ref().is_some_and(|foreign| foreign.is_bare)
    }

    /// Writes status line and headers in nginx's order.
    fn write_head(&self, out: &mut Vec<u8>, framing: Framing) {
        let response = &self.response;
        let status = response.status;
        let foreign = response.foreign.as_deref();
        match foreign {
            None => append_head_start(out, status, self.server_token()),
            Some(foreign) => {
                let server = (!foreign.has_server).then(|| self.server_token());
                write_head_start(out, status, self.foreign_status_line(), server, !foreign.has_date);
            }
        }
        if let Some(content_type) = self.sent_content_type() {
            out.extend_from_slice(b"Content-Type: ");
            write_value(out, &content_type);
        }
        if let Some(length) = self.sent_length(framing) {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if let Some(date) = self.sent_last_modified() {
            out.extend_from_slice(b"Last-Modified: ");
            out.extend_from_slice(date.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        // As in nginx, one that need not be made absolute is the first of the other headers.
        let is_path = |location: &BString| location.starts_with(b"/") && self.core().absolute_redirect;
        let (early, late) = match &response.location {
            Some(location) if is_path(location) => (Some(location), None),
            location => (None, location.as_ref()),
        };
        if let Some(location) = early {
            write_field(out, b"Location", &self.absolute(location));
        }
        if framing == Framing::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            out.extend_from_slice(b"Connection: upgrade\r\n");
        } else if self.keeps_alive {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
            if let Some(seconds) = self.conf().keepalive_timeout.header_seconds.filter(|n| *n > 0) {
                // Writing to memory cannot fail.
                let _ = write!(out, "Keep-Alive: timeout={seconds}\r\n");
            }
        } else {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        if response.varies {
            out.extend_from_slice(b"Vary: Accept-Encoding\r\n");
        }
        if let Some(location) = late {
            write_field(out, b"Location", location);
        }
        for (name, value) in response.headers.iter() {
            write_field(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Status and reason as a backend has sent them, unless the response has another status or `error_page` has given it one.
    fn foreign_status_line(&self) -> Option<&[u8]> {
        let line = &self.response.foreign.as_ref()?.status_line;
        let is_same =
            self.error_status.is_none() && line.starts_with(self.response.status.as_str().as_bytes());
        is_same.then_some(line)
    }

    /// Value of the `Server` header.
    pub(super) fn server_token(&self) -> &'static str {
        match self.conf().server_tokens {
            ServerTokens::Off => "pingosd",
            ServerTokens::On | ServerTokens::Build => crate::VERSION,
        }
    }

    /// Content type with charset.
    pub(super) fn sent_content_type(&self) -> Option<Cow<'_, [u8]>> {
        // As in nginx, a response that is not sent keeps its type, and over HTTP/1 a backend's response, too.
        let is_own = self.foreign_status_line().is_none() || self.connection.socket.http2().is_some();
        let is_sent = !self.is_post_action && !self.is_subrequest() && is_own;
        let has_type = self.response.status != StatusCode::NO_CONTENT || !is_sent;
        let content_type = self.response.content_type.as_ref().filter(|_| has_type)?;
        if let Some((text, known, charset)) =
            self.response.foreign.as_ref().and_then(|f| f.content_type.as_ref())
            && (known, charset) == (content_type, &self.response.charset)
        {
            return Some(Cow::Borrowed(&text[..])).filter(|text| !text.is_empty());
        }
        if content_type.is_empty() {
            return None;
        }
        Some(match &self.response.charset {
            None => Cow::Borrowed(content_type),
            Some(charset) => Cow::Owned([content_type, &b"; charset="[..], charset].concat()),
        })
    }

    /// Date of the last modification, for the statuses that have one.
    pub(super) fn sent_last_modified(&self) -> Option<String> {
        let has_date = matches!(
            self.response.status,
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
        );
        self.response.last_modified.filter(|_| has_date).map(date::http_date)
    }

    fn sent_length(&self, framing: Framing) -> Option<u64> {
        match framing {
            Framing::Length(length) => Some(length),
            Framing::HeadOnly if self.has_length() => self.sent.length,
            Framing::HeadOnly | Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// Writes the head and the body, as far as they are not written.
    async fn send_output(&mut self, sending: &mut Sending) -> io::Result<()> {
        let Sending { output, body, framing, rate, .. } = sending;
        let rate = *rate;
        if matches!(body, Body::Live(_)) {
            if let Some(stream) = self.connection.socket.http2() {
                stream.set_live();
            }
            self.write(output, None).await?;
            return self.flush().await;
        }
        if *framing == Framing::HeadOnly && body.is_kept() {
            if !output.is_empty() {
                self.write(output, rate).await?;
                output.clear();
            }
            self.flush().await?;
            return end_unsent(body).await;
        }
        let is_chunked = *framing == Framing::Chunked;
        loop {
            let continuation = self.continuation.as_ref();
            let piece = match poll_fn(|cx| match body.poll_piece(cx) {
                std::task::Poll::Pending if continuation.is_some_and(|more| more.is_wanted()) => {
                    std::task::Poll::Ready(None)
                }
                std::task::Poll::Pending if !output.is_empty() => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
                std::task::Poll::Ready(piece) => std::task::Poll::Ready(Some(piece)),
            })
            .await
            {
                // What is there is sent while the next piece is made.
                None => {
                    if !output.is_empty() {
                        self.write(output, rate).await?;
                        output.clear();
                    }
                    if let Some(more) = self.continuation.clone().filter(|more| more.is_wanted()) {
                        more.advance(self).await;
                    }
                    continue;
                }
                Some(None) => break,
                Some(Some(Ok(piece))) => piece,
                Some(Some(Err(error))) => {
                    if BrokenBody::is_passed_on(&error) {
                        // The client gets what another server has sent.
                        self.write(output, rate).await?;
                        self.flush().await?;
                    }
                    return Err(error);
                }
            };
            if piece.length() == 0 {
                continue;
            }
            if is_chunked {
                let _ = write!(output, "{:x}\r\n", piece.length());
            }
            match piece {
                Piece::Memory(bytes) if bytes.len() as u64 <= COPIED => {
                    output.extend_from_slice(&bytes);
                    if output.len() as u64 > COPIED {
                        self.write(output, rate).await?;
                        output.clear();
                    }
                }
                Piece::Memory(bytes) => {
                    self.write_both(output, &bytes, rate).await?;
                    output.clear();
                }
                // Boxed, as other rare waits are: a response moves the room of all that it may wait for several times.
                Piece::File(part) => Box::pin(self.send_file(output, part, rate)).await?,
            }
            if is_chunked {
                output.extend_from_slice(b"\r\n");
            }
        }
        if self.response.expects_trailers {
            let service = self.service();
            self.plan().filters.for_each(|position| service.filters[position].end(self));
        }
        if is_chunked {
            output.extend_from_slice(b"0\r\n");
            for (name, value) in self.response.trailers.iter() {
                write_field(output, name, value);
            }
            output.extend_from_slice(b"\r\n");
        }
        if self.connection.socket.http2().is_some() {
            return self.end_http2(output, rate).await;
        }
        if !output.is_empty() && rate.is_none() && self.ends_connection() {
            match self.connection.socket.try_write_last(output) {
                Ok(written) => {
                    self.sent.bytes += written as u64;
                    output.drain(..written);
                }
                Err(error) => self.wait_for(error).await?,
            }
        }
        if !output.is_empty() {
            self.write(output, rate).await?;
        }
        self.flush().await
    }

    /// Whether nothing follows the response on its connection.
    fn ends_connection(&self) -> bool {
        let has_tunnel = self.response.foreign.as_ref().is_some_and(|foreign| foreign.tunnel.is_some());
        !self.keeps_alive && !has_tunnel
    }

    /// Whether the response tells the length of a body that is not sent. As in nginx, that of a backend's 204 does over HTTP/1.
    fn has_length(&self) -> bool {
        let is_own = self.foreign_status_line().is_none() || self.connection.socket.http2().is_some();
        let has_none = self.response.status == StatusCode::NO_CONTENT && is_own;
        !has_none && !self.response.hides_length
    }

    /// The rate of the response: `$limit_rate`, `limit_rate`.
    fn rate(&self) -> Option<RateLimit> {
        let core = self.core();
        let rate = match self.assigned.given_named(b"limit_rate") {
            Some(text) => number::size(text).unwrap_or(0),
            None => self.size(&core.limit_rate),
        };
        if rate == 0 || self.is_subrequest() {
            return None;
        }
        Some(RateLimit { bytes: rate, after: self.size(&core.limit_rate_after), began: Instant::now() })
    }

    /// A size in bytes. What variables give is logged where it is none, and counts as 0.
    fn size(&self, size: &SizeOrVariable) -> u64 {
        size.bytes(|template| {
            let text = self.expand(template);
            if number::size(&text).is_none() {
                log::invalid_size(self, &text);
            }
            text
        })
    }
}

/// Appends what the head of a response of our own begins with.
fn append_head_start(out: &mut Vec<u8>, status: StatusCode, server: &'static str) {
    let of = Some((status, server, date::now()));
    HEAD_START.with_borrow_mut(|start| {
        if start.of != of {
            start.of = of;
            start.text.clear();
            write_head_start(&mut start.text, status, None, Some(server), true);
        }
        out.extend_from_slice(&start.text);
    });
}

/// Writes what a head begins with: the status line, here or as another server has sent it, and what of `Server` and `Date` is ours.
fn write_head_start(
    out: &mut Vec<u8>,
    status: StatusCode,
    foreign_line: Option<&[u8]>,
    server: Option<&str>,
    writes_date: bool,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    match foreign_line {
        Some(line) => out.extend_from_slice(line),
        None => {
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(reason(status).as_bytes());
        }
    }
    if let Some(server) = server {
        out.extend_from_slice(b"\r\nServer: ");
        out.extend_from_slice(server.as_bytes());
    }
    if writes_date {
        out.extend_from_slice(b"\r\nDate: ");
        date::with_date(|date| out.extend_from_slice(date));
    }
    out.extend_from_slice(b"\r\n");
}

/// Waits for the end of a body that is kept and not sent. As in nginx, a response whose body is broken is not complete.
async fn end_unsent(body: &mut Body) -> io::Result<()> {
    while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
        piece.map_err(|error| match BrokenBody::of(&error) {
            Some(broken) => BrokenBody { counts_as_complete: false, ..broken.clone() }.into(),
            None => error,
        })?;
    }
    Ok(())
}

/// Writes a header field, without the bytes that would end its line.
pub(super) fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    write_text(out, name);
    out.extend_from_slice(b": ");
    write_value(out, value);
}

/// Writes the value of a header field, whose name was written already, and the end of its line.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    write_text(out, value);
    out.extend_from_slice(b"\r\n");
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    let ends_line = |b: u8| matches!(b, b'\r' | b'\n' | 0);
    // Byte by byte, which for a few is faster than to search.
    if text.iter().any(|b| ends_line(*b)) {
        out.extend(text.iter().copied().filter(|b| !ends_line(*b)));
    } else {
        out.extend_from_slice(text);
    }
}
