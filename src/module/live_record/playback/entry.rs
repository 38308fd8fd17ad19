//! Index files read back: which bytes of a recording belong to which time.

use bstr::ByteSlice;

/// A recording's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordedFile {
    /// Begin in seconds since 1970.
    pub unix: u64,
    /// Directory, `YYYYMMDD`.
    pub day: String,
}

impl RecordedFile {
    /// Reads `YYYYMMDD-UNIXTIME`, as [`Display`](std::fmt::Display) writes it.
    pub fn parse(text: &[u8]) -> Option<RecordedFile> {
        let (day, unix) = text.split_once_str("-")?;
        let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let fits = day.len() == DAY && is_number(day) && unix.len() <= UNIX_MAX && is_number(unix);
        let unix = fits.then(|| unix.to_str().ok()?.parse().ok()).flatten()?;
        Some(RecordedFile { unix, day: day.to_str().ok()?.to_owned() })
    }
}

impl std::fmt::Display for RecordedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.day, self.unix)
    }
}

/// Part of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPart {
    /// Its file.
    pub file: RecordedFile,
    /// Offset of the first byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
    /// Start in the stream's time, in milliseconds.
    pub begin_ms: u64,
    /// End in the stream's time, in milliseconds.
    pub end_ms: u64,
    /// Start in milliseconds since 1970.
    pub at_ms: u64,
}

impl RecordedPart {
    /// Length in milliseconds, at least 1.
    pub fn duration_ms(&self) -> u64 {
        self.end_ms.saturating_sub(self.begin_ms).max(1)
    }

    /// End in milliseconds since 1970.
    pub fn until_ms(&self) -> u64 {
        self.at_ms.saturating_add(self.duration_ms())
    }

    /// Whether time goes on from the preceding part without a gap.
    pub fn continues(&self, before: &RecordedPart) -> bool {
        // The names of files tell whole seconds. Media that came faster than its time ends behind the begin of the next file.
        let slack = if self.file == before.file { JOIN_MS } else { JOIN_MS + 1_000 };
        self.begin_ms.abs_diff(before.end_ms) <= JOIN_MS
            && self.at_ms <= before.until_ms().saturating_add(slack)
    }
}

/// Reads an index file; `length` is the length of its recording in bytes. Lines that are incomplete, or that refer to
/// bytes that the recording does not have, are skipped: a crash may leave them.
pub fn read_index(index: &[u8], file: &RecordedFile, length: u64) -> Vec<RecordedPart> {
    let complete = &index[..index.rfind_byte(b'\n').map_or(0, |end| end + 1)];
    let mut parts: Vec<RecordedPart> = Vec::new();
    for line in complete.lines() {
        let Some(mut part) = read_line(line, file).filter(|part| part.start + part.length <= length) else {
            continue;
        };
        if let Some(before) = parts.last_mut() {
            // Audio may reach a little beyond the next part's begin.
            if (before.begin_ms + 1..before.end_ms).contains(&part.begin_ms) {
                before.end_ms = part.begin_ms;
            }
            part.at_ms = before.until_ms();
        } else {
            // The tables at the beginning of the file belong to no entry.
            part.length += part.start;
            part.start = 0;
        }
        parts.push(part);
    }
    parts
}

fn read_line(line: &[u8], file: &RecordedFile) -> Option<RecordedPart> {
    let (_, fields) = line.split_once_str("?")?;
    let field = |name: &str| -> Option<u64> {
        let mut fields = fields.split_str("&").filter_map(|field| field.split_once_str("="));
        let (_, digits) = fields.find(|(key, _)| *key == name.as_bytes())?;
        digits.to_str().ok()?.parse().ok().filter(|number| *number <= NUMBER_MAX)
    };
    let (start, end) = (field("startsize")?, field("endsize")?);
    let (begin_ms, end_ms) = (field("starttime")?, field("endtime")?);
    let fits = start <= end && begin_ms <= end_ms && end_ms - begin_ms <= PART_MAX_MS;
    let at_ms = file.unix.saturating_mul(1000);
    fits.then(|| RecordedPart { file: file.clone(), start, length: end + 1 - start, begin_ms, end_ms, at_ms })
}

/// Distance in milliseconds up to which times join.
const JOIN_MS: u64 = 1_000;
/// Longest part that is believed: a day.
const PART_MAX_MS: u64 = 24 * 3600 * 1000;
/// Largest offset or time that is believed; sums stay below 2^64.
const NUMBER_MAX: u64 = 1 << 60;
const DAY: usize = 8;
const UNIX_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> RecordedFile {
        RecordedFile { unix: 1_700_000_000, day: "20231114".into() }
    }

    #[test]
    fn an_index_is_read_up_to_what_a_crash_has_left() {
        let index = b"s-1700000000.ts?startsize=376&endsize=999&starttime=500&endtime=8500\n\
            garbage\n\
            s-1700000000.ts?startsize=1000&endsize=1999&starttime=8400&endtime=9000\n\
            s-1700000000.ts?startsize=2000&endsize=9999&starttime=9000&endtime=9500\n\
            s-1700000000.ts?startsize=2000&endsize=21";
        let parts = read_index(index, &file(), 2_500);
        let times: Vec<_> = parts.iter().map(|part| (part.start, part.length, part.at_ms)).collect();
        assert_eq!(times, [(0, 1_000, 1_700_000_000_000), (1_000, 1_000, 1_700_000_007_900)]);
        assert!(parts[1].continues(&parts[0]));
        let later = RecordedPart { at_ms: parts[1].at_ms + 5_000, ..parts[1].clone() };
        assert!(!later.continues(&parts[0]));
        // Ten seconds of media that came within two.
        let next = RecordedFile { unix: file().unix + 2, ..file() };
        let next =
            read_index(b"s?startsize=0&endsize=9&starttime=9500&endtime=9900\n", &next, 2_500).remove(0);
        assert!(next.at_ms < parts[1].at_ms && next.continues(&parts[1]));
    }

    #[test]
    fn hostile_indexes_yield_nothing() {
        for line in [
            "s?startsize=5&endsize=4&starttime=0&endtime=1\n",
            "s?startsize=0&endsize=4&starttime=5&endtime=1\n",
            "s?startsize=0&endsize=4&starttime=0&endtime=99999999999\n",
            "s?startsize=0&endsize=99999999999999999999&starttime=0&endtime=1\n",
            "s?startsize=-1&endsize=4&starttime=0&endtime=1\n",
            "\0\n?\n&\n",
        ] {
            assert_eq!(read_index(line.as_bytes(), &file(), u64::MAX).len(), 0, "{line}");
        }
    }

    #[test]
    fn only_numbers_name_a_file() {
        assert_eq!(RecordedFile::parse(b"20231114-1700000000"), Some(file()));
        assert_eq!(file().to_string(), "20231114-1700000000");
        for wrong in [
            "",
            "20231114",
            "2023111-1",
            "20231114-",
            "../../..-1",
            "20231114-1/..",
            "20231114-9999999999999",
        ] {
            assert_eq!(RecordedFile::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
