//! Link layer shared by both sides after the handshake: reading chunks, acknowledgements, pings, queueing messages.

use bytes::{Bytes, BytesMut};

use super::RtmpError;
use super::chunk::{ChunkReader, DEFAULT_CHUNK_SIZE, Limits, write_absolute};
use super::message::{self, Control, Message, UserControl, csid, type_id, write_command};
use crate::limits::QUEUED_REPLIES;
use crate::wire::amf0::{self, AmfValue};

/// One end of a connection.
#[derive(Debug)]
pub(super) struct ChunkLink {
    reader: ChunkReader,
    out: BytesMut,
    /// Chunk size for sending.
    chunk_size: usize,
    /// Number of bytes received, including the handshake.
    received: u64,
    /// Number of bytes received at the last acknowledgement.
    acknowledged: u64,
    /// Number of received bytes after which an acknowledgement is due; 0 means never.
    window: u32,
    /// Whether the peer announced the window.
    window_announced: bool,
}

impl ChunkLink {
    pub(super) fn new(limits: Limits, window: u32) -> Self {
        Self {
            reader: ChunkReader::new(limits),
            out: BytesMut::new(),
            chunk_size: DEFAULT_CHUNK_SIZE as usize,
            received: 0,
            acknowledged: 0,
            window,
            window_announced: false,
        }
    }

    /// Counts received bytes; must be called with every input before it is read.
    pub(super) fn count(&mut self, input: &[u8]) {
        self.received += input.len() as u64;
    }

    /// Returns the next message that does not concern the link itself; user control events other than pings are
    /// returned.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, RtmpError> {
        while let Some(message) = self.reader.read(input)? {
            match message.control()? {
                Some(Control::User(UserControl::PingRequest(timestamp))) => {
                    self.send(&UserControl::PingResponse(timestamp).to_message());
                }
                Some(Control::WindowAckSize(size)) => {
                    self.window = size;
                    self.window_announced = true;
                }
                // The reader handles Set Chunk Size and Abort. The peer's acknowledgements and bandwidth are ignored:
                // the socket's window limits the data in flight.
                Some(
                    Control::SetChunkSize(_)
                    | Control::Abort(_)
                    | Control::Acknowledgement(_)
                    | Control::PeerBandwidth { .. },
                ) => {}
                Some(Control::User(_)) | None => return Ok(Some(message)),
            }
        }
        Ok(None)
    }

    /// Acknowledges received bytes and fails if the peer does not read. Must be called after every input.
    pub(super) fn finish_input(&mut self) -> Result<(), RtmpError> {
        if self.window > 0 && self.received - self.acknowledged >= u64::from(self.window) {
            self.acknowledged = self.received;
            // The sequence number wraps at 32 bits.
            self.send(&message::acknowledgement(self.received as u32));
        }
        if self.out.len() > QUEUED_REPLIES {
            return Err(RtmpError::RepliesUnread { limit: QUEUED_REPLIES });
        }
        Ok(())
    }

    pub(super) fn send(&mut self, message: &Message) {
        message.write(&mut self.out, self.chunk_size);
    }

    /// Announces another chunk size for sending and uses it from here on.
    pub(super) fn send_chunk_size(&mut self, size: u32) {
        self.send(&message::set_chunk_size(size));
        self.chunk_size = size as usize;
    }

    pub(super) fn send_command(&mut self, stream_id: u32, values: &[AmfValue]) {
        let csid = if stream_id == 0 { csid::COMMAND } else { csid::STREAM };
        write_command(&mut self.out, csid, stream_id, self.chunk_size, values);
    }

    pub(super) fn send_data(&mut self, stream_id: u32, values: &[AmfValue]) {
        let mut body = BytesMut::new();
        amf0::encode_all(values, &mut body);
        write_absolute(&mut self.out, csid::STREAM, 0, type_id::DATA, stream_id, &body, self.chunk_size);
    }

    /// Sets the number of bytes per acknowledgement, unless the peer announced its own.
    pub(super) fn set_default_window(&mut self, window: u32) {
        if !self.window_announced {
            self.window = window;
        }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.reader.set_limits(limits);
    }

    /// Returns everything queued, together with the buffer, so that an idle connection keeps none.
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        if self.out.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut self.out).freeze())
    }

    /// Buffer for bytes that are not messages (the handshake) or that the caller has chunked.
    pub(super) fn out(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    pub(super) fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn partial_bytes(&self) -> usize {
        self.reader.partial_bytes()
    }
}

/// Status object of `onStatus` and of connect's answers (RTMP 1.0 §7.2.2).
pub(super) fn status(level: &str, code: &str, description: &str) -> AmfValue {
    AmfValue::object([
        ("level", level.to_owned().into()),
        ("code", code.to_owned().into()),
        ("description", description.to_owned().into()),
    ])
}
