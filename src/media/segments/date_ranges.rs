//! Date ranges of a playlist: the breaks that cues of the publisher announce (RFC 8216 §4.3.2.7).
//!
//! A range stands before the segment that is being made when its cue arrives, and leaves the playlist with it. One that is not
//! over then moves to the first segment that stays. The end of a break is a tag of its own with the ID of its begin, because a
//! tag that was published must not change (§6.2.1).

use std::collections::VecDeque;
use std::fmt::Write;

use crate::limits;
use crate::wire::cue::Cue;
use crate::wire::data_message::DataMessage;
use crate::wire::hls::{date, seconds};
use crate::wire::scte35::{SpliceEvent, SpliceKind};

/// Begin of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentStart {
    /// Number of the segment.
    pub segment: u64,
    /// Its begin on the time line of the media, in milliseconds.
    pub dts_ms: u64,
    /// Its begin in milliseconds since 1970.
    pub date_ms: u64,
}

impl SegmentStart {
    /// Begin of a segment in milliseconds since 1970, which begins now (`unix_ms`). The dates of segments that join do too,
    /// whatever the system clock does; `before_ms` is the end of the segment before, if there is one.
    pub fn date_ms(before_ms: Option<u64>, discontinuity: bool, unix_ms: u64) -> u64 {
        before_ms.filter(|_| !discontinuity).unwrap_or(unix_ms)
    }
}

/// Date ranges of the segments of one playlist.
#[derive(Debug, Default)]
pub struct DateRanges {
    /// In the order of arrival.
    ranges: VecDeque<DateRange>,
    /// Size of their tags.
    bytes: usize,
    /// Breaks by the ids of their events, the latest last.
    breaks: VecDeque<Break>,
    /// Cues before the first segment, with their times on the time line.
    early: Vec<(u64, Cue)>,
    /// Number of cues that were left out at a bound.
    left_out: u64,
    /// Whether that was told.
    is_told: bool,
}

#[derive(Debug)]
struct DateRange {
    segment: u64,
    /// End in milliseconds since 1970, as far as known.
    until_ms: u64,
    /// Value of the tag.
    text: String,
}

#[derive(Debug)]
struct Break {
    event: u32,
    id: String,
    start_ms: u64,
    /// Announced end.
    until_ms: u64,
    ended: bool,
}

impl DateRanges {
    /// Adds a data message, if it is a cue. `open` is the segment that is being made.
    pub fn message(&mut self, time_ms: u64, message: &DataMessage, open: Option<SegmentStart>) {
        let Some(cue) = Cue::read(message, time_ms) else { return };
        match open {
            Some(open) => self.cue(time_ms, &cue, open),
            None if self.early.len() < limits::SCTE35_EVENTS => self.early.push((time_ms, cue)),
            None => self.left_out += 1,
        }
    }

    /// A segment has begun.
    pub fn opened(&mut self, open: SegmentStart) {
        for (time_ms, cue) in std::mem::take(&mut self.early) {
            self.cue(time_ms, &cue, open);
        }
    }

    /// Keeps a tag of a playlist that is continued; it leaves with its segment.
    pub fn adopt(&mut self, segment: u64, text: String) {
        self.push(segment, 0, text);
    }

    /// Values of the tags before a segment. `first` is its begin in milliseconds since 1970, if it is the first one of the
    /// playlist.
    pub fn of(&self, segment: u64, first: Option<u64>) -> impl Iterator<Item = &String> {
        let lasts = move |range: &&DateRange| {
            range.segment == segment
                || first.is_some_and(|begin_ms| range.segment < segment && range.until_ms > begin_ms)
        };
        self.ranges.iter().filter(lasts).map(|range| &range.text)
    }

    /// Forgets what is over before the oldest segment, which begins at this time in milliseconds since 1970.
    pub fn forget(&mut self, oldest: u64, begin_ms: u64) {
        self.ranges.retain(|range| range.segment >= oldest || range.until_ms > begin_ms);
        self.bytes = self.ranges.iter().map(|range| range.text.len()).sum();
    }

    /// Number of cues that were left out because there were too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether cues were left out and this was not asked before, so that the log tells it once.
    pub fn is_newly_crowded(&mut self) -> bool {
        self.left_out > 0 && !std::mem::replace(&mut self.is_told, true)
    }

    fn cue(&mut self, time_ms: u64, cue: &Cue, open: SegmentStart) {
        let after_ms = time_ms.cast_signed().saturating_sub(open.dts_ms.cast_signed());
        let at_ms = open.date_ms.saturating_add_signed(after_ms.saturating_add(cue.offset_ms));
        for event in cue.section.events() {
            self.event(at_ms, cue, event, open.segment);
        }
    }

    fn event(&mut self, at_ms: u64, cue: &Cue, event: &SpliceEvent, segment: u64) {
        let planned_ms = event.duration_ms.or(cue.duration_ms).filter(|ms| *ms <= PLANNED_MAX_MS);
        let until_ms = at_ms.saturating_add(planned_ms.unwrap_or(PLANNED_MAX_MS));
        let name = cue.id.clone().unwrap_or_else(|| event.id.to_string());
        let id = format!("{name}-{at_ms}");
        let before = self.breaks.iter_mut().rev().find(|before| before.event == event.id);
        let mut tag = DateRangeTag { id, start_ms: at_ms, length_ms: None, planned_ms: None };
        match event.kind {
            SpliceKind::Out => {
                // Encoders repeat the begin of a break.
                if before.is_some_and(|before| !before.ended && at_ms < before.until_ms) {
                    return;
                }
                tag.planned_ms = planned_ms;
                let id = tag.id.clone();
                if !self.push(segment, until_ms, tag.text("SCTE35-OUT", cue)) {
                    return;
                }
                if self.breaks.len() >= BREAKS {
                    self.breaks.pop_front();
                }
                self.breaks.push_back(Break { event: event.id, id, start_ms: at_ms, until_ms, ended: false });
            }
            SpliceKind::In => {
                let mut over_ms = at_ms;
                if let Some(before) = before {
                    if before.ended && at_ms.saturating_sub(before.until_ms) <= REPEATED_MS {
                        return;
                    }
                    if !before.ended {
                        over_ms = at_ms.max(before.start_ms);
                        (before.ended, before.until_ms) = (true, over_ms);
                        (tag.id, tag.start_ms) = (before.id.clone(), before.start_ms);
                        tag.length_ms = Some(over_ms - before.start_ms);
                    }
                }
                let begin = format!("ID=\"{}\",", tag.id);
                for range in self.ranges.iter_mut().filter(|range| range.text.starts_with(&begin)) {
                    range.until_ms = over_ms;
                }
                self.push(segment, over_ms, tag.text("SCTE35-IN", cue));
            }
            SpliceKind::Command => {
                tag.planned_ms = planned_ms;
                let over_ms = planned_ms.map_or(at_ms, |planned_ms| at_ms.saturating_add(planned_ms));
                self.push(segment, over_ms, tag.text("SCTE35-CMD", cue));
            }
        }
    }

    /// Returns whether there was room.
    fn push(&mut self, segment: u64, until_ms: u64, text: String) -> bool {
        let bytes = self.bytes.saturating_add(text.len());
        if self.ranges.len() >= limits::DATE_RANGES || bytes > limits::DATE_RANGE_BYTES {
            self.left_out += 1;
            return false;
        }
        self.bytes = bytes;
        self.ranges.push_back(DateRange { segment, until_ms, text });
        true
    }
}

/// Attributes of a tag.
struct DateRangeTag {
    id: String,
    start_ms: u64,
    length_ms: Option<u64>,
    planned_ms: Option<u64>,
}

impl DateRangeTag {
    /// The value with the cue's section as the attribute of this name (RFC 8216 §4.3.2.7.1).
    fn text(&self, attribute: &str, cue: &Cue) -> String {
        let mut text = format!("ID=\"{}\",START-DATE=\"{}\"", self.id, date(self.start_ms));
        for (name, length_ms) in [("DURATION", self.length_ms), ("PLANNED-DURATION", self.planned_ms)] {
            if let Some(length_ms) = length_ms {
                let _ = write!(text, ",{name}={}", seconds(length_ms));
            }
        }
        let _ = write!(text, ",{attribute}=0x");
        for byte in cue.section.bytes() {
            let _ = write!(text, "{byte:02X}");
        }
        text
    }
}

/// Number of breaks that are remembered, to find the begin of one that ends.
const BREAKS: usize = 64;
/// Longest duration that is believed, and that of a break whose duration is unknown: a day.
const PLANNED_MAX_MS: u64 = 24 * 3600 * 1000;
/// Time in which the end of a break is a repetition.
const REPEATED_MS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::amf0::{self, AmfValue};

    fn start(segment: u64) -> SegmentStart {
        SegmentStart { segment, dts_ms: segment * 2_000, date_ms: 1_700_000_000_000 + segment * 2_000 }
    }

    fn cue(kind: &'static str, id: &str, seconds: f64) -> DataMessage {
        let fields = [("cue", kind.into()), ("id", id.to_owned().into()), ("duration", seconds.into())];
        let mut payload = BytesMut::new();
        amf0::encode_all(&["onAdCue".into(), AmfValue::object(fields)], &mut payload);
        DataMessage::parse(&payload.freeze()).unwrap()
    }

    /// Tags of a segment without their sections.
    fn tags(ranges: &DateRanges, segment: u64, first: Option<u64>) -> Vec<String> {
        let tags = ranges.of(segment, first);
        tags.map(|text| text.split("=0x").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_break_has_two_tags_with_one_id() {
        let mut ranges = DateRanges::default();
        ranges.message(4_500, &cue("SpliceOut", "7", 30.0), Some(start(2)));
        // Repeated.
        ranges.message(5_000, &cue("SpliceOut", "7", 30.0), Some(start(2)));
        ranges.message(20_000, &cue("SpliceIn", "7", 0.0), Some(start(9)));
        ranges.message(21_000, &cue("SpliceIn", "7", 0.0), Some(start(10)));
        let id = "ID=\"7-1700000004500\",START-DATE=\"2023-11-14T22:13:24.500Z\"";
        assert_eq!(tags(&ranges, 2, None), [format!("{id},PLANNED-DURATION=30.000,SCTE35-OUT")]);
        assert_eq!(tags(&ranges, 9, None), [format!("{id},DURATION=15.500,SCTE35-IN")]);
        assert_eq!(tags(&ranges, 10, None), [""; 0]);
        // The id is used again.
        ranges.message(60_000, &cue("SpliceOut", "7", 30.0), Some(start(30)));
        assert!(tags(&ranges, 30, None)[0].starts_with("ID=\"7-1700000060000\","));
    }

    #[test]
    fn a_break_that_lasts_moves_to_the_first_segment_that_stays() {
        let mut ranges = DateRanges::default();
        ranges.message(4_500, &cue("SpliceOut", "7", 30.0), Some(start(2)));
        ranges.forget(5, start(5).date_ms);
        assert_eq!((tags(&ranges, 5, Some(start(5).date_ms)).len(), tags(&ranges, 5, None).len()), (1, 0));
        ranges.message(14_500, &cue("SpliceIn", "7", 0.0), Some(start(7)));
        assert_eq!(tags(&ranges, 6, Some(start(6).date_ms)).len(), 1);
        ranges.forget(8, start(8).date_ms);
        assert_eq!(tags(&ranges, 8, Some(start(8).date_ms)), [""; 0]);
        assert_eq!(ranges.bytes, 0);
    }

    #[test]
    fn cues_before_the_first_segment_stand_before_it() {
        let mut ranges = DateRanges::default();
        for n in 0..=limits::SCTE35_EVENTS {
            ranges.message(100, &cue("SpliceOut", &n.to_string(), 1.0), None);
        }
        ranges.opened(SegmentStart { segment: 0, dts_ms: 500, date_ms: 10_000 });
        assert_eq!(tags(&ranges, 0, None).len(), limits::SCTE35_EVENTS);
        assert!(tags(&ranges, 0, None)[0].contains("START-DATE=\"1970-01-01T00:00:09.600Z\""));
        assert_eq!(ranges.left_out(), 1);
    }

    #[test]
    fn at_the_bound_further_cues_are_left_out_until_old_ones_have_left() {
        let mut ranges = DateRanges::default();
        for n in 0..limits::DATE_RANGES as u64 + 5 {
            ranges.message(n * 2_000, &cue("SpliceOut", &n.to_string(), 1.0), Some(start(n)));
        }
        assert!(!DateRanges::default().is_newly_crowded());
        let kept = ranges.ranges.len();
        assert!(kept <= limits::DATE_RANGES && ranges.bytes <= limits::DATE_RANGE_BYTES);
        assert_eq!(ranges.left_out(), limits::DATE_RANGES as u64 + 5 - kept as u64);
        assert!(ranges.is_newly_crowded() && !ranges.is_newly_crowded());
        ranges.forget(1_000, start(1_000).date_ms);
        let next = limits::DATE_RANGES as u64 + 5;
        ranges.message(next * 2_000, &cue("SpliceOut", "x", 1.0), Some(start(next)));
        assert_eq!(tags(&ranges, next, None).len(), 1);
    }
}
