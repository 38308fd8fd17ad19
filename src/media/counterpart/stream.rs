//! A stream on its way from one process of an upgrade to the other: an FLV file over a Unix socket.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::message::{CounterpartRequest, KeyText};
use super::{Counterpart, Publisher};
use crate::hub::packet::Container;
use crate::hub::stream::Stream;
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::media::delivery::{Join, PlayerLink, Start};
use crate::media::player_settings::player_settings;
use crate::media::session::Session;
use crate::media::workers::Worker;
use crate::net::socket::Socket;
use crate::wire::flv;

/// A stream of a publisher of this process that the counterpart has asked for.
pub struct StreamToCounterpart {
    /// The publisher.
    pub publisher: Publisher,
    /// Its stream.
    pub stream: Arc<Stream>,
    /// Number of the delivery loop's player.
    pub session: u64,
}

impl Counterpart {
    /// Connects to the counterpart and asks for a stream.
    ///
    /// # Errors
    ///
    /// There is no counterpart, or it does not answer.
    pub async fn open(&self, key: &StreamKey) -> io::Result<Socket> {
        let request = CounterpartRequest::Stream { stream: KeyText::from(key) };
        Ok(Socket::from(self.ask(&request).await?))
    }

    /// Sends a request to the counterpart and returns its whole answer; `None` if there is no counterpart, or it does
    /// not answer within `patience`.
    pub async fn answer(&self, request: &CounterpartRequest, patience: Duration) -> Option<Vec<u8>> {
        let answered = async {
            let mut answer = Vec::new();
            let socket = self.ask(request).await?;
            socket.take(limits::CONTROL_ANSWER).read_to_end(&mut answer).await?;
            io::Result::Ok(answer)
        };
        timeout(patience, answered).await.ok()?.ok()
    }

    /// Connects to the counterpart and sends a request.
    ///
    /// # Errors
    ///
    /// There is no counterpart, or it does not answer.
    pub async fn ask(&self, request: &CounterpartRequest) -> io::Result<UnixStream> {
        let path = self.control().ok_or(io::ErrorKind::NotFound)?;
        ask(&path, request).await
    }
}

/// Connects to a control socket and sends a request of a counterpart.
///
/// # Errors
///
/// Errors of the system.
pub async fn ask(path: &Path, request: &CounterpartRequest) -> io::Result<UnixStream> {
    let mut socket = UnixStream::connect(path).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    socket.write_all(&line).await?;
    Ok(socket)
}

impl StreamToCounterpart {
    /// Sends the stream until its publisher leaves or either side ends. Runs on `worker`.
    pub async fn send(
        self,
        worker: &Worker,
        socket: Socket,
        counterpart: &Counterpart,
        shutdown: &CancellationToken,
    ) {
        let StreamToCounterpart { publisher: Publisher { view, session: publisher }, stream, session } = self;
        let (socket, link) = (Arc::new(socket), Arc::<PlayerLink>::default());
        let mut phase = stream.watch();
        let is_claimed = |publisher: &Session| {
            counterpart.publisher(stream.key()).is_some_and(|found| found.session.id == publisher.id)
        };
        // The counterpart asks as soon as it is told of the claim, so that it misses nothing. While the publisher stands by
        // behind a relay, the relay's media is sent, unless it comes from the counterpart itself.
        let waits = || stream.publisher().is_none() || counterpart.fetches(stream.key());
        let published = async {
            while waits() && is_claimed(&publisher) {
                let _ = timeout(limits::COUNTERPART_LOOK, phase.changed()).await;
            }
            phase.borrow_and_update().epoch
        };
        let Ok(epoch) = timeout(limits::COUNTERPART_PATIENCE, published).await else { return };
        if !is_claimed(&publisher) {
            return;
        }
        let mut lead = BytesMut::new();
        flv::write_header(&mut lead, true, true);
        worker.delivery.join(Join {
            session,
            stream: stream.clone(),
            socket: socket.clone(),
            settings: player_settings(&view, Container::Flv, 0, b""),
            start: Start::AsSet,
            lead: lead.freeze(),
            link: link.clone(),
            send_timeout: view.server().timeout.duration(),
            view,
        });
        tokio::select! {
            () = link.ended() => return,
            () = socket.hung_up() => worker.delivery.leave(stream.id(), &link),
            _ = phase.wait_for(|phase| !phase.publishing || phase.epoch != epoch) => {
                worker.delivery.finish(stream.id(), &link);
            }
            () = shutdown.cancelled() => worker.delivery.leave(stream.id(), &link),
        }
        link.ended().await;
    }
}
