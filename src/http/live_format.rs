//! Container formats of live responses.

use std::sync::Arc;

use bytes::Bytes;

use crate::hub::cursor::PlayerSettings;
use crate::media::admission::AdmittedSession;
use crate::media::mpegts::MpegtsFeed;
use crate::media::session::{Protocol, Session};
use crate::media::view::AppView;

/// Media for one player of a live location: the session's stream, or a feed made from it.
pub struct Sending {
    /// Delivery settings.
    pub settings: PlayerSettings,
    /// The feed, unless the session's own stream is sent.
    pub feed: Option<Arc<MpegtsFeed>>,
}

/// A container format for endless live files.
pub trait LiveFormat: Send + Sync {
    /// Optional suffix of stream names in paths.
    fn suffix(&self) -> &'static str;

    /// MIME type.
    fn content_type(&self) -> &'static str;

    /// Protocol of its players' sessions.
    fn protocol(&self) -> Protocol;

    /// Selects the media for a player; `chunked` means HTTP/1.1 chunks.
    fn sending(&self, view: &AppView, entered: &AdmittedSession, chunked: bool) -> Sending;

    /// Time shift beyond what is kept that a player with this query string asks for, in milliseconds.
    fn past(&self, view: &AppView, pargs: &[u8]) -> Option<u64>;

    /// First bytes of a player's file, built once media is available.
    fn lead(&self, _: &AdmittedSession) -> Bytes {
        Bytes::new()
    }

    /// Messages to a relay of another pingosd server; `None` if the player is no relay or the container cannot carry
    /// them.
    fn relay_messages(&self, _: &Session) -> Option<&dyn RelayMessages> {
        None
    }
}

/// Messages to relays of other pingosd servers inside a file.
pub trait RelayMessages: Send + Sync {
    /// The path that the media has taken so far.
    fn way(&self, entered: &AdmittedSession, way: &[u8]) -> Bytes;

    /// The stream's publisher has left.
    fn idle(&self) -> Bytes;
}
