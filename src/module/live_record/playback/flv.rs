//! Recordings as one FLV file, made while it is sent.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::entry::RecordedPart;
use super::reader::{RecordedRange, RecordingReader};
use crate::http::response::{BodySource, Piece};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::admission::AdmittedSession;
use crate::media::session::Session;
use crate::wire::flv::Remuxer;

/// Body of a response; the session lasts as long as it does.
pub(super) struct FlvBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    /// The lock makes the body shareable, and is never taken.
    _entered: Mutex<Box<AdmittedSession>>,
}

/// What is to be sent.
pub(super) struct FlvPlan {
    pub(super) recorded: RecordedRange,
    /// Parts that are known at the beginning.
    pub(super) parts: Vec<RecordedPart>,
    /// Whether parts are added while the stream is published.
    pub(super) follows: bool,
    pub(super) stream: Arc<Stream>,
    pub(super) session: Arc<Session>,
}

impl FlvBody {
    /// Starts to read, ahead of the client by at most [`limits::VOD_PIECES`] pieces.
    pub(super) fn start(plan: FlvPlan, entered: Box<AdmittedSession>) -> FlvBody {
        let (sender, pieces) = mpsc::channel(limits::VOD_PIECES);
        let session = plan.session.clone();
        let FlvPlan { recorded, parts, follows, stream, .. } = plan;
        let remuxer = Remuxer::new(limits::VOD_FRAME_BYTES);
        let reader = RecordingReader::new(recorded, session.clone(), parts, remuxer);
        let sending = FlvSending { reader, follows, stream, sender };
        tokio::spawn(async move {
            let sender = sending.sender.clone();
            let result = tokio::select! {
                result = sending.run() => result,
                reason = session.closed() => {
                    session.set_reason(reason);
                    Err(io::Error::other("the session was ended"))
                }
            };
            if let Err(error) = result {
                let _ = sender.send(Err(error)).await;
            }
        });
        FlvBody { pieces, _entered: Mutex::new(entered) }
    }
}

impl BodySource for FlvBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        self.pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Piece::Memory)))
    }

    fn length(&self) -> Option<u64> {
        None
    }
}

struct FlvSending {
    reader: RecordingReader<Remuxer>,
    follows: bool,
    stream: Arc<Stream>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl FlvSending {
    /// Runs until everything is sent or the client has gone.
    async fn run(mut self) -> io::Result<()> {
        loop {
            while let Some(tags) = self.reader.read().await? {
                if !tags.is_empty() && self.sender.send(Ok(tags)).await.is_err() {
                    return Ok(());
                }
            }
            // The last parts come when the publisher has left.
            let is_last = !self.follows || !self.stream.phase().publishing;
            let mut has_more = false;
            if self.follows {
                tokio::select! {
                    () = tokio::time::sleep(limits::VOD_FOLLOW_INTERVAL) => {}
                    () = self.sender.closed() => return Ok(()),
                }
                has_more = self.reader.look().await?;
            }
            if is_last && !has_more {
                let _ = self.sender.send(Ok(self.reader.end_run())).await;
                return Ok(());
            }
        }
    }
}
