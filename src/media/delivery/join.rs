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
    /// The stream's timestamp of the player's time 0; `None` if the player has the stream's time.
    pub origin: Option<u32>,
    /// Bytes sent so far.
    pub bytes: u64,
}

/// Where a player begins.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// As its settings say.
    AsSet,
    /// Behind media from elsewhere.
    Behind(SentBeforeJoin),
    /// It is sent media from elsewhere with [`Delivery::media`](super::Delivery::media), until
    /// [`Delivery::begin`](super::Delivery::begin).
    Held,
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
    /// Where it begins.
    pub start: Start,
    /// Bytes to send before the media, in the same write if the socket accepts them.
    pub lead: Bytes,
    /// Shared counters and end.
    pub link: Arc<PlayerLink>,
    /// Time after which a player that accepts nothing is given up; zero means never.
    pub send_timeout: Duration,
    /// Application of the session, for `send_delay`.
    pub view: AppView,
}
