//! Traits through which modules extend sessions and streams.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bstr::BString;
use bytes::Bytes;
use tokio::sync::watch;

use super::listing::Traffic;
use super::session::{Identity, Reason, Session};
use super::view::AppView;
use crate::hub::stream::Stream;
use crate::hub::stream_key::StreamKey;
use crate::net::socket::Peer;

/// A session together with its stream.
#[derive(Clone, Copy)]
pub struct OnStream<'a> {
    /// The session's application.
    pub view: &'a AppView,
    /// The session.
    pub session: &'a Arc<Session>,
    /// The stream that the session publishes or plays.
    pub stream: &'a Arc<Stream>,
}

/// Ends the running work when dropped.
pub type Running = Box<dyn Any + Send + Sync>;

/// Output of a published stream besides its players: repackaging, files, commands.
pub trait Output: Send + Sync {
    /// Whether it only serves players of this process. Other outputs write files or run commands, once per publisher
    /// even if two processes of an upgrade have players.
    fn is_for_players(&self) -> bool {
        false
    }

    /// Called when a publisher is about to take the stream; prepares what must exist before its first packet. The
    /// result is dropped after the publisher has left the stream.
    fn prepare(&self, _: OnStream<'_>) -> Option<Running> {
        None
    }

    /// Called when the publisher has taken the stream and has sent nothing yet. The result is dropped before the
    /// publisher leaves the stream.
    fn begin(self: Arc<Self>, _: OnStream<'_>) -> Option<Running> {
        None
    }
}

/// An RTMP connection that has ended, after it had connected to an application.
#[derive(Clone, Copy)]
pub struct EndedClient<'a> {
    /// Its number.
    pub id: u64,
    /// Both ends' addresses.
    pub peer: &'a Peer,
    /// Its application.
    pub view: &'a AppView,
    /// What its `connect` has sent.
    pub identity: &'a Identity,
    /// Its start.
    pub started: Instant,
    /// Bytes of the connection without those that were sent to it as a player.
    pub traffic: Traffic,
}

/// Observer of sessions.
pub trait SessionObserver: Send + Sync {
    /// Called when a client asks for a stream, before it is admitted. The result is dropped when the session ends.
    fn entered(&self, _: OnStream<'_>) -> Option<Running> {
        None
    }

    /// Called when an RTMP connection has ended that had connected to an application.
    fn disconnected(&self, _: EndedClient<'_>) {}

    /// Called when a player was admitted. The result is dropped when the player leaves.
    fn playing(&self, _: OnStream<'_>) -> Option<Running> {
        None
    }

    /// Called when a client publishes. The result is dropped when the client leaves.
    fn publishing(self: Arc<Self>, _: OnStream<'_>) -> Option<Box<dyn PublishObserver>> {
        None
    }
}

/// Observer of a publishing client.
pub trait PublishObserver: Send + Sync {
    /// Called for each batch of media.
    fn batch_ingested(&mut self, summary: BatchSummary);
}

/// Summary of a batch. Messages that [`super::ingest`] drops, such as metadata with `meta off`, are not in it; those that it
/// holds back, because the publisher stands by or is paused, are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// Whether it contained audio or video.
    pub media: bool,
    /// Number of audio headers.
    pub audio_headers: usize,
    /// Number of video headers.
    pub video_headers: usize,
    /// Number of video frames.
    pub video_frames: usize,
    /// Payload bytes.
    pub bytes: usize,
}

/// Rule about sessions, besides callbacks and access rules.
pub trait AdmissionRule: Send + Sync {
    /// Whether a publish or play request is refused before anything else happens, as if the server had not received it. The
    /// rule logs why.
    fn refuses(&self, _: &Session) -> bool {
        false
    }

    /// Called when callbacks and access rules admit a session. The result is dropped when the session ends.
    ///
    /// # Errors
    ///
    /// The rule refuses the session, and has logged why.
    fn admit(&self, _: OnStream<'_>) -> Result<Option<Running>, Reason> {
        Ok(None)
    }
}

/// Rule about streams that binds what shows them without a session too, such as pictures.
pub trait StreamRule: Send + Sync {
    /// Whether nothing of the stream may be shown.
    fn forbids(&self, key: &StreamKey) -> bool;
}

/// Source of streams that have players and no publisher.
pub trait Source: Send + Sync {
    /// Whether it brings a stream of an application when no client publishes it.
    fn brings(&self, view: &AppView, key: &StreamKey) -> bool;

    /// Called when a player was admitted.
    fn demand(self: Arc<Self>, player: OnStream<'_>) -> Box<dyn Demand>;

    /// Chain of streams through which the media of this stream number comes from the source.
    fn way(&self, stream: u64) -> Bytes;
}

/// A player's demand for a stream; withdrawn when dropped.
pub trait Demand: Send + Sync {
    /// Waits until no answer to a callback can refuse the player.
    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Watches the chain of streams through which the media comes.
    fn way(&self) -> watch::Receiver<Bytes>;
}

/// Names of streams in more than this process.
pub trait StreamNames: Send + Sync {
    /// Claims the name of an admitted publisher. The result is dropped when the publisher has left; `None` if another server has
    /// the name.
    fn claim(
        self: Arc<Self>,
        publisher: OnStream<'_>,
    ) -> Pin<Box<dyn Future<Output = Option<Running>> + Send>>;
}

/// Servers that publish streams, for applications that pull from them.
pub trait Origins: Send + Sync {
    /// Where to pull a stream from; `None` if it is not known, or the application does not pull from such servers.
    fn origin(&self, view: &AppView, key: &StreamKey) -> Option<StreamOrigin>;

    /// Called when media of such a server come. The result is dropped when they end.
    fn pulled(self: Arc<Self>, view: &AppView, key: &StreamKey, epoch: u64) -> Running;

    /// Watches changes of what is known.
    fn watch(&self) -> watch::Receiver<u64>;
}

/// Where to pull a stream from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamOrigin {
    /// Addresses of servers that have it, the preferred ones first.
    pub addresses: Vec<BString>,
    /// Number of the claim of the stream: a later claim has a higher one.
    pub epoch: u64,
}
