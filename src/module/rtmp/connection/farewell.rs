//! Messages to peers when the server stops.

use std::sync::atomic::Ordering;

use super::state::{Connected, ConnectionEnd, RtmpConnection, StreamPart};
use crate::media::session::Reason;
use crate::wire::rtmp::server_session::Connect;

/// Member of connect with the client's capabilities (Enhanced RTMP v2, "Enhancing NetConnection connect Command").
const CAPABILITIES: &str = "capsEx";
/// Bit of clients that support reconnect requests.
const RECONNECT: u32 = 0x01;

/// Whether the client of this connect supports reconnect requests.
pub(crate) fn reconnects(connect: &Connect) -> bool {
    let member = connect.extra.iter().find(|(name, _)| name == CAPABILITIES);
    // NaN becomes a number without the bit and values out of range saturate; both are harmless.
    member.and_then(|(_, value)| value.as_number()).is_some_and(|bits| bits as u32 & RECONNECT != 0)
}

impl RtmpConnection {
    /// Sent while sessions drain and new ones are refused: a client that supports it reconnects to another server, or
    /// to the process that has taken over, when it likes.
    pub(crate) fn say_draining(&mut self) {
        self.farewell = true;
        if matches!(self.connected, Some(Connected { reconnects: true, .. })) {
            if let Some(session) = self.session() {
                session.asked_to_reconnect.store(true, Ordering::Relaxed);
            }
            self.core.send_status(
                0,
                "status",
                "NetConnection.Connect.ReconnectRequest",
                "The server is shutting down",
            );
        }
    }

    /// Another server of the cluster has the publisher's name: a client that supports it is asked to reconnect, others are
    /// refused as if the name had been taken when they came.
    pub(crate) fn name_lost(&mut self) -> ConnectionEnd {
        let StreamPart::Publishing(publishing) = &self.part else {
            return ConnectionEnd::Because(Reason::NameLost);
        };
        let stream_id = publishing.stream_id();
        let text = "Another server has the stream";
        match self.connected {
            Some(Connected { reconnects: true, .. }) => {
                self.core.send_status(0, "status", "NetConnection.Connect.ReconnectRequest", text);
            }
            _ => self.core.send_status(stream_id, "error", "NetStream.Publish.BadName", "Already publishing"),
        }
        ConnectionEnd::Told(Reason::NameLost)
    }

    /// Sent when the server ends the session immediately, so that a publisher knows that it is not at fault. Only what
    /// the socket accepts at once is sent. Clients without the capability get nothing, as from PingOS.
    pub(crate) fn say_exit(&mut self) {
        if !matches!(self.connected, Some(Connected { reconnects: true, .. })) {
            return;
        }
        let stream_id = match &self.part {
            StreamPart::Publishing(publishing) => publishing.stream_id(),
            StreamPart::Discarding { stream_id, .. } => *stream_id,
            StreamPart::None | StreamPart::Pending(_) | StreamPart::Playing(_) => return,
        };
        let (code, text) = ("NetConnection.Connect.AppShutdown", "The server is shutting down");
        self.core.send_status(stream_id, "error", code, text);
        if let Some(bytes) = self.core.poll_transmit() {
            let _ = self.socket.try_write(&bytes);
            self.socket.shutdown_write();
        }
    }
}
