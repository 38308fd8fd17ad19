//! Index of a recording: maps time ranges to byte ranges.

use crate::wire::mpegts::TsFrame;

/// An index entry: ranges of bytes and of the stream's time in milliseconds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// First byte.
    pub start: u64,
    /// Last byte.
    pub end: u64,
    /// Start of the first piece.
    pub begin_ms: u64,
    /// End of the last piece.
    pub end_ms: u64,
}

/// Builds the index of one file from its pieces.
#[derive(Clone, Copy, Debug)]
pub struct IndexWriter {
    len: u64,
    start: u64,
    begin_ms: Option<u64>,
    end_ms: u64,
}

impl IndexEntry {
    /// Index line in PingOS's format.
    pub fn line(&self, uri: &str) -> String {
        let IndexEntry { start, end, begin_ms, end_ms } = self;
        format!("{uri}?startsize={start}&endsize={end}&starttime={begin_ms}&endtime={end_ms}\n")
    }
}

impl IndexWriter {
    /// For a file that begins with this number of bytes of tables, which belong to no entry.
    pub fn new(tables: u64) -> Self {
        IndexWriter { len: tables, start: tables, begin_ms: None, end_ms: 0 }
    }

    /// Whether there is no piece yet.
    pub fn is_empty(&self) -> bool {
        self.begin_ms.is_none() && self.len == self.start && self.end_ms == 0
    }

    /// Adds a piece of `len` bytes. Returns the entry that ends before it: at the first key frame after `min`
    /// milliseconds, or at any piece after `max`.
    pub fn piece(&mut self, frame: &TsFrame, len: u64, min: u64, max: u64) -> Option<IndexEntry> {
        // A publisher's clock may jump back: the entry then ends at the next key frame.
        let span = self.begin_ms.map(|begin| frame.dts_ms.checked_sub(begin).unwrap_or(min + 1));
        let ends = span.is_some_and(|span| span >= max.max(1) || (frame.key && span > min));
        if ends {
            self.end_ms = self.end_ms.max(frame.dts_ms);
        }
        let entry = if ends { self.take() } else { None };
        let begin = *self.begin_ms.get_or_insert(frame.dts_ms);
        self.end_ms = (frame.dts_ms + frame.duration_ms).max(begin);
        self.len += len;
        entry
    }

    /// Ends the current entry, if any.
    pub fn take(&mut self) -> Option<IndexEntry> {
        let begin_ms = self.begin_ms.take().filter(|_| self.len > self.start)?;
        let end_ms = self.end_ms.max(begin_ms);
        let entry = IndexEntry { start: self.start, end: self.len - 1, begin_ms, end_ms };
        self.start = self.len;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn piece(dts_ms: u64, key: bool) -> TsFrame {
        TsFrame {
            bytes: Bytes::new(),
            tables: Bytes::new(),
            starts_with_tables: false,
            dts_ms,
            duration_ms: 40,
            video: true,
            key,
            program_change: false,
            messages: Vec::new(),
        }
    }

    #[test]
    fn entries_join_and_are_cut_at_key_frames() {
        let mut index = IndexWriter::new(376);
        let mut next = |dts, key| index.piece(&piece(dts, key), 100, 1000, 2000);
        assert_eq!(next(0, true), None);
        assert_eq!(next(1000, true), None);
        assert_eq!(next(1500, false), None);
        let entry = next(1600, true).unwrap();
        assert_eq!(entry, IndexEntry { start: 376, end: 675, begin_ms: 0, end_ms: 1600 });
        let entry = next(3600, false).unwrap();
        assert_eq!(entry, IndexEntry { start: 676, end: 775, begin_ms: 1600, end_ms: 3600 });
        let entry = index.take().unwrap();
        assert_eq!(entry, IndexEntry { start: 776, end: 875, begin_ms: 3600, end_ms: 3640 });
        assert_eq!(index.take(), None);
        assert_eq!(entry.line("a-1.ts"), "a-1.ts?startsize=776&endsize=875&starttime=3600&endtime=3640\n");
    }
}
