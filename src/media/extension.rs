//! What modules do with sessions and streams: the traits by which the media core knows them.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::ingest::Brought;
use super::session::Session;
use super::view::AppView;
use crate::hub::stream::Stream;

/// A session on a stream.
#[derive(Clone, Copy)]
pub struct OnStream<'a> {
    /// The session's application.
    pub view: &'a AppView,
    /// The session.
    pub session: &'a Arc<Session>,
    /// The stream that it publishes or plays.
    pub stream: &'a Arc<Stream>,
}

/// Ends what it stands for when it is dropped.
pub type Running = Box<dyn Any + Send + Sync>;

/// What is made of a published stream beside what its players are sent: packagings, files, commands.
pub trait Output: Send + Sync {
    /// A publisher is about to take the stream: what has to be there before its first packet is made ready. The result is
    /// dropped after the publisher has left the stream.
    fn prepare(&self, _: OnStream<'_>) -> Option<Running> {
        None
    }

    /// The publisher has taken the stream and has sent nothing yet. The result is dropped before the publisher leaves the
    /// stream.
    fn begin(self: Arc<Self>, _: OnStream<'_>) -> Option<Running> {
        None
    }
}

/// What follows sessions.
pub trait SessionObserver: Send + Sync {
    /// A player was let in. The result is dropped when the player leaves.
    fn playing(&self, _: OnStream<'_>) -> Option<Running> {
        None
    }

    /// A client publishes. The result is dropped when the client leaves.
    fn publishing(self: Arc<Self>, _: OnStream<'_>) -> Option<Box<dyn PublishObserver>> {
        None
    }
}

/// What follows a client that publishes.
pub trait PublishObserver: Send + Sync {
    /// What a batch has brought.
    fn brought(&mut self, brought: Brought);
}

/// Where streams come from that have players and no publisher.
pub trait Source: Send + Sync {
    /// Whether an application's streams come from here when no client publishes them.
    fn is_configured(&self, view: &AppView) -> bool;

    /// A player was let in.
    fn demand(self: Arc<Self>, player: OnStream<'_>) -> Box<dyn Demand>;

    /// By way of which streams the media of the stream with this number comes from here.
    fn way(&self, stream: u64) -> Bytes;
}

/// A player's part in bringing a stream; given up when it is dropped.
pub trait Demand: Send + Sync {
    /// Waits until no answer to a callback can refuse the player.
    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Follows by way of which streams the media comes until here.
    fn way(&self) -> watch::Receiver<Bytes>;
}
