//! Request of a session to be served by a delivery loop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::link::PlayerLink;
use crate::hub::cursor::PlayerSettings;
use crate::hub::gop::Continuation;
use crate::hub::stream::Stream;
use crate::media::view::AppView;
use crate::net::socket::Socket;

/// What a player has been sent of a stream before it joins.
#[derive(Clone, Copy, Debug)]
pub struct SentBeforeJoin {
    /// Packets with which it goes on.
    pub next: Continuation,
    /// The stream's timestamp of the player's time 0.
    pub origin: u32,
    /// Bytes sent so far.
    pub bytes: u64,
}

/// Request of a session to be sent a stream.
#[derive(Debug)]
pub struct Join {
    /// Session number.
    pub session: u64,
    /// Stream to send.
    pub stream: Arc<Stream>,
    /// Socket to send to.
    pub socket: Arc<Socket>,
    /// Settings of the player.
    pub settings: PlayerSettings,
    /// What it has been sent already; otherwise it begins as its settings say.
    pub sent: Option<SentBeforeJoin>,
    /// Bytes to send before the media, in the same write if the socket accepts them.
    pub lead: Bytes,
    /// Shared counters and end.
    pub link: Arc<PlayerLink>,
    /// Time after which a player that accepts nothing is given up; zero means never.
    pub send_timeout: Duration,
    /// Application of the session, for `send_delay`.
    pub view: AppView,
}
