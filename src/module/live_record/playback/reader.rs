//! Reads recorded parts as tags of one FLV file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::RecordingDirectory;
use super::catalogue::{find, open_file};
use super::entry::{RecordedFile, RecordedPart};
use super::log;
use super::range::TimeRange;
use crate::limits;
use crate::media::session::Session;
use crate::task::disk::{self, DiskWork};
use crate::wire::flv::Remuxer;

/// Where recordings are, and which.
#[derive(Clone)]
pub(super) struct RecordedRange {
    pub(super) place: RecordingDirectory,
    pub(super) root: PathBuf,
    pub(super) range: TimeRange,
}

/// Reads parts in the order of time; more may be added while the stream is recorded.
pub(super) struct RecordingReader {
    recorded: RecordedRange,
    session: Arc<Session>,
    remuxer: Remuxer,
    /// Parts to be read.
    parts: VecDeque<RecordedPart>,
    /// Offset in the file of what is next of the first of `parts`.
    at: Option<u64>,
    /// The latest file.
    file: Option<(RecordedFile, Arc<File>)>,
    /// The latest part that was read or skipped.
    last: Option<RecordedPart>,
    /// Whether the latest part was skipped, so that the next one does not continue it.
    is_broken: bool,
    /// Whether a missing file was logged.
    complained: bool,
}

impl RecordingReader {
    pub(super) fn new(
        recorded: RecordedRange,
        session: Arc<Session>,
        parts: Vec<RecordedPart>,
        remuxer: Remuxer,
    ) -> Self {
        RecordingReader {
            recorded,
            session,
            remuxer,
            parts: parts.into(),
            at: None,
            file: None,
            last: None,
            is_broken: false,
            complained: false,
        }
    }

    /// The next tags; `None` when all parts that are known were read. Parts whose files have been removed are left out.
    pub(super) async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let Some(part) = self.parts.front().cloned() else { return Ok(None) };
        let Some(at) = self.at else {
            self.at = Some(part.start);
            let continues = |last: &RecordedPart| !self.is_broken && part.continues(last);
            let joins = self.last.as_ref().is_none_or(continues);
            self.is_broken = false;
            return Ok(Some(if joins { Bytes::new() } else { self.end_run() }));
        };
        let end = part.start + part.length;
        if at >= end {
            self.is_read();
            return Ok(Some(Bytes::new()));
        }
        let length = (end - at).min(limits::VOD_READ_BYTES as u64);
        match self.convert(&part, at, length).await {
            Ok(tags) => {
                self.at = Some(at + length);
                Ok(Some(tags))
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
                if !std::mem::replace(&mut self.complained, true) {
                    log::removed(&self.session, &part.file);
                }
                self.is_broken = true;
                self.is_read();
                Ok(Some(Bytes::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for parts behind the latest one. Returns whether there are any.
    pub(super) async fn look(&mut self) -> io::Result<bool> {
        let (recorded, last) = (self.recorded.clone(), self.last.clone());
        let from_ms = last.as_ref().map_or(recorded.range.from_ms, |last| last.at_ms);
        let range = TimeRange { from_ms, ..recorded.range };
        let work = disk::spawn(DiskWork::Served, move || find(&recorded.place, &recorded.root, range));
        let found = work.await.map_err(io::Error::other)??.parts;
        let is_newer = |part: &RecordedPart| {
            last.as_ref().is_none_or(|last| (&part.file, part.start) > (&last.file, last.start))
        };
        self.parts.extend(found.into_iter().filter(is_newer));
        Ok(!self.parts.is_empty())
    }

    /// Converts what the parts read so far end with; what follows does not continue them.
    pub(super) fn end_run(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        self.remuxer.end_run(&mut out);
        out.freeze()
    }

    /// Converts what the parts read so far end with.
    pub(super) fn flush(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        self.remuxer.flush(&mut out);
        out.freeze()
    }

    /// The latest part, if the tags end with it.
    pub(super) fn last(&self) -> Option<&RecordedPart> {
        self.last.as_ref().filter(|_| !self.is_broken)
    }

    /// Times of the tags so far.
    pub(super) fn times(&self) -> &Remuxer {
        &self.remuxer
    }

    fn is_read(&mut self) {
        self.last = self.parts.pop_front();
        self.at = None;
    }

    async fn convert(&mut self, part: &RecordedPart, at: u64, length: u64) -> io::Result<Bytes> {
        let pair = self.recorded.place.pair_of(&self.recorded.root, &part.file.day, part.file.unix);
        let known = self.file.take().filter(|(file, _)| *file == part.file).map(|(_, open)| open);
        let opened = disk::spawn(DiskWork::Served, move || {
            let open = match known {
                Some(open) => open,
                None => Arc::new(open_file(&pair.file)?),
            };
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            open.read_exact_at(&mut bytes, at)?;
            Ok::<_, io::Error>((open, bytes))
        });
        let (open, bytes) = opened.await.map_err(io::Error::other)??;
        self.file = Some((part.file.clone(), open));
        let mut remuxer = std::mem::replace(&mut self.remuxer, Remuxer::new(0));
        let converted = disk::spawn(DiskWork::Served, move || {
            let mut out = BytesMut::new();
            remuxer.push(&bytes, &mut out);
            (remuxer, out)
        });
        let (remuxer, out) = converted.await.map_err(io::Error::other)?;
        self.remuxer = remuxer;
        Ok(out.freeze())
    }
}
