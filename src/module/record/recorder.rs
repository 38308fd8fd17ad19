//! One recorder of one publish: assigns packets to files. Runs on blocking threads.
//!
//! ```text
//! closed --key frame--> open --end, `record off`, limit--> closed
//!   ^                    |
//!   +------- wait -------+ a failure; the same file or its next part is gone on with
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::conf::RecordParts;
use super::flv_file::{FlvFile, StreamFacts};
use super::format::RecordFormat;
use super::mp4_file::Mp4File;
use super::record_file::{FileRemark, RecordFile};
use super::ts_file::TsFile;
use super::{PacketSelection, RecorderSettings, SelectionStep, file_path};
use crate::hub::headers::Headers;
use crate::hub::origin::TimeOrigin;
use crate::hub::packet::{Packet, PacketClass};
use crate::limits;
use crate::media::files::Retry;
use crate::media::files::claims::FileClaims;
use crate::media::files::{WriteError, failed};
use crate::task::clock;
use crate::wire::MediaKind;
use crate::wire::mpegts::PackagerSettings;

/// Events of a recorder.
pub(crate) enum RecorderEvent {
    /// A file was created or continued.
    Opened(Arc<RecorderSettings>, PathBuf),
    /// A file is complete. The flag tells whether a failure ended it.
    Closed(Arc<RecorderSettings>, PathBuf, bool),
    /// A file had no media at its end and was removed.
    Empty(Arc<RecorderSettings>, PathBuf),
    /// A file differs from the stream. Each remark comes once.
    Remark(PathBuf, FileRemark),
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
    before: Option<FileBefore>,
    /// Audio before the first file while no video has come, which belongs to a recording without video.
    early: Vec<Arc<Packet>>,
    packager: PackagerSettings,
    /// Remarks that were passed on.
    remarks: Vec<FileRemark>,
    retry_at: Option<Instant>,
    retry: Retry,
}

/// A file that was ended.
struct FileBefore {
    name: FileName,
    end: FileEnd,
}

/// Name of a file.
#[derive(Clone)]
struct FileName {
    /// Path of the first part of a recording.
    first: PathBuf,
    /// Path of this part.
    path: PathBuf,
    /// Number of this part, from 1.
    part: u32,
    format: RecordFormat,
}

struct OpenFile {
    file: Box<dyn RecordFile>,
    name: FileName,
    since: Instant,
    /// End of the preceding file in milliseconds, where timestamps continue.
    start: u32,
    origin: TimeOrigin,
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
    /// A failure: the next attempt continues the file, or begins its next part.
    Failure,
    /// Another configuration of the stream: the next part of the recording follows.
    Change,
}

impl Recorder {
    /// `packager` is for recordings as MPEG-TS, and for what is common to all formats.
    pub(crate) fn new(
        conf: Arc<RecorderSettings>,
        stream: &[u8],
        places: &Arc<FileClaims>,
        packager: PackagerSettings,
    ) -> Self {
        Recorder {
            conf,
            stream: stream.to_vec(),
            places: places.clone(),
            tracks: (true, true),
            selection: PacketSelection::default(),
            open: None,
            asked: None,
            before: None,
            early: Vec::new(),
            packager,
            remarks: Vec::new(),
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
            self.early.clear();
            return;
        }
        let is_first = self.open.is_none() && self.before.is_none();
        if step == SelectionStep::Begin || step == SelectionStep::BeginFirst && is_first {
            self.turn(headers, now, news);
        }
        if packet.class() != PacketClass::Audio {
            // Headers are written with the first packet. A recording with video begins without early audio.
            if packet.kind() == MediaKind::Video {
                self.early.clear();
            }
        } else if self.open.is_none() && is_first {
            if self.early.len() < limits::RECORD_EARLY_PACKETS {
                self.early.push(packet.clone());
            }
        } else {
            for packet in std::mem::take(&mut self.early) {
                self.take(&packet, headers, parts, news);
            }
        }
        self.take(packet, headers, parts, news);
    }

    /// Writes a packet of the open file, if any, or holds it.
    fn take(
        &mut self,
        packet: &Arc<Packet>,
        headers: &Headers,
        parts: RecordParts,
        news: &mut Vec<RecorderEvent>,
    ) {
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
        for remark in open.file.take_remarks() {
            if !self.remarks.contains(&remark) && self.remarks.len() < REMARKS {
                self.remarks.push(remark);
                news.push(RecorderEvent::Remark(open.name.path.clone(), remark));
            }
        }
        let conf = &self.conf.conf;
        match written {
            Err(error) => self.fail(error, news),
            Ok(()) if open.is_full(conf.max_size.0, conf.max_frames.0) => self.close(FileEnd::Limit, news),
            Ok(()) => {}
        }
    }

    /// Flushes written data to the system.
    pub(crate) fn flush(&mut self, news: &mut Vec<RecorderEvent>) {
        if let Some(Err(error)) = self.open.as_mut().map(|open| open.file.flush()) {
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
            let is_due =
                interval.is_some_and(|interval| now.duration_since(open.since) >= interval.duration());
            let end = match (is_due, open.file.is_outdated()) {
                (true, _) => FileEnd::Complete,
                (false, true) => FileEnd::Change,
                (false, false) => return,
            };
            self.close(end, news);
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let conf = &self.conf.conf;
        let unix = clock::since_1970().as_secs().cast_signed();
        let name = |part| FileName {
            first: file_path(conf, &self.stream, unix, 1),
            path: file_path(conf, &self.stream, unix, part),
            part,
            format: conf.format,
        };
        let mut chosen = name(1);
        let mut append = conf.append;
        if let Some(before) = self.before.as_ref().filter(|before| before.name.first == chosen.first) {
            let appends = conf.format.appends() && before.name.format.appends();
            match before.end {
                FileEnd::Limit => return,
                FileEnd::Failure if appends => (chosen, append) = (before.name.clone(), true),
                FileEnd::Failure | FileEnd::Change => chosen = name(before.name.part.saturating_add(1)),
                FileEnd::Complete => {}
            }
        }
        match self.begin(&chosen, append, headers, now, news) {
            Ok(open) => {
                self.open = Some(open);
                self.retry_at = None;
                news.push(RecorderEvent::Opened(self.conf.clone(), chosen.path));
            }
            Err(error) => self.fail(error, news),
        }
    }

    fn begin(
        &self,
        name: &FileName,
        append: bool,
        headers: &Headers,
        now: Instant,
        news: &mut Vec<RecorderEvent>,
    ) -> Result<OpenFile, WriteError> {
        let path: &Path = &name.path;
        let in_use = || std::io::Error::other("another recorder writes it");
        let place = self.places.take_within(path, limits::RECORD_PLACE_WAIT);
        let place = place.ok_or_else(|| failed("open", path)(in_use()))?;
        let parts = self.conf.conf.parts.0.unwrap_or_default();
        let known = StreamFacts {
            published: headers.metadata().map(|packet| packet.payload()),
            audio: self.tracks.0 && parts.contains(RecordParts::AUDIO),
            video: self.tracks.1 && wants_video(parts),
        };
        let file: Box<dyn RecordFile> = match name.format {
            RecordFormat::Flv if append => Box::new(FlvFile::append(path, &known, place)?),
            RecordFormat::Flv => Box::new(FlvFile::create(path, &known, place)?),
            RecordFormat::Ts => Box::new(TsFile::create(path, self.packager, place)?),
            RecordFormat::Mp4 => Box::new(Mp4File::create(path, self.packager.hevc_codec_id, place)?),
        };
        if self.conf.conf.lock
            && let Err(error) = file.out().lock()
        {
            news.push(RecorderEvent::Failed(self.conf.clone(), error, false));
        }
        let start = file.start();
        let held = Some(Vec::new());
        Ok(OpenFile {
            file,
            name: name.clone(),
            since: now,
            start,
            origin: TimeOrigin::default(),
            held,
            frames: 0,
            has_video: false,
        })
    }

    fn close(&mut self, after: FileEnd, news: &mut Vec<RecorderEvent>) {
        let due = self.open.as_mut().map(OpenFile::release).unwrap_or_default();
        due.iter().for_each(|packet| self.write(packet, news));
        let Some(open) = self.open.take() else { return };
        let path = open.name.path.clone();
        self.before = Some(FileBefore { name: open.name, end: after });
        match open.file.finish() {
            Ok(stays) => {
                self.retry.succeeded();
                self.forget_part(stays);
                news.push(match stays {
                    true => RecorderEvent::Closed(self.conf.clone(), path, false),
                    false => RecorderEvent::Empty(self.conf.clone(), path),
                });
            }
            Err(error) => news.push(RecorderEvent::Failed(self.conf.clone(), error, true)),
        }
    }

    fn fail(&mut self, error: WriteError, news: &mut Vec<RecorderEvent>) {
        let lasted = self.open.as_ref().map(|open| open.since.elapsed());
        self.retry_at = Instant::now().checked_add(self.retry.failed(lasted));
        news.push(RecorderEvent::Failed(self.conf.clone(), error, true));
        if let Some(open) = self.open.take() {
            let path = open.name.path.clone();
            self.before = Some(FileBefore { name: open.name, end: FileEnd::Failure });
            // What was written up to here is a recording too.
            let stays = open.file.give_up();
            self.forget_part(stays);
            if stays {
                news.push(RecorderEvent::Closed(self.conf.clone(), path, true));
            }
        }
    }
}

impl Recorder {
    /// Gives the number of a part that was removed to the next one.
    fn forget_part(&mut self, stays: bool) {
        if let Some(before) = self.before.as_mut().filter(|_| !stays) {
            before.name.part = before.name.part.saturating_sub(1);
        }
    }
}

/// Number of different remarks that are passed on.
const REMARKS: usize = 16;

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
                    self.file.write(header, self.start)?;
                }
            }
        }
        held.push(packet.clone());
        let first = &held[0];
        let is_data = packet.kind() == MediaKind::Data;
        let waits = packet.header().is_some() || is_data || packet.kind() == first.kind();
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
        if !held.is_empty() {
            self.file.begin(&held);
        }
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
        let counted = if self.has_video { MediaKind::Video } else { MediaKind::Audio };
        self.frames += u64::from(packet.kind() == counted);
        self.file.write(packet, at)
    }

    fn is_full(&self, max_size: u64, max_frames: u64) -> bool {
        (max_size > 0 && self.file.len() >= max_size) || (max_frames > 0 && self.frames >= max_frames)
    }
}

fn wants_video(parts: RecordParts) -> bool {
    parts.contains(RecordParts::VIDEO) || parts.contains(RecordParts::KEYFRAMES)
}
