//! One recorder of one publish: assigns packets to files. Runs on blocking threads.
//!
//! ```text
//! closed --key frame--> open --end, `record off`, limit--> closed
//!   ^                    |
//!   +------- wait -------+ a failure; the same file is gone on with, not begun anew
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::conf::RecordParts;
use super::flv_file::{FlvFile, StreamFacts};
use super::{PacketSelection, RecorderSettings, SelectionStep, file_path};
use crate::hub::headers::Headers;
use crate::hub::origin::StreamOrigin;
use crate::hub::packet::Packet;
use crate::limits;
use crate::media::files::Retry;
use crate::media::files::claims::FileClaims;
use crate::media::files::{WriteError, failed};
use crate::wire::MediaKind;

/// Events of a recorder.
pub(crate) enum RecorderEvent {
    /// A file was created or continued.
    Opened(Arc<RecorderSettings>, PathBuf),
    /// A file is complete.
    Closed(Arc<RecorderSettings>, PathBuf),
    /// An operation failed. The flag tells whether recording is suspended for a while.
    Failed(Arc<RecorderSettings>, WriteError, bool),
}

/// A recorder; see the module's documentation.
pub(crate) struct Recorder {
    conf: Arc<RecorderSettings>,
    stream: Vec<u8>,
    places: Arc<FileClaims>,
    /// Whether the stream has audio and video, as far as known.
    tracks: (bool, bool),
    selection: PacketSelection,
    open: Option<OpenFile>,
    /// State requested by control requests.
    asked: Option<bool>,
    /// The preceding file, which must not be overwritten by accident.
    before: Option<(PathBuf, FileEnd)>,
    retry_at: Option<Instant>,
    retry: Retry,
}

struct OpenFile {
    flv: FlvFile,
    since: Instant,
    /// End of the preceding file in milliseconds, where timestamps continue.
    start: u32,
    origin: StreamOrigin,
    /// Packets held until the origin of time is known.
    held: Option<Vec<Arc<Packet>>>,
    frames: u64,
    has_video: bool,
}

/// Reason for the end of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileEnd {
    /// `record_interval`, or the end of a recording: the next recording may overwrite the file, as in PingOS.
    Complete,
    /// A limit: the file is kept, and the next one requires another name.
    Limit,
    /// A failure: the next attempt continues the file.
    Failure,
}

impl Recorder {
    pub(crate) fn new(conf: Arc<RecorderSettings>, stream: &[u8], places: &Arc<FileClaims>) -> Self {
        Recorder {
            conf,
            stream: stream.to_vec(),
            places: places.clone(),
            tracks: (true, true),
            selection: PacketSelection::default(),
            open: None,
            asked: None,
            before: None,
            retry_at: None,
            retry: Retry::default(),
        }
    }

    /// Its settings.
    pub(crate) fn conf(&self) -> &Arc<RecorderSettings> {
        &self.conf
    }

    /// Sets other settings. Settings about file names apply to the next file; if nothing is to be written any more, the
    /// file ends.
    pub(crate) fn configure(&mut self, conf: &Arc<RecorderSettings>, news: &mut Vec<RecorderEvent>) {
        self.conf = conf.clone();
        if !self.is_wanted() {
            self.close(FileEnd::Complete, news);
        }
    }

    /// Whether anything is to be written.
    fn is_wanted(&self) -> bool {
        let parts = self.conf.conf.parts.0.unwrap_or_default();
        let any = [RecordParts::AUDIO, RecordParts::VIDEO, RecordParts::KEYFRAMES];
        self.asked.unwrap_or(!parts.contains(RecordParts::MANUAL))
            && any.into_iter().any(|part| parts.contains(part))
    }

    /// Starts or stops it for a control request.
    pub(crate) fn ask(&mut self, on: bool, news: &mut Vec<RecorderEvent>) {
        self.asked = Some(on);
        if !on {
            self.close(FileEnd::Complete, news);
        }
    }

    /// Sets whether the stream has audio and video.
    pub(crate) fn learn(&mut self, tracks: (bool, bool)) {
        self.tracks = tracks;
    }

    /// Records that packets were lost.
    pub(crate) fn lost(&mut self) {
        self.selection.lost();
    }

    /// Processes the next packet. `headers` are the headers in force.
    pub(crate) fn handle(
        &mut self,
        packet: &Arc<Packet>,
        headers: &Headers,
        now: Instant,
        news: &mut Vec<RecorderEvent>,
    ) {
        let parts = self.conf.conf.parts.0.unwrap_or_default();
        let step = self.selection.step(parts, packet.class(), packet.timestamp());
        if step == SelectionStep::Skip || !self.is_wanted() {
            return;
        }
        let is_first = self.open.is_none() && self.before.is_none();
        if step == SelectionStep::Begin || step == SelectionStep::BeginFirst && is_first {
            self.turn(headers, now, news);
        }
        let Some(open) = &mut self.open else { return };
        let two = self.tracks == (true, true) && parts.contains(RecordParts::AUDIO) && wants_video(parts);
        if open.held.is_none() {
            return self.write(packet, news);
        }
        match open.hold(packet, headers, parts, two) {
            Ok(due) => due.iter().for_each(|packet| self.write(packet, news)),
            Err(error) => self.fail(error, news),
        }
    }

    fn write(&mut self, packet: &Packet, news: &mut Vec<RecorderEvent>) {
        let Some(open) = &mut self.open else { return };
        let written = open.write(packet);
        let conf = &self.conf.conf;
        match written {
            Err(error) => self.fail(error, news),
            Ok(()) if open.is_full(conf.max_size.0, conf.max_frames.0) => self.close(FileEnd::Limit, news),
            Ok(()) => {}
        }
    }

    /// Flushes written data to the system.
    pub(crate) fn flush(&mut self, news: &mut Vec<RecorderEvent>) {
        if let Some(Err(error)) = self.open.as_mut().map(|open| open.flv.flush()) {
            self.fail(error, news);
        }
    }

    /// Ends the recorder with the publish, or on its removal.
    pub(crate) fn finish(&mut self, news: &mut Vec<RecorderEvent>) {
        self.close(FileEnd::Complete, news);
    }

    /// Starts a file if one is due here.
    fn turn(&mut self, headers: &Headers, now: Instant, news: &mut Vec<RecorderEvent>) {
        if let Some(open) = &self.open {
            let interval = self.conf.conf.interval;
            if interval.is_none_or(|interval| now.duration_since(open.since) < interval.duration()) {
                return;
            }
            self.close(FileEnd::Complete, news);
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let path = file_path(&self.conf.conf, &self.stream, unix.cast_signed());
        let after = self.before.as_ref().filter(|(before, _)| *before == path).map(|(_, after)| *after);
        if after == Some(FileEnd::Limit) {
            return;
        }
        let append = self.conf.conf.append || after == Some(FileEnd::Failure);
        match self.begin(&path, append, headers, now, news) {
            Ok(open) => {
                self.open = Some(open);
                self.retry_at = None;
                news.push(RecorderEvent::Opened(self.conf.clone(), path));
            }
            Err(error) => self.fail(error, news),
        }
    }

    fn begin(
        &self,
        path: &Path,
        append: bool,
        headers: &Headers,
        now: Instant,
        news: &mut Vec<RecorderEvent>,
    ) -> Result<OpenFile, WriteError> {
        let in_use = || std::io::Error::other("another recorder writes it");
        let place = self.places.take_within(path, limits::RECORD_PLACE_WAIT);
        let place = place.ok_or_else(|| failed("open", path)(in_use()))?;
        let parts = self.conf.conf.parts.0.unwrap_or_default();
        let known = StreamFacts {
            published: headers.metadata().map(|packet| packet.payload()),
            audio: self.tracks.0 && parts.contains(RecordParts::AUDIO),
            video: self.tracks.1 && wants_video(parts),
        };
        let flv = match append {
            true => FlvFile::append(path, &known, place)?,
            false => FlvFile::create(path, &known, place)?,
        };
        if self.conf.conf.lock
            && let Err(error) = flv.lock()
        {
            news.push(RecorderEvent::Failed(self.conf.clone(), error, false));
        }
        let start = flv.end();
        let held = Some(Vec::new());
        Ok(OpenFile {
            flv,
            since: now,
            start,
            origin: StreamOrigin::default(),
            held,
            frames: 0,
            has_video: false,
        })
    }

    fn close(&mut self, after: FileEnd, news: &mut Vec<RecorderEvent>) {
        let due = self.open.as_mut().map(OpenFile::release).unwrap_or_default();
        due.iter().for_each(|packet| self.write(packet, news));
        let Some(open) = self.open.take() else { return };
        let path = open.flv.path().to_owned();
        self.before = Some((path.clone(), after));
        match open.flv.finish() {
            Ok(()) => {
                self.retry.succeeded();
                news.push(RecorderEvent::Closed(self.conf.clone(), path));
            }
            Err(error) => news.push(RecorderEvent::Failed(self.conf.clone(), error, true)),
        }
    }

    fn fail(&mut self, error: WriteError, news: &mut Vec<RecorderEvent>) {
        let lasted = self.open.as_ref().map(|open| open.since.elapsed());
        if let Some(open) = self.open.take() {
            self.before = Some((open.flv.path().to_owned(), FileEnd::Failure));
            open.flv.give_up();
        }
        self.retry_at = Instant::now().checked_add(self.retry.failed(lasted));
        news.push(RecorderEvent::Failed(self.conf.clone(), error, true));
    }
}

impl OpenFile {
    /// Holds packets until both tracks have begun, if there are `two`; returns the packets to be written now. The first
    /// packet is preceded by the headers.
    fn hold(
        &mut self,
        packet: &Arc<Packet>,
        headers: &Headers,
        parts: RecordParts,
        two: bool,
    ) -> Result<Vec<Arc<Packet>>, WriteError> {
        let held = self.held.get_or_insert_default();
        if held.is_empty() {
            for header in headers.iter() {
                let wanted = match header.kind() {
                    MediaKind::Audio => parts.contains(RecordParts::AUDIO),
                    MediaKind::Video => wants_video(parts),
                    MediaKind::Data => false,
                };
                if wanted {
                    self.flv.write_tag(header.kind(), self.start, header.payload())?;
                }
            }
        }
        held.push(packet.clone());
        let first = &held[0];
        let waits = packet.header().is_some() || packet.kind() == first.kind();
        let span = packet.timestamp().wrapping_sub(first.timestamp());
        let lasts = packet.lane() == first.lane() && span >= limits::RECORD_HELD_MS;
        if two && waits && !lasts && held.len() < limits::RECORD_HELD_PACKETS {
            return Ok(Vec::new());
        }
        Ok(self.release())
    }

    /// Sets the origin of time and returns the held packets.
    fn release(&mut self) -> Vec<Arc<Packet>> {
        let held = self.held.take().unwrap_or_default();
        self.origin.begin(held.iter().map(|packet| &**packet));
        held
    }

    fn write(&mut self, packet: &Packet) -> Result<(), WriteError> {
        // Beyond 32 bits, after 49 days, FLV timestamps start again.
        let at = self.start.wrapping_add(self.origin.place(packet).0);
        if packet.kind() == MediaKind::Video {
            self.has_video = true;
        }
        // Video frames count; in a recording without video, audio frames do.
        self.frames += u64::from((packet.kind() == MediaKind::Video) == self.has_video);
        self.flv.write_tag(packet.kind(), at, packet.payload())
    }

    fn is_full(&self, max_size: u64, max_frames: u64) -> bool {
        (max_size > 0 && self.flv.len() >= max_size) || (max_frames > 0 && self.frames >= max_frames)
    }
}

fn wants_video(parts: RecordParts) -> bool {
    parts.contains(RecordParts::VIDEO) || parts.contains(RecordParts::KEYFRAMES)
}
