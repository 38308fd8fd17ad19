//! Files of one recording: a transport stream and its index. Runs on blocking threads.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::conf::Current;
use super::{FilePair, IndexWriter, RecordingDirectory};
use crate::limits;
use crate::media::files::Retry;
use crate::media::files::{WriteError, create, failed};
use crate::notify::request::RecordFields;
use crate::task::clock::unix_ms;
use crate::task::disk;
use crate::wire::mpegts::{TABLES_SIZE, TsFrame};

/// Events of a recording. The fields are those of callbacks.
pub(crate) enum TsRecordingEvent {
    /// A file was created, with this begin in its name, in seconds since 1970.
    Opened(RecordFields, u64),
    /// A file is complete, and another one follows.
    Turned(RecordFields),
    /// A file is complete.
    Closed(RecordFields),
    /// A write failed.
    Failed(WriteError),
}

/// Files of one recording; see the module's documentation.
pub(crate) struct TsFiles {
    place: RecordingDirectory,
    open: Option<OpenTsFile>,
    /// Time of the next attempt after a failure, in milliseconds since 1970.
    retry_ms: Option<u64>,
    retry: Retry,
    /// Whether pieces were lost, so that writing resumes with a key frame.
    needs_key: bool,
}

struct OpenTsFile {
    pair: FilePair,
    out: BufWriter<File>,
    list: File,
    index: IndexWriter,
    begin_ms: u64,
    /// Begin in the name, in seconds since 1970.
    unix: u64,
}

impl TsFiles {
    pub(crate) fn new(place: RecordingDirectory) -> Self {
        TsFiles { place, open: None, retry_ms: None, retry: Retry::default(), needs_key: false }
    }

    /// Records that pieces were lost.
    pub(crate) fn lost(&mut self) {
        self.needs_key = true;
    }

    /// Writes pieces in order.
    pub(crate) fn write(&mut self, conf: &Current, frames: &[TsFrame], news: &mut Vec<TsRecordingEvent>) {
        for frame in frames {
            if let Err(error) = self.piece(conf, frame, news) {
                self.fail(error, news);
            }
        }
    }

    /// Completes the recording.
    pub(crate) fn finish(&mut self, news: &mut Vec<TsRecordingEvent>) {
        match self.close() {
            Ok(Some(fields)) => news.push(TsRecordingEvent::Closed(fields)),
            Ok(None) => {}
            Err(error) => self.fail(error, news),
        }
    }

    fn piece(
        &mut self,
        conf: &Current,
        frame: &TsFrame,
        news: &mut Vec<TsRecordingEvent>,
    ) -> Result<(), WriteError> {
        if self.needs_key && !frame.key {
            return Ok(());
        }
        let now_ms = unix_ms();
        let interval = conf.interval.0.max(1);
        if frame.key {
            self.needs_key = false;
            let ends = |open: &OpenTsFile| open.begin_ms / interval != now_ms / interval;
            if self.open.as_ref().is_some_and(ends) {
                let fields = self.close()?;
                news.extend(fields.map(TsRecordingEvent::Turned));
            }
            if self.open.is_none() && self.retry_ms.is_none_or(|at| now_ms >= at) {
                let open = OpenTsFile::create(&self.place, conf, frame, now_ms)?;
                news.push(TsRecordingEvent::Opened(open.fields(), open.unix));
                self.open = Some(open);
                self.retry_ms = None;
            }
        }
        match &mut self.open {
            Some(open) => open.write(conf, frame),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<Option<RecordFields>, WriteError> {
        match self.open.take() {
            Some(open) => {
                let fields = open.finish()?;
                self.retry.succeeded();
                Ok(Some(fields))
            }
            None => Ok(None),
        }
    }

    fn fail(&mut self, error: WriteError, news: &mut Vec<TsRecordingEvent>) {
        let now_ms = unix_ms();
        let lasted =
            self.open.as_ref().map(|open| Duration::from_millis(now_ms.saturating_sub(open.begin_ms)));
        self.retry_ms = Some(now_ms.saturating_add(self.retry.failed(lasted).as_millis() as u64));
        news.push(TsRecordingEvent::Failed(error));
        if let Some(open) = self.open.take() {
            // The partial file may be useful: its end is reported, and no other file is started for a while. A file to
            // which nothing could be written is removed.
            let (fields, pair, file) = (open.fields(), open.pair.clone(), open.out.get_ref().try_clone());
            let _ = open.finish();
            if disk::remove_if_empty(&pair.file, file) {
                let _ = std::fs::remove_file(&pair.index);
            } else {
                news.push(TsRecordingEvent::Closed(fields));
            }
        }
    }
}

impl OpenTsFile {
    fn create(
        place: &RecordingDirectory,
        conf: &Current,
        frame: &TsFrame,
        now_ms: u64,
    ) -> Result<OpenTsFile, WriteError> {
        let root = std::path::absolute(&conf.path.0).unwrap_or_else(|_| conf.path.0.clone());
        let mut unix = (now_ms / 1000).cast_signed();
        // The preceding publish may have created a file in the same second.
        let mut pair = place.pair(&root, unix);
        for _ in 0..SECONDS_TRIED {
            if !pair.file.exists() {
                break;
            }
            unix += 1;
            pair = place.pair(&root, unix);
        }
        let capacity = usize::try_from(conf.buffer.0).unwrap_or(usize::MAX);
        let capacity = capacity.clamp(TABLES_SIZE, limits::RECORD_BUFFER);
        let mut out = BufWriter::with_capacity(capacity, create(&pair.file)?);
        let index = create(&pair.index).and_then(|_| {
            disk::open(OpenOptions::new().append(true), &pair.index, true)
                .map_err(failed("open", &pair.index))
        });
        let list = index.inspect_err(|_| drop(std::fs::remove_file(&pair.file)))?;
        out.write_all(&frame.tables).map_err(failed("write", &pair.file))?;
        let index = IndexWriter::new(frame.tables.len() as u64);
        let unix = u64::try_from(unix).unwrap_or(0);
        Ok(OpenTsFile { pair, out, list, index, begin_ms: now_ms, unix })
    }

    fn write(&mut self, conf: &Current, frame: &TsFrame) -> Result<(), WriteError> {
        // The tables before the first piece are already written and belong to no entry.
        let first = self.index.is_empty();
        let skipped = if first && frame.starts_with_tables { frame.tables.len() } else { 0 };
        let bytes = frame.bytes.get(skipped..).unwrap_or_default();
        let (min, max) = (conf.min_fragment.0, conf.max_fragment.0);
        if let Some(entry) = self.index.piece(frame, bytes.len() as u64, min, max) {
            self.list(&entry.line(&self.pair.uri))?;
        }
        self.out.write_all(bytes).map_err(failed("write", &self.pair.file))
    }

    /// Appends a line to the index; the bytes that it refers to are already in the file.
    fn list(&mut self, line: &str) -> Result<(), WriteError> {
        self.out.flush().map_err(failed("write", &self.pair.file))?;
        if is_gone(self.out.get_ref()) {
            let gone = std::io::Error::new(ErrorKind::NotFound, "the file was removed");
            return Err(failed("write", &self.pair.file)(gone));
        }
        self.list.write_all(line.as_bytes()).map_err(failed("write", &self.pair.index))
    }

    fn finish(mut self) -> Result<RecordFields, WriteError> {
        match self.index.take() {
            Some(entry) => self.list(&entry.line(&self.pair.uri.clone()))?,
            None => self.out.flush().map_err(failed("write", &self.pair.file))?,
        }
        Ok(self.fields())
    }

    fn fields(&self) -> RecordFields {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        RecordFields {
            begin_ms: self.begin_ms,
            end_ms: unix_ms(),
            index: bytes(&self.pair.index),
            file: bytes(&self.pair.file),
        }
    }
}

fn is_gone(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// Number of names tried before an existing file is overwritten.
const SECONDS_TRIED: usize = 10;
