//! Recorded media of a stream, for players that begin further back than the cache holds.
//!
//! A player is sent the past piece by piece until the cache has all that follows, and then goes on in the delivery loop
//! with the next packet and with timestamps that continue.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::session::Session;
use super::view::AppView;
use crate::hub::gop::Continuation;
use crate::hub::stream::Stream;

/// Format in which a player is sent the past.
#[derive(Clone, Debug)]
pub enum PastFormat {
    /// FLV tags, whose timestamps begin with 0.
    Tags,
    /// MPEG-TS packets as recorded, for a player of this stream of pieces.
    Mpegts(Arc<Stream>),
}

/// A request for the past of a stream.
#[derive(Clone, Debug)]
pub struct PastRequest {
    /// The application.
    pub view: AppView,
    /// The player.
    pub session: Arc<Session>,
    /// The stream.
    pub stream: Arc<Stream>,
    /// Format.
    pub format: PastFormat,
    /// How far back, in milliseconds.
    pub ago_ms: u64,
}

/// Step of a player through the past.
#[derive(Debug)]
pub enum PastStep {
    /// Whole tags or packets of the format; may be empty.
    Media(Bytes),
    /// The cache has what follows.
    Joins(Joining),
    /// There is no publisher, and everything that is recorded was sent.
    Over(Joining),
}

/// Where the live stream goes on behind the past.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The next packets.
    pub next: Continuation,
    /// The stream's timestamp of the player's time 0; `None` if the player has the stream's time.
    pub origin: Option<u32>,
    /// What precedes them in the format.
    pub lead: Bytes,
}

/// Recorded media that is being read.
pub trait Past: Send + Sync {
    /// The next step. Waits for media that is being recorded.
    ///
    /// # Errors
    ///
    /// What is recorded cannot be read.
    fn step(&mut self) -> Pin<Box<dyn Future<Output = io::Result<PastStep>> + Send + '_>>;
}

/// Recorded media being opened; `None` if nothing is recorded of the time, or not all tracks of the stream can be.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Option<Box<dyn Past>>> + Send + 'a>>;

/// Brings the past of streams.
pub trait Pasts: Send + Sync {
    /// Begins to read.
    fn open(&self, request: PastRequest) -> Opening<'_>;
}
