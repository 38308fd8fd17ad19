//! Playlists of a segmenter: what they list, and the one that is continued.

use std::collections::VecDeque;
use std::path::Path;

use super::super::variant::master_playlist;
use super::{Naming, Segment, SegmentFiles, Segmenter, SegmenterAction};
use crate::media::segments::{MEASURED, PlaylistKind, Presentation};
use crate::wire::hls::{EncryptionKey, MediaPlaylist, MediaSegment};

impl Segmenter {
    /// Continues the playlist of an earlier publish. A text that is not a playlist of this server is ignored. If only
    /// its URIs are foreign, for example after a change of `hls_base_url`, the numbering continues without them.
    pub fn resume(&mut self, playlist: &[u8]) {
        let Some(playlist) = MediaPlaylist::parse(playlist) else { return };
        let segments: Option<VecDeque<_>> = playlist.segments.iter().map(|found| self.adopt(found)).collect();
        self.media_sequence = playlist.media_sequence;
        self.discontinuity_sequence = playlist.discontinuity_sequence;
        match segments {
            Some(segments) => {
                self.target_duration = playlist.target_duration.min(TARGET_DURATION_MAX);
                self.listed = segments;
                for (n, segment) in (0..).zip(&playlist.segments) {
                    let sequence = self.media_sequence.saturating_add(n);
                    segment.date_ranges.iter().for_each(|range| self.ranges.adopt(sequence, range.clone()));
                }
                if self.settings.naming == Naming::Sequential
                    && let Some(last) = self.listed.back()
                {
                    self.skipped = last.id.saturating_add(1).saturating_sub(self.next_sequence());
                }
                self.shorten();
            }
            None => self.media_sequence = self.media_sequence.saturating_add(playlist.segments.len() as u64),
        }
        self.cutter.follow_earlier();
    }

    pub(super) fn write_master(&self, files: &mut impl SegmentFiles) {
        let (others, path) = &self.others;
        let segments =
            self.listed.iter().rev().take(MEASURED).map(|segment| (segment.bytes, segment.duration_ms));
        others.set(&path.join(self.layout.playlist_file()), Presentation::measure(segments, &self.info));
        let known = |playlist: &Path| others.get(&path.join(playlist));
        if let Some((file, text)) = master_playlist(&self.layout, &self.settings.variants, known) {
            files.perform(SegmenterAction::WritePlaylist { file, text });
        }
    }

    pub(super) fn playlist(&self) -> MediaPlaylist {
        MediaPlaylist {
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            target_duration: self.target_duration,
            event: self.settings.kind == PlaylistKind::Event,
            segments: (0..)
                .zip(&self.listed)
                .map(|(n, segment)| self.entry(self.media_sequence.saturating_add(n), segment))
                .collect(),
            low_latency: None,
        }
    }

    /// Lines of the newest segment of an event that has earlier ones.
    pub(super) fn added_lines(&self) -> Option<String> {
        let last = self.listed.back().filter(|_| self.settings.kind == PlaylistKind::Event)?;
        let before = self.listed.iter().nth_back(1)?;
        let sequence = self.next_sequence().checked_sub(1)?;
        let before = self.entry(sequence.checked_sub(1)?, before);
        Some(self.entry(sequence, last).lines_behind(Some(&before)))
    }

    fn entry(&self, sequence: u64, segment: &Segment) -> MediaSegment {
        let first = (sequence == self.media_sequence).then_some(segment.date_ms);
        let date_ranges: Vec<_> = self.ranges.of(sequence, first).cloned().collect();
        MediaSegment {
            date_ms: (!date_ranges.is_empty()).then_some(segment.date_ms).filter(|date_ms| *date_ms > 0),
            date_ranges,
            uri: self.layout.segment_uri(segment.id),
            duration_ms: segment.duration_ms,
            discontinuity: segment.discontinuity,
            key: segment.key_id.map(|id| EncryptionKey { uri: self.layout.key_uri(id), iv: id.into() }),
            map: segment.map_id.map(|id| self.layout.map_uri(id)),
            parts: Vec::new(),
        }
    }

    /// Converts a segment of an existing playlist, if its name fits the layout.
    fn adopt(&self, found: &MediaSegment) -> Option<Segment> {
        let key_id = match &found.key {
            Some(key) => {
                let id = u64::try_from(key.iv).ok()?;
                (self.layout.key_uri(id) == key.uri).then_some(Some(id))?
            }
            None => None,
        };
        let map_id = match &found.map {
            Some(uri) => Some(self.layout.map_id(uri)?),
            None => None,
        };
        Some(Segment {
            bytes: 0,
            dts_ms: 0,
            date_ms: found.date_ms.unwrap_or(0),
            id: self.layout.segment_id(&found.uri)?,
            duration_ms: found.duration_ms,
            discontinuity: found.discontinuity,
            key_id,
            map_id,
        })
    }
}

/// Maximum plausible target duration of an existing playlist, in seconds.
const TARGET_DURATION_MAX: u64 = 3_600;
