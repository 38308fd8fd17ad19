//! Request of a session to be served by a delivery loop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::link::PlayerLink;
use crate::hub::cursor::PlayerSettings;
use crate::hub::stream::Stream;
use crate::media::view::AppView;
use crate::net::socket::Socket;

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
    /// Bytes to send before the media, in the same write if the socket accepts them.
    pub lead: Bytes,
    /// Shared counters and end.
    pub link: Arc<PlayerLink>,
    /// Time after which a player that accepts nothing is given up; zero means never.
    pub send_timeout: Duration,
    /// Application of the session, for `send_delay`.
    pub view: AppView,
}
