//! Responses that are written to a zone while they are sent.
//!
//! A task of the worker takes the body from the backend and writes it to a temporary file; the client gets it from there. When the
//! body is complete, the file gets its name, and only then the client gets the last bytes: what asks next finds the file. Where
//! the file cannot be written, or becomes too long, the client gets the rest as it comes, and nothing is kept.

use std::future::poll_fn;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::super::head::ResponseHead;
use super::format::{self, Meta};
use super::zone::Claim;
use crate::http::core::temp_path::TempPath;
use crate::http::response::{Body, BodySource, BrokenBody, FilePart, Piece};
use crate::http::temp_file::{Keeping, TempFile, TempFileError};
use crate::limits;
use crate::task::disk::{self, DiskWork};

/// What is written.
pub(in super::super) struct Filling {
    pub(in super::super) claim: Claim,
    pub(in super::super) meta: Meta,
    pub(in super::super) head: ResponseHead,
    /// Directory of temporary files.
    pub(in super::super) temp_path: TempPath,
    /// Done at the end.
    pub(in super::super) done: Box<dyn FnOnce() + Send>,
}

/// What the task and the client share.
#[derive(Default)]
struct Shared {
    /// The file, and the offset of the body in it.
    file: Option<(Arc<std::fs::File>, u64)>,
    /// Bytes of the body in the file.
    written: u64,
    /// The latest of them, or what is not in the file: offset and bytes.
    latest: Option<(u64, Bytes)>,
    /// Bytes that the client has.
    taken: u64,
    /// The end: complete, or broken.
    end: Option<Option<BrokenBody>>,
    is_client_gone: bool,
    /// Whether the response is refused, so that it is not kept.
    is_refused: bool,
    client: Option<Waker>,
    task: Option<Waker>,
}

/// The body as the client gets it.
struct FilledBody {
    shared: Arc<Mutex<Shared>>,
    length: Option<u64>,
    _temporary: Arc<Mutex<Option<TempFile>>>,
}

/// Keeps a response while its body is sent. One that is too long to be kept is only sent.
pub(in super::super) fn keep(filling: Filling, body: &mut Body) {
    let is_too_long = body.length().is_some_and(|length| length > filling.claim.zone().longest());
    if is_too_long || format::length(&filling.meta, &format::head(&filling.head)) > limits::PROXY_CACHE_HEAD {
        return;
    }
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let temporary: Arc<Mutex<Option<TempFile>>> = Arc::default();
    let source = std::mem::take(body);
    let length = source.length();
    tokio::spawn(run(filling, source, shared.clone(), temporary.clone()));
    *body = Body::Source(Box::new(FilledBody { shared, length, _temporary: temporary }));
}

/// Keeps a response without a body.
pub(in super::super) async fn keep_empty(filling: Filling) {
    run(filling, Body::default(), Arc::default(), Arc::default()).await;
}

/// Does something when it is dropped.
struct AtEnd(Option<Box<dyn FnOnce() + Send>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done();
        }
    }
}

/// What was gathered of a body.
enum Gathered {
    More,
    End,
    Broken(BrokenBody),
}

/// Takes what the backend has sent, some bytes at least unless it is the end.
async fn gather(body: &mut Body, bytes: &mut BytesMut) -> Gathered {
    poll_fn(|cx| {
        while bytes.len() < limits::PROXY_CACHE_WRITE {
            match body.poll_piece(cx) {
                Poll::Ready(Some(Ok(Piece::Memory(piece)))) => bytes.extend_from_slice(&piece),
                Poll::Ready(Some(Ok(Piece::File(_)))) => {}
                Poll::Ready(Some(Err(error))) => {
                    let broken = error.get_ref().and_then(|cause| cause.downcast_ref::<BrokenBody>());
                    let other = || BrokenBody {
                        text: error.to_string(),
                        doing: None,
                        is_sent: false,
                        counts_as_complete: false,
                    };
                    return Poll::Ready(Gathered::Broken(broken.cloned().unwrap_or_else(other)));
                }
                Poll::Ready(None) => return Poll::Ready(Gathered::End),
                Poll::Pending if bytes.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Gathered::More),
            }
        }
        Poll::Ready(Gathered::More)
    })
    .await
}

async fn run(
    filling: Filling,
    mut body: Body,
    shared: Arc<Mutex<Shared>>,
    temporary: Arc<Mutex<Option<TempFile>>>,
) {
    let Filling { claim, mut meta, head, temp_path, done } = filling;
    let _done = AtEnd(Some(done));
    let zone = claim.zone().clone();
    let encoded_head = format::head(&head);
    let start = format::length(&meta, &encoded_head) as u64;
    let longest = zone.longest();
    // Gone once the response is not kept.
    let mut claim = Some(claim);
    let mut file: Option<TempFile> = None;
    let mut written: u64 = 0;
    loop {
        let mut bytes = BytesMut::new();
        let gathered = gather(&mut body, &mut bytes).await;
        let bytes = bytes.freeze();
        let offset = written;
        written += bytes.len() as u64;
        if let Gathered::Broken(_) = gathered {
            // What is not complete is not kept. The client gets what came, or not, as without a cache.
            claim = None;
        }
        if claim.is_some() && (written > longest || shared.lock().is_refused) {
            claim = None;
        }
        if claim.is_some() {
            let write = write(file.take(), &temp_path, start, offset, bytes.clone()).await;
            match write {
                Ok(opened) => {
                    shared.lock().file = Some((opened.file().clone(), start));
                    file = Some(opened);
                }
                Err(error) => {
                    zone.failed(error.call, &error.path, &error.source);
                    claim = None;
                }
            }
        }
        let mut is_named = false;
        if let (Gathered::End, Some(claim), Some(file)) =
            (&gathered, claim.take_if(|_| matches!(gathered, Gathered::End)), &file)
        {
            meta.body = written;
            let (path, opened) = (file.path.clone(), file.file().clone());
            let (meta, head, encoded) = (meta.clone(), head.clone(), encoded_head.clone());
            let client = shared.clone();
            let done = disk::spawn(DiskWork::Cache, move || {
                let Some(bytes) = format::encode(&meta, &encoded) else { return false };
                match opened.write_all_at(&bytes, 0) {
                    Ok(()) if client.lock().is_refused => false,
                    Ok(()) => claim.fill(&path, opened, meta, head, start),
                    Err(error) => {
                        claim.zone().failed("pwrite", &path, &error);
                        false
                    }
                }
            });
            is_named = done.await.unwrap_or(false);
        }
        if let Some(mut kept) = file.take_if(|_| claim.is_none()) {
            if matches!(gathered, Gathered::End) && is_named {
                kept.moved();
            }
            // The client may still read it.
            *temporary.lock() = Some(kept);
        }
        let is_in_file = claim.is_some();
        {
            let mut shared = shared.lock();
            if is_in_file {
                shared.written = written;
            }
            shared.latest = Some((offset, bytes));
            match gathered {
                Gathered::More => {}
                Gathered::End => shared.end = Some(None),
                Gathered::Broken(broken) => shared.end = Some(Some(broken)),
            }
            if let Some(waker) = shared.client.take() {
                waker.wake();
            }
            if shared.end.is_some() {
                return;
            }
        }
        if !is_in_file && !taken(&shared, written).await {
            return;
        }
    }
}

/// Waits until the client has taken everything; `false` if it is gone.
async fn taken(shared: &Mutex<Shared>, all: u64) -> bool {
    poll_fn(|cx| {
        let mut shared = shared.lock();
        if shared.is_client_gone {
            return Poll::Ready(false);
        }
        if shared.taken >= all {
            return Poll::Ready(true);
        }
        shared.task = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// Writes a part of the body; into a new file, if there is none yet.
async fn write(
    file: Option<TempFile>,
    place: &TempPath,
    start: u64,
    offset: u64,
    bytes: Bytes,
) -> Result<TempFile, TempFileError> {
    let mut file = match file {
        Some(file) => file,
        None => TempFile::create(place, Keeping::UntilEnd).await?,
    };
    file.length = start + offset;
    if bytes.is_empty() { Ok(file) } else { file.append(bytes).await }
}

impl BodySource for FilledBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        let mut shared = self.shared.lock();
        let taken = shared.taken;
        let latest = shared.latest.as_ref().filter(|(offset, bytes)| *offset == taken && !bytes.is_empty());
        let piece = match latest {
            Some((_, bytes)) => Some(Piece::Memory(bytes.clone())),
            None => {
                let length = shared.written.max(shared.latest.as_ref().map_or(0, |(offset, _)| *offset));
                let length = length.saturating_sub(taken);
                let file = shared.file.as_ref().filter(|_| length > 0);
                file.map(|(file, start)| {
                    Piece::File(FilePart { file: file.clone(), start: start + taken, length })
                })
            }
        };
        if let Some(piece) = piece {
            shared.taken += piece.length();
            if let Some(waker) = shared.task.take() {
                waker.wake();
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match &shared.end {
            Some(None) => Poll::Ready(None),
            Some(Some(broken)) => Poll::Ready(Some(Err(broken.clone().into()))),
            None => {
                shared.client = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn keep_nothing(&mut self) {
        self.shared.lock().is_refused = true;
    }
}

impl Drop for FilledBody {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        shared.is_client_gone = true;
        if let Some(waker) = shared.task.take() {
            waker.wake();
        }
    }
}
