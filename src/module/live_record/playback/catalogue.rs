//! What is recorded of a stream in a time range. Runs on blocking threads.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::super::RecordingDirectory;
use super::entry::{RecordedFile, RecordedPart, read_index};
use super::range::TimeRange;
use crate::limits;
use crate::media::files::split_number;

/// Parts in a time range, in the order of time.
#[derive(Debug, Default)]
pub struct RecordingIndex {
    /// The parts, at most [`limits::VOD_PARTS`].
    pub parts: Vec<RecordedPart>,
    /// Whether there are more files or parts in the range, or an index was not read to its end.
    pub is_cut: bool,
}

/// Finds what is recorded of a stream.
///
/// # Errors
///
/// A directory cannot be read. One that does not exist is no error.
pub fn find(place: &RecordingDirectory, root: &Path, range: TimeRange) -> io::Result<RecordingIndex> {
    let mut files = files(place, root, range)?;
    let first = files.iter().rposition(|file| file.unix.saturating_mul(1000) <= range.from_ms).unwrap_or(0);
    files.drain(..first);
    let is_within =
        |part: &RecordedPart| part.until_ms() > range.from_ms && range.to_ms.is_none_or(|to| part.at_ms < to);
    Ok(read(place, root, files, is_within))
}

/// Finds what is recorded behind a part, and begins before `to_ms` if that is given. What follows is told by the names of files
/// and the places in them: media that comes faster than its time is recorded in files whose times overlap.
///
/// # Errors
///
/// As [`find`].
pub(super) fn find_behind(
    place: &RecordingDirectory,
    root: &Path,
    last: &RecordedPart,
    to_ms: Option<u64>,
) -> io::Result<RecordingIndex> {
    let range = TimeRange { from_ms: last.file.unix.saturating_mul(1000), to_ms };
    let mut files = files(place, root, range)?;
    files.retain(|file| *file >= last.file);
    let is_behind = |part: &RecordedPart| {
        (&part.file, part.start) > (&last.file, last.start) && to_ms.is_none_or(|to| part.at_ms < to)
    };
    Ok(read(place, root, files, is_behind))
}

/// Parts of files that are wanted.
fn read(
    place: &RecordingDirectory,
    root: &Path,
    mut files: Vec<RecordedFile>,
    is_wanted: impl Fn(&RecordedPart) -> bool,
) -> RecordingIndex {
    let mut found = RecordingIndex { is_cut: files.len() > limits::VOD_FILES, ..RecordingIndex::default() };
    files.truncate(limits::VOD_FILES);
    for file in &files {
        let pair = place.pair_of(root, &file.day, file.unix);
        // Retention may have removed one of them, and an index grows behind its file.
        let Ok((index, is_cut)) = read_bounded(&pair.index) else { continue };
        let Ok(length) = fs::metadata(&pair.file).map(|file| file.len()) else { continue };
        found.is_cut |= is_cut;
        for part in read_index(&index, file, length).into_iter().filter(&is_wanted) {
            if found.parts.len() >= limits::VOD_PARTS {
                found.is_cut = true;
                return found;
            }
            found.parts.push(part);
        }
    }
    found
}

/// Files that begin in the range, in the order of time, and some that begin before it, among them the one before.
fn files(place: &RecordingDirectory, root: &Path, range: TimeRange) -> io::Result<Vec<RecordedFile>> {
    let index = place.index(root);
    let mut days: Vec<String> = names(&index)?
        .into_iter()
        .filter(|day| day.len() == 8)
        .filter_map(|day| String::from_utf8(day).ok())
        .filter(|day| day.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    days.sort_unstable();
    let mut files = Vec::new();
    for day in days.into_iter().rev() {
        let mut begins_before = false;
        for name in names(&index.join(&day))? {
            let Some(unix) = place.begin_of(&name) else { continue };
            let begin_ms = unix.saturating_mul(1000);
            if range.to_ms.is_none_or(|to| begin_ms < to) {
                begins_before |= begin_ms <= range.from_ms;
                files.push(RecordedFile { unix, day: day.clone() });
            }
        }
        if begins_before {
            break;
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Names in a directory, at most [`limits::KEEP_FILES`].
fn names(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            let names = entries.take(limits::KEEP_FILES);
            names.map(|entry| Ok(entry?.file_name().as_bytes().to_vec())).collect()
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Contents of an index, and whether it has more than [`limits::VOD_INDEX_BYTES`].
fn read_bounded(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let file = open_file(path)?;
    let is_cut = file.metadata()?.len() > limits::VOD_INDEX_BYTES;
    file.take(limits::VOD_INDEX_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, is_cut))
}

/// Opens a regular file.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // A FIFO would be waited for.
    let file = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(file)
}

impl RecordingDirectory {
    /// Begin of the recording whose index has this file name: `NAME-UNIXTIME.m3u8`.
    fn begin_of(&self, name: &[u8]) -> Option<u64> {
        let (before, digits) = split_number(name.strip_suffix(b".m3u8")?);
        let is_own = before.strip_suffix(b"-") == Some(self.last());
        is_own.then(|| OsStr::from_bytes(digits).to_str()?.parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a recording of eight seconds at `unix`.
    fn record(root: &Path, place: &RecordingDirectory, unix: i64) {
        let pair = place.pair(root, unix);
        fs::create_dir_all(pair.file.parent().unwrap()).unwrap();
        fs::create_dir_all(pair.index.parent().unwrap()).unwrap();
        fs::write(&pair.file, vec![0; 2_000]).unwrap();
        let uri = pair.uri;
        let lines = format!(
            "{uri}?startsize=376&endsize=999&starttime=0&endtime=4000\n\
             {uri}?startsize=1000&endsize=1999&starttime=4000&endtime=8000\n"
        );
        fs::write(&pair.index, lines).unwrap();
    }

    #[test]
    fn parts_in_the_range_come_from_all_files_that_have_some() {
        let root = tempfile::tempdir().unwrap();
        let place = RecordingDirectory::new(b"srv", b"live", b"in/s").unwrap();
        let day = 86_400;
        let begins = [10 * day, 10 * day + 8, 11 * day, 14 * day];
        begins.iter().for_each(|unix| record(root.path(), &place, *unix));
        // A stream whose name begins alike, and files that are no index.
        record(root.path(), &RecordingDirectory::new(b"srv", b"live", b"in/s-1").unwrap(), 10 * day);
        let index = place.pair(root.path(), 10 * day).index;
        fs::write(index.with_file_name("x.m3u8"), "x").unwrap();
        fs::write(index.with_file_name("s-1.ts"), "x").unwrap();
        let found = |from: i64, to: Option<i64>| -> Vec<u64> {
            let ms = |time: i64| (time * 1000) as u64;
            let range = TimeRange { from_ms: ms(from), to_ms: to.map(ms) };
            let parts = find(&place, root.path(), range).unwrap().parts;
            parts.iter().map(|part| part.at_ms / 1000 - 10 * day as u64).collect()
        };
        let ten = 10 * day;
        assert_eq!(found(0, None), [0, 4, 8, 12, 86_400, 86_404, 345_600, 345_604]);
        assert_eq!(found(ten + 5, Some(ten + 9)), [4, 8]);
        assert_eq!(found(ten + 4, Some(ten + 8)), [4]);
        assert_eq!(found(ten + 20, Some(ten + 30)), [0; 0]);
        assert_eq!(found(13 * day, None), [345_600, 345_604]);
        assert_eq!(found(20 * day, None), [0; 0]);
    }

    #[test]
    fn what_follows_a_part_is_found_however_much_files_overlap() {
        let root = tempfile::tempdir().unwrap();
        let place = RecordingDirectory::new(b"srv", b"live", b"s").unwrap();
        let day = 10 * 86_400;
        // Eight seconds of media each, of which the second file begins within the first.
        let begins = [day, day + 2, day + 86_400];
        begins.iter().for_each(|unix| record(root.path(), &place, *unix));
        let all = TimeRange { from_ms: 0, to_ms: None };
        let parts = find(&place, root.path(), all).unwrap().parts;
        assert_eq!(parts.len(), 6);
        for (n, part) in parts.iter().enumerate() {
            let behind = find_behind(&place, root.path(), part, None).unwrap().parts;
            assert_eq!(behind, parts[n + 1..], "behind part {n}");
            let to_ms = Some((day as u64 + 86_400) * 1000);
            let behind = find_behind(&place, root.path(), part, to_ms).unwrap().parts;
            assert_eq!(behind, parts[(n + 1).min(4)..4], "behind part {n}");
        }
    }

    #[test]
    fn a_stream_that_was_never_recorded_has_nothing() {
        let root = tempfile::tempdir().unwrap();
        let place = RecordingDirectory::new(b"srv", b"live", b"s").unwrap();
        let found = find(&place, root.path(), TimeRange { from_ms: 0, to_ms: None }).unwrap();
        assert!(found.parts.is_empty() && !found.is_cut);
    }

    /// Writes a recording with this many parts of a second, whose lines have at least this length.
    fn record_parts(root: &Path, place: &RecordingDirectory, unix: i64, parts: usize, line: usize) {
        let pair = place.pair(root, unix);
        fs::create_dir_all(pair.file.parent().unwrap()).unwrap();
        fs::create_dir_all(pair.index.parent().unwrap()).unwrap();
        File::create(&pair.file).unwrap().set_len(188 * parts as u64).unwrap();
        let mut lines = String::new();
        for n in 0..parts {
            let (start, end, begin) = (n * 188, n * 188 + 187, n * 1_000);
            let begins = format!(
                "{}?startsize={start}&endsize={end}&starttime={begin}&endtime={}",
                pair.uri,
                begin + 1_000
            );
            let filling = "x".repeat(line.saturating_sub(begins.len()));
            lines.push_str(&format!("{begins}&{filling}\n"));
        }
        fs::write(&pair.index, lines).unwrap();
    }

    #[test]
    fn a_range_with_more_parts_than_the_bound_is_cut_behind_the_first_ones() {
        let root = tempfile::tempdir().unwrap();
        let place = RecordingDirectory::new(b"srv", b"live", b"s").unwrap();
        let half = limits::VOD_PARTS / 2;
        record_parts(root.path(), &place, 100_000, half, 0);
        record_parts(root.path(), &place, 200_000, limits::VOD_PARTS - half, 0);
        let whole = find(&place, root.path(), TimeRange { from_ms: 0, to_ms: None }).unwrap();
        assert_eq!((whole.parts.len(), whole.is_cut), (limits::VOD_PARTS, false));
        record_parts(root.path(), &place, 200_000, limits::VOD_PARTS - half + 1, 0);
        let cut = find(&place, root.path(), TimeRange { from_ms: 0, to_ms: None }).unwrap();
        assert!(cut.is_cut);
        assert_eq!(cut.parts, whole.parts);
        // What is in the range is counted, and what is before it is not.
        let later = find(&place, root.path(), TimeRange { from_ms: 200_000_000, to_ms: None }).unwrap();
        assert_eq!((later.parts.len(), later.is_cut), (limits::VOD_PARTS - half + 1, false));
    }

    #[test]
    fn an_index_above_the_bound_is_read_up_to_its_last_whole_line() {
        let root = tempfile::tempdir().unwrap();
        let place = RecordingDirectory::new(b"srv", b"live", b"s").unwrap();
        const LINE: usize = 100_000;
        // A line has its line feed, and an ampersand before the filling.
        let fitting = usize::try_from(limits::VOD_INDEX_BYTES).unwrap() / (LINE + 2);
        record_parts(root.path(), &place, 100_000, fitting, LINE);
        let all = TimeRange { from_ms: 0, to_ms: None };
        let found = find(&place, root.path(), all).unwrap();
        assert_eq!((found.parts.len(), found.is_cut), (fitting, false));
        record_parts(root.path(), &place, 100_000, fitting + 2, LINE);
        let found = find(&place, root.path(), all).unwrap();
        assert_eq!((found.parts.len(), found.is_cut), (fitting, true));
        // Another file is read none the less.
        record(root.path(), &place, 900_000);
        assert_eq!(find(&place, root.path(), all).unwrap().parts.len(), fitting + 2);
    }

    #[test]
    fn a_range_with_more_files_than_the_bound_is_cut() {
        let root = tempfile::tempdir().unwrap();
        let place = RecordingDirectory::new(b"srv", b"live", b"s").unwrap();
        let index = place.pair(root.path(), 0).index;
        fs::create_dir_all(index.parent().unwrap()).unwrap();
        for unix in 0..=limits::VOD_FILES {
            fs::write(index.with_file_name(format!("s-{unix}.m3u8")), "").unwrap();
        }
        let found = find(&place, root.path(), TimeRange { from_ms: 0, to_ms: None }).unwrap();
        assert!(found.is_cut);
    }
}
