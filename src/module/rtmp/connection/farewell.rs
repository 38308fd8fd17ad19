//! What peers are told when the server goes.

use super::{Connected, Connection, Part};
use crate::wire::rtmp::server_session::Connect;

/// Member of connect with what the client can do (Enhanced RTMP v2, "Enhancing NetConnection connect Command").
const CAPABILITIES: &str = "capsEx";
/// Its bit for clients that understand a request to connect again.
const RECONNECT: u32 = 0x01;

/// Whether the client of this connect understands a request to connect again.
pub(crate) fn reconnects(connect: &Connect) -> bool {
    let member = connect.extra.iter().find(|(name, _)| name == CAPABILITIES);
    // A double that is no number or out of range becomes one without the bit, or saturates; both are harmless.
    member.and_then(|(_, value)| value.as_number()).is_some_and(|bits| bits as u32 & RECONNECT != 0)
}

impl Connection {
    /// The server lets its sessions end and takes no new ones: a client that can goes to another one, or to the
    /// process that has taken over, at a moment of its choice.
    pub(crate) fn say_draining(&mut self) {
        self.farewell = true;
        if matches!(self.connected, Some(Connected { reconnects: true, .. })) {
            self.core.send_status(
                0,
                "status",
                "NetConnection.Connect.ReconnectRequest",
                "The server is shutting down",
            );
        }
    }

    /// The server ends the session now. Whoever publishes should know that it was not its fault; it gets what the
    /// socket takes at once, as nobody waits for it. Clients without the capability hear nothing, as from PingOS.
    pub(crate) fn say_exit(&mut self) {
        if !matches!(self.connected, Some(Connected { reconnects: true, .. })) {
            return;
        }
        let stream_id = match &self.part {
            Part::Publishing(publishing) => publishing.stream_id(),
            Part::Discarding { stream_id, .. } => *stream_id,
            Part::None | Part::Pending(_) | Part::Playing(_) => return,
        };
        let (code, text) = ("NetConnection.Connect.AppShutdown", "The server is shutting down");
        self.core.send_status(stream_id, "error", code, text);
        if let Some(bytes) = self.core.poll_transmit() {
            let _ = self.socket.try_write(&bytes);
            self.socket.shutdown_write();
        }
    }
}
