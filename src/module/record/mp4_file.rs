//! A fragmented MP4 file being written.

use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::out_file::OutFile;
use super::record_file::{FileRemark, RecordFile};
use crate::hub::packet::Packet;
use crate::limits;
use crate::media::files::WriteError;
use crate::media::files::claims::FileClaim;
use crate::wire::MediaKind;
use crate::wire::data_message::DataMessage;
use crate::wire::fmp4::{
    Packager, RandomAccessPoint, Run, Sample, TrackConfig, file_head, fragment, id3_event, random_access,
};
use crate::wire::id3::id3_tag;

/// A fragmented MP4; see the module's documentation. The head of the file has the configuration of its tracks, so that
/// another configuration, or a track that comes later, needs another file.
pub(crate) struct Mp4File {
    out: OutFile,
    packager: Packager,
    tracks: [TrackState; 2],
    /// Offset of the duration, once the head is written.
    duration_at: Option<u64>,
    /// Time of the first waiting sample, in milliseconds.
    begin_ms: u64,
    waiting_bytes: usize,
    /// Event messages of the next fragment, and their number so far.
    events: Vec<u8>,
    event_count: u32,
    sequence: u32,
    index: FragmentIndex,
    /// End of the last sample in milliseconds.
    end_ms: u64,
    is_outdated: bool,
    remarks: Vec<FileRemark>,
}

/// Audio or video.
#[derive(Default)]
struct TrackState {
    /// Configuration in this file.
    config: Option<Arc<TrackConfig>>,
    /// Whether a frame has arrived, after which the configuration stays.
    begun: bool,
    /// Samples of the next fragment.
    waiting: Vec<Sample>,
}

const AUDIO: usize = 0;
const VIDEO: usize = 1;

/// Fragments that begin with a key frame, at most [`limits::RECORD_INDEX_ENTRIES`].
#[derive(Default)]
struct FragmentIndex {
    points: Vec<RandomAccessPoint>,
    /// Each such fragment has an entry, or every second, fourth …; 0 counts as 1.
    step: usize,
    seen: usize,
}

impl FragmentIndex {
    fn add(&mut self, point: RandomAccessPoint) {
        let step = self.step.max(1);
        if self.seen.is_multiple_of(step) {
            self.points.push(point);
        }
        self.seen += 1;
        if self.points.len() >= limits::RECORD_INDEX_ENTRIES {
            let mut number = 0..;
            self.points.retain(|_| number.next().is_some_and(|n: usize| n.is_multiple_of(2)));
            self.step = step * 2;
        }
    }
}

impl Mp4File {
    /// Creates or truncates a file.
    pub(crate) fn create(path: &Path, hevc_codec_id: u8, claim: FileClaim) -> Result<Self, WriteError> {
        Ok(Mp4File {
            out: OutFile::create(path, claim)?,
            packager: Packager::new(hevc_codec_id, None),
            tracks: Default::default(),
            duration_at: None,
            begin_ms: 0,
            waiting_bytes: 0,
            events: Vec::new(),
            event_count: 0,
            sequence: 0,
            index: FragmentIndex::default(),
            end_ms: 0,
            is_outdated: false,
            remarks: Vec::new(),
        })
    }

    /// Compares the configuration that the next frame of a track needs with that of the file.
    fn check_config(&mut self, of: usize, is_frame: bool) {
        let needed = self.packager.config(of == VIDEO);
        let track = &mut self.tracks[of];
        if needed != track.config.as_ref() {
            if self.duration_at.is_some() || track.begun {
                self.is_outdated = true;
            } else {
                track.config = needed.cloned();
            }
        }
        track.begun |= is_frame;
    }

    /// Keeps a data message as timed ID3 metadata of the next fragment.
    fn event(&mut self, at: u32, payload: &Bytes) {
        let Some(time_ms) = self.packager.moment(at) else { return };
        let message = DataMessage::parse(payload);
        let tag = message.as_ref().map(id3_tag);
        let is_long = payload.len() > limits::TIMED_METADATA_BYTES;
        let has_room = |tag: &BytesMut| self.events.len() + tag.len() <= limits::TIMED_METADATA_BYTES;
        match tag.filter(has_room) {
            Some(tag) => {
                self.event_count = self.event_count.wrapping_add(1);
                self.events.extend_from_slice(&id3_event(time_ms, self.event_count, &tag));
            }
            None if message.is_some() || is_long => {
                self.remarks.push(FileRemark::LeftOut(MediaKind::Data, "message is too long"));
            }
            // It does not belong to a moment.
            None => {}
        }
    }

    fn append(&mut self, samples: Vec<Sample>) -> Result<(), WriteError> {
        for sample in samples {
            let of = usize::from(sample.config.is_video());
            if Some(&sample.config) != self.tracks[of].config.as_ref() {
                // It is in the next file, if that begins in time.
                let kind = if of == VIDEO { MediaKind::Video } else { MediaKind::Audio };
                self.remarks.push(FileRemark::LeftOut(kind, "configuration changed before a key frame"));
                continue;
            }
            let last = self.tracks[of].waiting.last();
            let has_gap = last.is_some_and(|last| last.dts + u64::from(last.duration) != sample.dts);
            let span = sample.dts_ms().saturating_sub(self.begin_ms);
            let is_long = span >= limits::RECORD_FRAGMENT_MAX_MS
                || sample.starts && span >= limits::RECORD_FRAGMENT_MIN_MS;
            let frames: usize = self.tracks.iter().map(|track| track.waiting.len()).sum();
            let is_large = self.waiting_bytes >= limits::RECORD_FRAGMENT_BYTES
                || frames >= limits::RECORD_FRAGMENT_FRAMES;
            if frames > 0 && (has_gap || is_long || is_large) {
                self.write_fragment()?;
            }
            if self.waiting_bytes == 0 {
                self.begin_ms = sample.dts_ms();
            }
            self.begin_ms = self.begin_ms.min(sample.dts_ms());
            self.waiting_bytes += sample.data.len();
            self.tracks[of].waiting.push(sample);
        }
        Ok(())
    }

    /// Writes the waiting samples.
    fn write_fragment(&mut self) -> Result<(), WriteError> {
        if self.waiting_bytes == 0 {
            return Ok(());
        }
        let [audio, video] = &self.tracks;
        let configs: Vec<&TrackConfig> =
            [&video.config, &audio.config].into_iter().flatten().map(|config| &**config).collect();
        if self.duration_at.is_none() {
            let head = file_head(&configs);
            self.duration_at = Some(head.duration_at as u64);
            self.out.put(&head.bytes);
        }
        self.out.put(&self.events);
        self.events.clear();
        let runs = [
            Run { track: 1, samples: &video.waiting },
            Run { track: configs.len() as u32, samples: &audio.waiting },
        ];
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = fragment(self.sequence, &runs);
        let indexed = if video.config.is_some() { video } else { audio };
        if let Some(first) = indexed.waiting.first().filter(|first| first.key) {
            let time = first.dts.saturating_add_signed(first.cts.into());
            self.index.add(RandomAccessPoint { time, moof: self.out.len() });
        }
        let ends = self.tracks.iter().filter_map(|track| track.waiting.last()).map(Sample::end_ms);
        self.end_ms = ends.fold(self.end_ms, u64::max);
        self.tracks.iter_mut().for_each(|track| track.waiting.clear());
        self.waiting_bytes = 0;
        self.out.put(&bytes);
        self.out.end_unit(true)
    }
}

impl RecordFile for Mp4File {
    fn write(&mut self, packet: &Packet, at: u32) -> Result<(), WriteError> {
        let (kind, payload) = (packet.kind(), packet.payload());
        let of = match kind {
            MediaKind::Audio => AUDIO,
            MediaKind::Video => VIDEO,
            MediaKind::Data => {
                self.event(at, payload);
                return Ok(());
            }
        };
        let mut samples = Vec::new();
        match self.packager.handle_frame(kind, at, payload, &mut samples) {
            Ok(()) => self.check_config(of, packet.header().is_none() && packet.lane().place().is_none()),
            Err(error) => self.remarks.push(FileRemark::LeftOut(kind, error.text())),
        }
        if self.packager.take_repaired() {
            self.remarks.push(FileRemark::Repaired);
        }
        self.append(samples)
    }

    fn finish(mut self: Box<Self>) -> Result<bool, WriteError> {
        let mut samples = Vec::new();
        self.packager.finish(&mut samples);
        self.append(samples)?;
        self.write_fragment()?;
        let Some(duration_at) = self.duration_at else {
            self.out.remove();
            return Ok(false);
        };
        self.out.put(&random_access(1, &self.index.points));
        self.out.flush()?;
        let duration = u32::try_from(self.end_ms).unwrap_or(0);
        self.out.overwrite(&duration.to_be_bytes(), duration_at).map(|()| true)
    }

    fn give_up(mut self: Box<Self>) -> bool {
        self.out.cut()
    }

    fn out(&self) -> &OutFile {
        &self.out
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.out.flush()
    }

    fn len(&self) -> u64 {
        self.out.len() + self.waiting_bytes as u64
    }

    fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    fn take_remarks(&mut self) -> Vec<FileRemark> {
        std::mem::take(&mut self.remarks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_long_file_covers_it_with_fewer_entries() {
        let mut index = FragmentIndex::default();
        let count = 5 * limits::RECORD_INDEX_ENTRIES as u64;
        (0..count).for_each(|time| index.add(RandomAccessPoint { time, moof: time }));
        let points = &index.points;
        assert!((limits::RECORD_INDEX_ENTRIES / 2..limits::RECORD_INDEX_ENTRIES).contains(&points.len()));
        let step = points[1].time;
        assert!(points.windows(2).all(|pair| pair[1].time - pair[0].time == step));
        assert!(points[0].time == 0 && count - points[points.len() - 1].time <= step);
    }
}
