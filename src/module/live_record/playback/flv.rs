//! Recordings as one FLV file, made while it is sent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::super::RecordingDirectory;
use super::catalogue::{find, open_file};
use super::entry::{RecordedFile, RecordedPart};
use super::range::TimeRange;
use crate::http::response::{BodySource, Piece};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::admission::AdmittedSession;
use crate::media::session::Session;
use crate::task::disk::{self, DiskWork};
use crate::wire::flv::Remuxer;

/// Body of a response; the session lasts as long as it does.
pub(super) struct FlvBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    /// The lock makes the body shareable, and is never taken.
    _entered: Mutex<Box<AdmittedSession>>,
}

/// What is to be sent.
pub(super) struct FlvPlan {
    pub(super) place: RecordingDirectory,
    pub(super) root: PathBuf,
    pub(super) range: TimeRange,
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
        let sending = FlvSending {
            plan,
            sender,
            remuxer: Remuxer::new(limits::VOD_FRAME_BYTES),
            file: None,
            last: None,
        };
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
    plan: FlvPlan,
    sender: mpsc::Sender<io::Result<Bytes>>,
    remuxer: Remuxer,
    /// The latest file.
    file: Option<(RecordedFile, Arc<File>)>,
    /// The latest part.
    last: Option<RecordedPart>,
}

impl FlvSending {
    /// Runs until everything is sent or the client has gone.
    async fn run(mut self) -> io::Result<()> {
        let mut parts = std::mem::take(&mut self.plan.parts);
        loop {
            for part in parts {
                if !self.part(part).await? {
                    return Ok(());
                }
            }
            // The last parts come when the publisher has left.
            let is_last = !self.plan.follows || !self.plan.stream.phase().publishing;
            parts = Vec::new();
            if self.plan.follows {
                tokio::select! {
                    () = tokio::time::sleep(limits::VOD_FOLLOW_INTERVAL) => {}
                    () = self.sender.closed() => return Ok(()),
                }
                parts = self.newer().await?;
            }
            if is_last && parts.is_empty() {
                let mut out = BytesMut::new();
                self.remuxer.end_run(&mut out);
                let _ = self.sender.send(Ok(out.freeze())).await;
                return Ok(());
            }
        }
    }

    /// Parts behind the latest one.
    async fn newer(&self) -> io::Result<Vec<RecordedPart>> {
        let FlvPlan { place, root, range, .. } = &self.plan;
        let (place, root, last) = (place.clone(), root.clone(), self.last.clone());
        let from_ms = last.as_ref().map_or(range.from_ms, |last| last.at_ms);
        let range = TimeRange { from_ms, ..*range };
        let work = disk::spawn(DiskWork::Served, move || find(&place, &root, range));
        let found = work.await.map_err(io::Error::other)??.parts;
        let is_newer = |part: &RecordedPart| {
            last.as_ref().is_none_or(|last| (&part.file, part.start) > (&last.file, last.start))
        };
        Ok(found.into_iter().filter(is_newer).collect())
    }

    /// Sends a part. Returns whether the client is still there.
    async fn part(&mut self, part: RecordedPart) -> io::Result<bool> {
        if self.last.as_ref().is_some_and(|last| !part.continues(last)) {
            let mut out = BytesMut::new();
            self.remuxer.end_run(&mut out);
            if self.sender.send(Ok(out.freeze())).await.is_err() {
                return Ok(false);
            }
        }
        let mut at = part.start;
        let end = part.start + part.length;
        while at < end {
            let length = (end - at).min(limits::VOD_READ_BYTES as u64);
            let pair = self.plan.place.pair_of(&self.plan.root, &part.file.day, part.file.unix);
            let known = self.file.take().filter(|(file, _)| *file == part.file).map(|(_, open)| open);
            let mut remuxer = std::mem::replace(&mut self.remuxer, Remuxer::new(0));
            let work = disk::spawn(DiskWork::Served, move || {
                let open = match known {
                    Some(open) => open,
                    None => Arc::new(open_file(&pair.file)?),
                };
                let mut bytes = vec![0; length as usize];
                open.read_exact_at(&mut bytes, at)?;
                let mut out = BytesMut::new();
                remuxer.push(&bytes, &mut out);
                Ok::<_, io::Error>((remuxer, open, out))
            });
            let (remuxer, open, out) = work.await.map_err(io::Error::other)??;
            (self.remuxer, self.file) = (remuxer, Some((part.file.clone(), open)));
            at += length;
            if !out.is_empty() && self.sender.send(Ok(out.freeze())).await.is_err() {
                return Ok(false);
            }
        }
        self.last = Some(part);
        Ok(true)
    }
}
