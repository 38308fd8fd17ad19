//! Reading of request bodies, as nginx does it: into memory, or into a temporary file if they are long.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::time::timeout;

use super::answering::CLIENT_CLOSED_REQUEST;
use super::core::conf::BodyInFile;
use super::exchange::{Decision, Exchange, HttpConnection};
use super::input::BadBody;
use super::log;
use super::request::BodyFraming;
use super::request_body::{BodyFailure, RequestBody};
use super::rest_of_body::PartReader;
use super::temp_file::{Keeping, TempFile};

/// A body being read.
struct Collected {
    memory: BytesMut,
    file: Option<TempFile>,
    is_present: bool,
    /// Whether it goes to a file in any case.
    in_file: BodyInFile,
}

impl Exchange<'_> {
    /// Whether the body is read before anything is decided about the request, as `client_body_early_read` says.
    pub(super) fn reads_body_early(&self) -> bool {
        let conditions = &self.core().client_body_early_read;
        !conditions.is_empty()
            && self.request.body() != BodyFraming::None
            && !self.is_subrequest()
            && self.holds_any(conditions)
    }

    /// Reads the body before anything is decided about the request.
    ///
    /// # Errors
    ///
    /// The decision about a request whose body is too long for the server, or cannot be read.
    pub(super) async fn read_body_early(&mut self) -> Result<(), Decision> {
        match self.check_body_size() {
            Some(refusal) => Err(refusal),
            // As in nginx, `client_body_in_file_only` is for bodies that are read later.
            None => self.read_whole_body(BodyInFile::Off).await,
        }
    }

    /// Reads the whole body of the client's request, once: [`Exchange::body`] then has it.
    ///
    /// # Errors
    ///
    /// The decision about a request whose body cannot be read.
    pub async fn read_body(&mut self) -> Result<(), Decision> {
        if self.body.is_some() || self.is_subrequest() || self.is_body_discarded {
            return Ok(());
        }
        self.read_whole_body(self.core().client_body_in_file_only).await
    }

    async fn read_whole_body(&mut self, in_file: BodyInFile) -> Result<(), Decision> {
        self.ask_for_body().await;
        let mut collected = Collected::new(in_file);
        self.connection.input.lock().is_reading = true;
        let read = self.collect(&mut collected).await;
        self.connection.input.lock().is_reading = false;
        let is_present = collected.is_present;
        let (memory, file) = (collected.memory.freeze(), collected.file);
        self.body = Some(RequestBody { memory, file, is_present }.into());
        if self.request.body() == BodyFraming::Chunked {
            self.chunked_length = Some(self.connection.input.lock().body_bytes);
        }
        read.map_err(|failure| self.body_failed(failure))
    }

    /// Begins to read the body part by part, see [`Exchange::next_body_part`]. [`Exchange::body`] then has what came with the
    /// head; returns whether that is all.
    ///
    /// # Errors
    ///
    /// The decision about a request whose body cannot be read.
    pub async fn begin_body(&mut self) -> Result<bool, Decision> {
        self.ask_for_body().await;
        let mut collected = Collected::new(BodyInFile::Off);
        self.connection.input.lock().is_reading = true;
        let taken = self.take_present(&mut collected);
        let memory = collected.memory.freeze();
        self.body = Some(RequestBody { memory, file: None, is_present: collected.is_present }.into());
        let is_done = self.is_body_received();
        if is_done || taken.is_err() {
            self.end_body();
        }
        taken.map_err(|failure| self.body_failed(failure))?;
        Ok(is_done)
    }

    /// Takes what came with the head, and what the socket has besides, up to nginx's buffer.
    fn take_present(&mut self, collected: &mut Collected) -> Result<(), BodyFailure> {
        let came = self.connection.input.lock().buffer.len();
        self.take_into(collected)?;
        let (left, missing, is_chunked) = {
            let input = self.connection.input.lock();
            (input.buffer.len(), input.missing(), input.is_chunked())
        };
        self.body_length += signed(came - left);
        let mut room = self.body_buffer(missing, is_chunked, came > 0);
        while room > 0 && !self.is_body_received() {
            let length = {
                let mut input = self.connection.input.lock();
                let most = room.min(crate::limits::HTTP_READ_BYTES);
                // Ends and errors are met by the next read.
                let Ok(length) = self.connection.socket.read_some(&mut input.buffer, most) else { break };
                if length == 0 {
                    input.ends_with_stream().map_err(BodyFailure::Bad)?;
                    break;
                }
                length
            };
            room -= length;
            self.take_into(collected)?;
            let left = self.connection.input.lock().buffer.len();
            self.body_length += signed(length) - signed(left);
        }
        Ok(())
    }

    /// Whether the body was received completely, be it taken or not.
    pub fn is_body_received(&self) -> bool {
        self.connection.input.lock().is_body_done()
    }

    /// What the body began with, once: as in nginx, `$request_body` has no value while the rest is passed on.
    pub fn take_body_beginning(&mut self) -> Bytes {
        let began = self.body.replace(Arc::default());
        began.map_or_else(Bytes::new, |body| body.memory.clone())
    }

    /// Records that the body is passed on as it comes: what answers later has none.
    pub fn pass_body_on(&mut self) {
        self.is_body_refused = true;
    }

    /// Reads the rest of a body part by part.
    pub fn body_parts(&self) -> PartReader {
        let core = self.core();
        PartReader {
            size: usize::try_from(core.client_body_buffer_size.0).unwrap_or(usize::MAX).max(1),
            filled: 0,
            most: self.largest_body(),
            patience: core.client_body_timeout.duration(),
            length: 0,
        }
    }

    /// The next part of a body that is not collected; `None` at its end.
    ///
    /// # Errors
    ///
    /// The decision about a request whose body cannot be read.
    pub async fn next_body_part(&mut self, parts: &mut PartReader) -> Result<Option<Bytes>, Decision> {
        let part = parts.next(self.connection).await;
        if !matches!(part, Ok(Some(_))) {
            self.end_parts(parts);
        }
        part.map_err(|failure| self.body_failed(failure))
    }

    /// Ends the reading of a body of which no more is needed.
    pub fn end_parts(&mut self, parts: &mut PartReader) {
        self.body_length += signed(std::mem::take(&mut parts.length));
        self.end_body();
    }

    fn end_body(&mut self) {
        let mut input = self.connection.input.lock();
        input.is_reading = false;
        if self.request.body() == BodyFraming::Chunked {
            self.chunked_length = Some(input.body_bytes);
        }
    }

    /// Collects the body as nginx does: what came with the head and fits, then buffer by buffer; those that are full go to
    /// a file while more is to come.
    async fn collect(&mut self, collected: &mut Collected) -> Result<(), BodyFailure> {
        let declares_length = self.request.header("content-length").is_some();
        collected.is_present = declares_length && self.request.body() == BodyFraming::None;
        let came = self.connection.input.lock().buffer.len();
        self.take_into(collected)?;
        let (left, missing) = {
            let input = self.connection.input.lock();
            (input.buffer.len(), (!input.is_body_done()).then(|| (input.missing(), input.is_chunked())))
        };
        self.body_length += signed(came - left);
        let buffer_size = match missing {
            None if declares_length || self.request.body() == BodyFraming::Chunked => {
                collected.is_present = true;
                return self.complete(collected).await;
            }
            None => return Ok(()),
            Some((missing, is_chunked)) => self.body_buffer(missing, is_chunked, came > 0),
        };
        let mut filled = 0;
        loop {
            let length = self.receive_body(buffer_size - filled).await?;
            filled += length;
            self.body_length += signed(length);
            self.take_into(collected)?;
            let left = {
                let input = self.connection.input.lock();
                input.is_body_done().then_some(input.buffer.len())
            };
            if let Some(left) = left {
                // What belongs to the next request.
                self.body_length -= signed(left);
                collected.is_present = true;
                return self.complete(collected).await;
            }
            if filled == buffer_size {
                if !collected.memory.is_empty() {
                    self.write_out(collected).await?;
                }
                filled = 0;
            }
        }
    }

    /// Collects received bytes. As in nginx, bytes that were received together with an error do not count.
    fn take_into(&mut self, collected: &mut Collected) -> Result<(), BodyFailure> {
        let before = (collected.memory.len(), collected.is_present);
        loop {
            match self.take_body_part() {
                Ok(Some(part)) => collected.add(&part),
                Ok(None) => return Ok(()),
                Err(error) => {
                    collected.memory.truncate(before.0);
                    collected.is_present = before.1;
                    return Err(error);
                }
            }
        }
    }

    /// Size of the buffer for the rest of a body, in bytes.
    fn body_buffer(&self, missing: u64, is_chunked: bool, has_begun: bool) -> usize {
        let size = self.core().client_body_buffer_size.0.max(1);
        let fits_behind_head = has_begun && missing <= self.request.room_behind_head();
        let is_small = missing < size.saturating_add(size >> 2);
        let size = if !is_chunked && (fits_behind_head || is_small) { missing } else { size };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// Writes the rest of a complete body to its file, if it has or needs one.
    async fn complete(&mut self, collected: &mut Collected) -> Result<(), BodyFailure> {
        if collected.file.is_some() || collected.in_file != BodyInFile::Off {
            self.write_out(collected).await?;
        }
        Ok(())
    }

    /// Moves what was collected to the file.
    async fn write_out(&mut self, collected: &mut Collected) -> Result<(), BodyFailure> {
        let core = self.core();
        let file = match collected.file.take() {
            Some(file) => file,
            None => {
                let keeping = match collected.in_file {
                    BodyInFile::Off => Keeping::Nameless,
                    BodyInFile::On => Keeping::Kept,
                    BodyInFile::Clean => Keeping::UntilEnd,
                };
                let file = TempFile::create(&core.client_body_temp_path, keeping);
                let file = file.await.map_err(BodyFailure::Disk)?;
                log::body_in_file(self, &file.path, keeping != Keeping::Nameless);
                file
            }
        };
        let bytes = std::mem::take(&mut collected.memory).freeze();
        collected.file = Some(file.append(bytes).await.map_err(BodyFailure::Disk)?);
        Ok(())
    }

    /// Takes the next bytes of the body from those that were received; `None` if there are none.
    ///
    /// # Errors
    ///
    /// [`BodyFailure::Bad`].
    pub(super) fn take_body_part(&mut self) -> Result<Option<Bytes>, BodyFailure> {
        self.connection.input.lock().take_body(self.largest_body()).map_err(BodyFailure::Bad)
    }

    /// `client_max_body_size`
    fn largest_body(&self) -> u64 {
        match self.conf().client_max_body_size.0 {
            0 => u64::MAX,
            limit => limit,
        }
    }

    /// Receives bytes of the body, `room` at most; returns how many.
    ///
    /// # Errors
    ///
    /// [`BodyFailure::Left`], [`BodyFailure::TimedOut`].
    async fn receive_body(&self, room: usize) -> Result<usize, BodyFailure> {
        self.connection.receive_body(room, self.core().client_body_timeout.duration()).await
    }

    /// The decision about a request whose body could not be read.
    pub(super) fn body_failed(&mut self, failure: BodyFailure) -> Decision {
        log::body_failed(self, &failure);
        if let Some(stream) = self.connection.socket.http2() {
            // As in nginx, nothing is known of a body over HTTP/2 that was not read.
            (self.is_body_refused, self.body, self.chunked_length) = (true, Some(Arc::default()), None);
            if matches!(failure, BodyFailure::TimedOut | BodyFailure::Left) {
                stream.blame_client();
            }
        }
        let status = failure.status(self.connection.socket.http2().is_some());
        match failure {
            BodyFailure::Bad(_) | BodyFailure::Disk(_) => Decision::page(status),
            // As in nginx, these are the statuses in the log of streams and connections that are closed without a response.
            BodyFailure::Left | BodyFailure::TimedOut => Decision::Close(status.as_u16()),
        }
    }
}

impl HttpConnection {
    /// Receives bytes of a body, `room` at most; returns how many. `patience` is the time between two reads.
    ///
    /// # Errors
    ///
    /// [`BodyFailure::Left`], [`BodyFailure::TimedOut`], and [`BodyFailure::Bad`] where the end comes too early.
    pub(super) async fn receive_body(&self, room: usize, patience: Duration) -> Result<usize, BodyFailure> {
        let socket = &self.socket;
        loop {
            let read =
                socket.read_some(&mut self.input.lock().buffer, room.min(crate::limits::HTTP_READ_BYTES));
            match read {
                Ok(0) => {
                    let is_end = self.input.lock().ends_with_stream().map_err(BodyFailure::Bad)?;
                    return if is_end { Ok(0) } else { Err(BodyFailure::Left) };
                }
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(BodyFailure::Left),
            }
            match timeout(patience, socket.readable()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(BodyFailure::Left),
                Err(_) => return Err(BodyFailure::TimedOut),
            }
        }
    }
}

impl BodyFailure {
    /// The status of the request.
    pub(super) fn status(&self, is_http2: bool) -> StatusCode {
        match self {
            BodyFailure::Bad(BadBody::Chunks | BadBody::Longer | BadBody::Shorter(_)) => {
                StatusCode::BAD_REQUEST
            }
            BodyFailure::Bad(BadBody::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyFailure::Left if is_http2 => StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("it is one"),
            BodyFailure::Left => StatusCode::BAD_REQUEST,
            BodyFailure::TimedOut => StatusCode::REQUEST_TIMEOUT,
            BodyFailure::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Collected {
    fn new(in_file: BodyInFile) -> Collected {
        Collected { memory: BytesMut::new(), file: None, is_present: false, in_file }
    }

    /// Appends a part.
    fn add(&mut self, part: &[u8]) {
        self.is_present = true;
        self.memory.extend_from_slice(part);
    }
}

/// A number of bytes in a buffer, to be added or subtracted.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
