//! Reads recorded parts in a format for players.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::RecordingDirectory;
use super::catalogue::{find, find_behind, open_file};
use super::entry::{RecordedFile, RecordedPart};
use super::format::PartFormat;
use super::log;
use super::range::TimeRange;
use crate::limits;
use crate::media::session::Session;
use crate::task::disk::{self, DiskWork};

/// Where recordings are, and which.
#[derive(Clone)]
pub(super) struct RecordedRange {
    pub(super) place: RecordingDirectory,
    pub(super) root: PathBuf,
    pub(super) range: TimeRange,
}

/// Reads parts in the order of time; more may be added while the stream is recorded.
pub(super) struct RecordingReader<F> {
    recorded: RecordedRange,
    session: Arc<Session>,
    /// `None` while it converts on another thread, and for good if that was given up.
    format: Option<F>,
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

impl<F: PartFormat> RecordingReader<F> {
    pub(super) fn new(
        recorded: RecordedRange,
        session: Arc<Session>,
        parts: Vec<RecordedPart>,
        format: F,
    ) -> Self {
        RecordingReader {
            recorded,
            session,
            format: Some(format),
            parts: parts.into(),
            at: None,
            file: None,
            last: None,
            is_broken: false,
            complained: false,
        }
    }

    /// The next media; `None` when all parts that are known were read. Parts whose files have been removed are left out.
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
            Ok(media) => {
                self.at = Some(at + length);
                Ok(Some(media))
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
        let work = disk::spawn(DiskWork::Served, move || {
            let RecordedRange { place, root, range } = &recorded;
            match &last {
                Some(last) => find_behind(place, root, last, range.to_ms),
                None => find(place, root, *range),
            }
        });
        self.parts.extend(work.await.map_err(io::Error::other)??.parts);
        Ok(!self.parts.is_empty())
    }

    /// Converts what the parts read so far end with; what follows does not continue them.
    pub(super) fn end_run(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(format) = &mut self.format {
            format.end_run(&mut out);
        }
        out.freeze()
    }

    /// Converts what the parts read so far end with.
    pub(super) fn flush(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(format) = &mut self.format {
            format.flush(&mut out);
        }
        out.freeze()
    }

    /// The latest part, if the media ends with it.
    pub(super) fn last(&self) -> Option<&RecordedPart> {
        self.last.as_ref().filter(|_| !self.is_broken)
    }

    /// The format, which knows where the media ends.
    pub(super) fn format(&self) -> Option<&F> {
        self.format.as_ref()
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
        let Some(mut format) = self.format.take() else {
            return Err(io::Error::other("a conversion was given up"));
        };
        let converted = disk::spawn(DiskWork::Served, move || {
            let mut out = BytesMut::new();
            format.push(&bytes, &mut out);
            (format, out)
        });
        let (format, out) = converted.await.map_err(io::Error::other)?;
        self.format = Some(format);
        Ok(out.freeze())
    }
}
