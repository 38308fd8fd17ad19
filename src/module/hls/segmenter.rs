//! Segmenter: converts pieces of a transport stream to file actions.

mod action;
mod playlist;
mod settings;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

pub use self::action::{Encryption, SegmentFiles, SegmenterAction};
pub use self::settings::{KeySettings, Naming, SegmenterSettings};
use super::FileLayout;
use crate::hub::info::MediaInfo;
use crate::media::segments::{
    CutDecision, Cutter, DateRanges, Fragmenter, PlaylistKind, Presentations, SegmentStart,
};
use crate::wire::data_message::DataMessage;
use crate::wire::fmp4::{Packager, Sample, segment_type};
use crate::wire::hls::{SEGMENTS_MAX, target_duration};
use crate::wire::mpegts::{TICKS_PER_MS, TsFrame};

/// Makes segments and playlists of one publish, from pieces of a transport stream or from samples for fragmented MP4.
///
/// To continue the numbering (`hls_continuous`), pass the contents of [`FileLayout::playlist_file`] to
/// [`resume`](Self::resume). Then call [`handle_frame`](Self::handle_frame) for every piece or
/// [`handle_sample`](Self::handle_sample) for every sample, and finally [`finish`](Self::finish).
#[derive(Debug)]
pub struct Segmenter {
    layout: FileLayout,
    settings: SegmenterSettings,
    cutter: Cutter,
    /// Segments in the playlist.
    listed: VecDeque<Segment>,
    /// Segments that left the playlist and are still on disk, oldest first.
    retired: VecDeque<Segment>,
    open: Option<Segment>,
    /// Media sequence number of the first segment in the playlist.
    media_sequence: u64,
    /// By how much consecutive numbers are ahead of media sequence numbers, because segments were not written.
    skipped: u64,
    /// Number of discontinuities that left the playlist.
    discontinuity_sequence: u64,
    /// Never decreases during the life of the playlist (RFC 8216 §6.2.1).
    target_duration: u64,
    /// Media sequence, discontinuity sequence and target duration of the playlist on disk; `None` if there is none.
    head: Option<(u64, u64, u64)>,
    key: Option<CurrentKey>,
    fragmenter: Fragmenter,
    /// Number of the current initialisation segment.
    map_id: Option<u64>,
    /// Date ranges, by media sequence numbers.
    ranges: DateRanges,
    info: MediaInfo,
    /// Attributes of other streams, and the path of `hls_path`.
    others: (Arc<Presentations>, PathBuf),
}

#[derive(Clone, Debug)]
struct Segment {
    id: u64,
    duration_ms: u64,
    /// 0 for a segment of an earlier publish.
    bytes: u64,
    discontinuity: bool,
    key_id: Option<u64>,
    /// Number of its initialisation segment, for fragmented MP4.
    map_id: Option<u64>,
    /// Its begin on the time line of the media, in milliseconds.
    dts_ms: u64,
    /// Its begin in milliseconds since 1970; 0 for a segment of an earlier publish whose begin is not known.
    date_ms: u64,
}

#[derive(Debug)]
struct CurrentKey {
    id: u64,
    segments: u64,
}

impl Segmenter {
    /// Creates a segmenter with an empty playlist.
    pub fn new(layout: FileLayout, settings: SegmenterSettings) -> Self {
        Self {
            layout,
            settings,
            cutter: Cutter::new(SEGMENT_BYTES_MAX),
            listed: VecDeque::new(),
            retired: VecDeque::new(),
            open: None,
            media_sequence: 0,
            skipped: 0,
            discontinuity_sequence: 0,
            target_duration: 0,
            head: None,
            key: None,
            fragmenter: Fragmenter::default(),
            map_id: None,
            ranges: DateRanges::default(),
            info: MediaInfo::default(),
            others: Default::default(),
        }
    }

    /// Shares the stream's attributes with its variants, whose files are below `path` too.
    #[must_use]
    pub fn sharing(self, others: Arc<Presentations>, path: PathBuf) -> Self {
        Self { others: (others, path), ..self }
    }

    /// Sets the properties of the media.
    pub fn learn(&mut self, info: MediaInfo) {
        self.info = info;
    }

    /// Processes the next piece; `unix_ms` is the time of the system clock.
    pub fn handle_frame(&mut self, frame: &TsFrame, unix_ms: u64, files: &mut impl SegmentFiles) {
        match self.cutter.handle_frame(&self.settings.cut, frame) {
            CutDecision::Skip => return,
            CutDecision::Append => {}
            CutDecision::Start { ended_ms, discontinuity } => {
                // Media that could not be written are missing between the segments around them.
                let missing = ended_ms.is_some_and(|ended_ms| !self.close(ended_ms, files));
                self.open(frame.dts_ms, unix_ms, discontinuity || missing, files);
                if let Some(tables) = frame.lead() {
                    self.append(tables, files);
                }
            }
        }
        self.append(&frame.bytes, files);
        for timed in &frame.messages {
            self.ranges.message(timed.time_ms, &timed.message, self.open_start());
        }
    }

    /// Notes which tracks the packager of the samples knows.
    pub fn learn_tracks(&mut self, packager: &Packager) {
        self.fragmenter.learn(packager);
    }

    /// Adds a data message of the publisher as timed metadata of fragmented MP4, and as a date range if it is a cue.
    pub fn event(&mut self, time_ms: u64, message: &DataMessage) {
        self.fragmenter.event(time_ms, message);
        self.ranges.message(time_ms, message, self.open_start());
    }

    /// Processes the next sample; `unix_ms` is the time of the system clock.
    pub fn handle_sample(&mut self, mut sample: Sample, unix_ms: u64, files: &mut impl SegmentFiles) {
        sample.changed |= self.open.is_some() && !self.fragmenter.takes(&sample);
        match self.cutter.handle_frame(&self.settings.cut, &sample) {
            CutDecision::Skip => return,
            CutDecision::Append => {}
            CutDecision::Start { ended_ms, discontinuity } => {
                let missing = ended_ms.is_some_and(|ended_ms| !self.close(ended_ms, files));
                self.open(sample.dts_ms(), unix_ms, discontinuity || missing, files);
                self.append(&segment_type(), files);
                self.fragmenter.begin();
            }
        }
        let at_ms = sample.end_ms();
        self.fragmenter.push(sample);
        let since_ms = self.fragmenter.held_since_ms().unwrap_or(at_ms);
        if at_ms.saturating_sub(since_ms) >= CHUNK_MS || self.fragmenter.held_bytes() >= CHUNK_BYTES {
            self.flush(files);
        }
    }

    /// Writes the samples that are not written yet.
    fn flush(&mut self, files: &mut impl SegmentFiles) {
        let Some(fragment) = self.fragmenter.flush() else { return };
        let Some(open) = &mut self.open else { return };
        if let Some(bytes) = fragment.init {
            // Players must not continue with another configuration than they have.
            open.discontinuity |= self.map_id.is_some();
            let (id, file) = (open.id, self.layout.map_file(open.id));
            let written = files.perform(SegmenterAction::WriteMap { file, bytes });
            self.map_id = written.then_some(id);
            if !written {
                self.fragmenter.forget_map();
            }
        }
        if let Some(open) = &mut self.open {
            open.map_id = self.map_id;
        }
        self.append(&fragment.bytes, files);
    }

    /// Ends the publish. A playlist that no later publish continues gets its end tag (RFC 8216 §4.3.3.4); with another one
    /// players wait for the next publish, as with PingOS.
    pub fn end(&mut self, files: &mut impl SegmentFiles) {
        self.finish(files);
        if self.settings.ends && !self.listed.is_empty() {
            let (file, text) = (self.layout.playlist_file(), END.to_owned());
            let added = self.head.is_some()
                && files.perform(SegmenterAction::AppendPlaylist { file: file.clone(), text });
            if !added {
                let text = self.playlist().to_string() + END;
                files.perform(SegmenterAction::WritePlaylist { file, text });
            }
            self.rewrite();
        }
    }

    /// Ends the last segment.
    pub fn finish(&mut self, files: &mut impl SegmentFiles) {
        if let Some(ended_ms) = self.cutter.finish() {
            self.close(ended_ms, files);
        }
        let (others, path) = &self.others;
        others.set(&path.join(self.layout.playlist_file()), None);
    }

    /// Sets the settings for what follows.
    pub fn configure(&mut self, settings: SegmenterSettings) {
        self.settings = settings;
        self.rewrite();
    }

    /// Whether the playlist has no room for cues, which was not asked before.
    pub fn is_newly_crowded(&mut self) -> bool {
        self.ranges.is_newly_crowded()
    }

    /// Makes the next playlist be written as a whole.
    pub fn rewrite(&mut self) {
        self.head = None;
    }

    /// Names of the stream's files.
    pub fn layout(&self) -> &FileLayout {
        &self.layout
    }

    fn open(&mut self, dts_ms: u64, unix_ms: u64, discontinuity: bool, files: &mut impl SegmentFiles) {
        let id = self.next_id(dts_ms, unix_ms);
        let key_id = self.settings.keys.map(|keys| self.key_for(id, keys, files));
        let encryption = key_id.map(|key_id| Encryption { key_id, iv: u128::from(key_id).to_be_bytes() });
        files.perform(SegmenterAction::OpenSegment { file: self.layout.segment_file(id), encryption });
        let before = self.listed.back();
        let before_ms = before.map(|before| before.date_ms.saturating_add(before.duration_ms));
        let date_ms = SegmentStart::date_ms(before_ms, discontinuity, unix_ms);
        let segment =
            Segment { id, duration_ms: 0, bytes: 0, discontinuity, key_id, map_id: None, dts_ms, date_ms };
        self.open = Some(segment);
        if let Some(start) = self.open_start() {
            self.ranges.opened(start);
        }
    }

    /// Begin of the open segment.
    fn open_start(&self) -> Option<SegmentStart> {
        let open = self.open.as_ref()?;
        Some(SegmentStart { segment: self.next_sequence(), dts_ms: open.dts_ms, date_ms: open.date_ms })
    }

    fn append(&mut self, bytes: &Bytes, files: &mut impl SegmentFiles) {
        if let Some(open) = &mut self.open {
            open.bytes = open.bytes.saturating_add(bytes.len() as u64);
        }
        files.perform(SegmenterAction::Append(bytes.clone()));
    }

    /// Closes the open segment and lists it, if all of it was written. Returns whether it is listed.
    fn close(&mut self, duration_ms: u64, files: &mut impl SegmentFiles) -> bool {
        self.flush(files);
        let Some(mut segment) = self.open.take() else { return true };
        segment.duration_ms = duration_ms;
        let file = self.layout.segment_file(segment.id);
        let is_playable = !self.layout.fmp4 || segment.map_id.is_some();
        if !files.perform(SegmenterAction::CloseSegment { file, duration_ms }) || !is_playable {
            // Its number is not used again: what is in the way of its file may stay there.
            self.skipped = self.skipped.saturating_add(1);
            return false;
        }
        self.listed.push_back(segment);
        self.shorten();

        let longest_ms = self.listed.iter().map(|segment| segment.duration_ms).max().unwrap_or(0);
        self.target_duration =
            target_duration(self.settings.cut.fragment_ms, longest_ms).max(self.target_duration);
        let file = self.layout.playlist_file();
        let head = Some((self.media_sequence, self.discontinuity_sequence, self.target_duration));
        // An event may last for a day, so listed segments are not rewritten with every new one.
        let written = files.perform(match self.added_lines() {
            Some(text) if self.head == head => SegmenterAction::AppendPlaylist { file, text },
            _ => SegmenterAction::WritePlaylist { file, text: self.playlist().to_string() },
        });
        // A playlist that was not replaced may lack lines, so the next one is written as a whole.
        self.head = head.filter(|_| written);
        // Rewritten with each segment, so that it never looks older than its media.
        if !self.settings.variants.is_empty() {
            self.write_master(files);
        }
        self.remove_outlived(written, files);
        true
    }

    /// Removes surplus segments from the playlist.
    fn shorten(&mut self) {
        while self.listed.len() > self.most_listed() {
            let Some(segment) = self.listed.pop_front() else { return };
            self.media_sequence = self.media_sequence.saturating_add(1);
            self.discontinuity_sequence += u64::from(segment.discontinuity);
            self.retired.push_back(segment);
        }
        if let Some(first) = self.listed.front() {
            self.ranges.forget(self.media_sequence, first.date_ms);
        }
    }

    fn most_listed(&self) -> usize {
        let most = match self.settings.kind {
            PlaylistKind::Live => self.settings.playlist_length_ms / self.settings.cut.fragment_ms.max(1),
            PlaylistKind::Event => u64::MAX,
        };
        usize::try_from(most).unwrap_or(usize::MAX).clamp(1, SEGMENTS_MAX)
    }

    /// A player that read the last playlist with a segment may request the segment for another playlist length (RFC
    /// 8216 §6.2.2). Where the playlist was not `written`, the one on disk still lists older segments; only their number
    /// is limited then.
    fn remove_outlived(&mut self, written: bool, files: &mut impl SegmentFiles) {
        let mut retired_ms: u64 = self.retired.iter().map(|segment| segment.duration_ms).sum();
        let most = 2 * self.most_listed() + RETIRED_SPARE;
        while (written && retired_ms > self.settings.playlist_length_ms) || self.retired.len() > most {
            let Some(segment) = self.retired.pop_front() else { return };
            retired_ms -= segment.duration_ms;
            if !self.settings.cleanup || self.settings.kind == PlaylistKind::Event {
                continue;
            }
            // Numbers by timestamp may repeat; the file is then a newer one.
            if !self.on_disk().any(|other| other.id == segment.id) {
                files.perform(SegmenterAction::Remove { file: self.layout.segment_file(segment.id) });
            }
            if let Some(map_id) = segment.map_id
                && !self.on_disk().any(|other| other.map_id == Some(map_id))
                && self.map_id != Some(map_id)
            {
                files.perform(SegmenterAction::Remove { file: self.layout.map_file(map_id) });
            }
            if let Some(key_id) = segment.key_id
                && !self.on_disk().any(|other| other.key_id == Some(key_id))
                && self.key.as_ref().is_none_or(|key| key.id != key_id)
            {
                files.perform(SegmenterAction::RemoveKey { file: self.layout.key_file(key_id) });
            }
        }
    }

    fn on_disk(&self) -> impl Iterator<Item = &Segment> {
        self.retired.iter().chain(&self.listed).chain(&self.open)
    }

    /// Media sequence number of the next segment in the playlist.
    fn next_sequence(&self) -> u64 {
        self.media_sequence.saturating_add(self.listed.len() as u64)
    }

    /// Number of a segment that starts at this time.
    fn next_id(&self, dts_ms: u64, unix_ms: u64) -> u64 {
        let id = match self.settings.naming {
            Naming::Sequential => self.next_sequence().saturating_add(self.skipped),
            Naming::Timestamp => dts_ms.saturating_mul(TICKS_PER_MS),
            Naming::System => unix_ms,
        };
        let step = self.settings.naming_granularity.max(1);
        let mut id = id - id % step;
        // Rounding may give different segments the same number, but a playlist must not contain a file twice.
        while self.listed.iter().any(|segment| segment.id == id) {
            let Some(next) = id.checked_add(step) else { break };
            id = next;
        }
        id
    }

    fn key_for(&mut self, id: u64, keys: KeySettings, files: &mut impl SegmentFiles) -> u64 {
        if let Some(key) = &mut self.key
            && (keys.fragments_per_key == 0 || key.segments < keys.fragments_per_key)
        {
            key.segments += 1;
            return key.id;
        }
        let written = files.perform(SegmenterAction::WriteKey { file: self.layout.key_file(id), key_id: id });
        // A key that could not be written is not kept, so the next segment has a new one.
        self.key = written.then_some(CurrentKey { id, segments: 1 });
        id
    }
}

/// Last line of a playlist to which nothing is added.
const END: &str = "#EXT-X-ENDLIST\n";

/// Samples are written once they last this long together, in milliseconds, or have this many bytes.
const CHUNK_MS: u64 = 500;
const CHUNK_BYTES: usize = 1024 * 1024;

/// Maximum size of a segment on disk in bytes, apart from its last piece.
const SEGMENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Number of retired segments kept beyond twice the playlist, for segments shorter than nominal.
const RETIRED_SPARE: usize = 16;
