//! Files of a log whose path has variables.
//!
//! Variables may come from clients, so a value must not lead elsewhere: the path may have no more `..` than the
//! configuration has written, and no NUL. As in nginx, files are opened with the rights of the server's user, and only
//! while the root directory of the request exists.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::spec::{LogFileCaching, VariablePath};
use crate::log::file::open_own_log;

/// The file of a line.
#[derive(Clone, Debug)]
pub struct LineFile {
    /// Its path, absolute.
    pub path: BString,
    /// Directory that must exist, or the line is dropped without a message: the root of the request's location.
    pub root: Option<PathBuf>,
}

/// The files of one log.
#[derive(Debug)]
pub(super) struct Paths {
    spec: VariablePath,
    open: HashMap<PathBuf, CachedFile>,
}

#[derive(Debug)]
struct CachedFile {
    /// The file; `None` until it was used often enough.
    file: Option<File>,
    uses: u64,
    used: Instant,
    checked: Instant,
}

/// Reason why a line was not written.
#[derive(Debug)]
pub(super) enum PathFailure {
    /// The root directory does not exist or is none.
    Root(PathBuf, io::Error),
    /// A client's value would lead to another directory.
    Misled,
    /// The file cannot be opened.
    Open(PathBuf, io::Error),
    /// The file cannot be written.
    Write(PathBuf, io::Error),
}

impl Paths {
    pub(super) fn new(spec: VariablePath) -> Paths {
        Paths { spec, open: HashMap::new() }
    }

    /// Closes all files, so that each is opened anew.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    /// Time at which a file without lines is closed.
    pub(super) fn due(&self) -> Option<Instant> {
        let inactive = self.spec.cache.as_ref()?.inactive;
        self.open.values().filter_map(|cached| cached.used.checked_add(inactive)).min()
    }

    /// Closes the files that had no lines for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(LogFileCaching { inactive, .. }) = self.spec.cache {
            self.open.retain(|_, cached| now.duration_since(cached.used) < inactive);
        }
    }

    /// Writes a line to its file.
    pub(super) fn write(&mut self, to: &LineFile, line: &[u8]) -> Result<(), PathFailure> {
        if let Some(root) = &to.root {
            match fs::metadata(root) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(PathFailure::Root(root.clone(), io::ErrorKind::NotADirectory.into())),
                Err(error) => return Err(PathFailure::Root(root.clone(), error)),
            }
        }
        if ascents(&to.path) > ascents(&self.spec.text) || to.path.contains(&0) {
            return Err(PathFailure::Misled);
        }
        let path = Path::new(OsStr::from_bytes(&to.path));
        let written = |result: io::Result<()>| result.map_err(|error| PathFailure::Write(path.into(), error));
        let opened = || open_own_log(path).map_err(|error| PathFailure::Open(path.into(), error));
        let Some(cache) = self.spec.cache.clone() else {
            return written((&opened()?).write_all(line));
        };
        let now = Instant::now();
        self.expire(now);
        if let Some(cached) = self.open.get_mut(path) {
            cached.uses += 1;
            cached.used = now;
            if !cached.is_current(path, cache.valid, now) {
                cached.file = None;
            }
            if let Some(file) = &mut cached.file {
                return written(file.write_all(line));
            }
        }
        // As in nginx, one that cannot be opened takes no other's place.
        let mut file = opened()?;
        if !self.open.contains_key(path) {
            self.make_room(cache.max);
        }
        let new = CachedFile { file: None, uses: 1, used: now, checked: now };
        let cached = self.open.entry(path.to_owned()).or_insert(new);
        cached.checked = now;
        let result = file.write_all(line);
        if cached.uses >= cache.min_uses {
            cached.file = Some(file);
        }
        written(result)
    }

    /// Closes the file that was not used for the longest time, if there are too many.
    fn make_room(&mut self, max: usize) {
        while self.open.len() >= max.max(1) {
            let oldest = self.open.iter().min_by_key(|(_, cached)| cached.used).map(|(path, _)| path.clone());
            let Some(oldest) = oldest else { return };
            self.open.remove(&oldest);
        }
    }
}

impl CachedFile {
    /// Whether the path still leads to the open file, as far as that is due to be checked.
    fn is_current(&mut self, path: &Path, valid: Duration, now: Instant) -> bool {
        let Some(file) = &self.file else { return false };
        if now.duration_since(self.checked) < valid {
            return true;
        }
        self.checked = now;
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        match (fs::metadata(path), file.metadata()) {
            (Ok(there), Ok(open)) => identity(there) == identity(open),
            _ => false,
        }
    }
}

/// Number of `..` in a path.
fn ascents(path: &[u8]) -> usize {
    path.split_str("/").filter(|name| *name == b"..").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(dir: &Path, cache: Option<LogFileCaching>) -> Paths {
        let text = dir.join("$name.log").into_os_string().into_encoded_bytes().into();
        Paths::new(VariablePath { text, cache })
    }

    fn to(dir: &Path, name: &str) -> LineFile {
        LineFile { path: dir.join(name).into_os_string().into_encoded_bytes().into(), root: None }
    }

    const CACHE: LogFileCaching = LogFileCaching {
        max: 2,
        inactive: Duration::from_secs(600),
        min_uses: 1,
        valid: Duration::from_secs(600),
    };

    #[test]
    fn a_value_leads_to_no_other_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = paths(dir.path(), None);
        assert!(paths.write(&to(dir.path(), "a.log"), b"a\n").is_ok());
        for name in ["../b.log", "x/../b.log", "..", "b\0.log"] {
            let misled = paths.write(&to(dir.path(), name), b"b\n");
            assert!(matches!(misled, Err(PathFailure::Misled)), "{name}");
        }
        assert!(matches!(paths.write(&to(dir.path(), "none/b.log"), b"b\n"), Err(PathFailure::Open(..))));
        assert_eq!(fs::read_to_string(dir.path().join("a.log")).unwrap(), "a\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn without_its_root_directory_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = paths(dir.path(), None);
        let with_root =
            |root: &str| LineFile { root: Some(dir.path().join(root)), ..to(dir.path(), "a.log") };
        assert!(matches!(paths.write(&with_root("none"), b"a\n"), Err(PathFailure::Root(..))));
        assert!(!dir.path().join("a.log").exists());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(matches!(paths.write(&with_root("file"), b"a\n"), Err(PathFailure::Root(..))));
        assert!(paths.write(&with_root("."), b"a\n").is_ok());
    }

    #[test]
    fn the_cache_keeps_the_files_used_last_and_sees_a_rotation_after_valid() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let mut cached = paths(dir.path(), Some(CACHE));
        for name in ["a.log", "b.log", "c.log", "a.log"] {
            cached.write(&to(dir.path(), name), b"1\n").unwrap();
            assert!(cached.open.len() <= CACHE.max);
        }
        assert_eq!((read("a.log"), read("b.log")), ("1\n1\n".into(), "1\n".into()));
        fs::rename(dir.path().join("a.log"), dir.path().join("a.old")).unwrap();
        cached.write(&to(dir.path(), "a.log"), b"2\n").unwrap();
        assert_eq!(read("a.old"), "1\n1\n2\n");
        cached.spec.cache = Some(LogFileCaching { valid: Duration::ZERO, ..CACHE });
        cached.write(&to(dir.path(), "a.log"), b"3\n").unwrap();
        assert_eq!((read("a.old"), read("a.log")), ("1\n1\n2\n".into(), "3\n".into()));
        cached.expire(Instant::now() + CACHE.inactive);
        assert!(cached.open.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_opened_takes_no_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut cached = paths(dir.path(), Some(CACHE));
        for name in ["a.log", "b.log"] {
            cached.write(&to(dir.path(), name), b"1\n").unwrap();
        }
        for name in ["none/c.log", "none/d.log"] {
            assert!(cached.write(&to(dir.path(), name), b"1\n").is_err());
        }
        let mut open: Vec<_> = cached.open.keys().map(|path| path.file_name().unwrap().to_owned()).collect();
        open.sort();
        assert_eq!(open, ["a.log", "b.log"]);
    }

    #[test]
    fn a_file_stays_open_from_min_uses_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut cached = paths(dir.path(), Some(LogFileCaching { min_uses: 2, ..CACHE }));
        let is_open = |cached: &Paths| cached.open.values().any(|cached| cached.file.is_some());
        cached.write(&to(dir.path(), "a.log"), b"1\n").unwrap();
        assert!(!is_open(&cached));
        cached.write(&to(dir.path(), "a.log"), b"2\n").unwrap();
        assert!(is_open(&cached));
        cached.close();
        assert!(!is_open(&cached));
    }
}
