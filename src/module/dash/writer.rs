//! Performs the segmenter's actions on files, on blocking threads.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::DashFiles;
use crate::media::files::claims::FileClaim;
use crate::media::files::{WriteError, create, failed, remove, replace};

/// The files of one publish.
pub(super) struct DashWriter {
    path: PathBuf,
    _place: FileClaim,
    /// Files being written; `None` after a failure.
    open: HashMap<PathBuf, Option<File>>,
    /// First failure that was not taken yet.
    failure: Option<WriteError>,
}

impl DashWriter {
    /// Writes files below `path`.
    pub(super) fn new(path: PathBuf, place: FileClaim) -> Self {
        DashWriter { path, _place: place, open: HashMap::new(), failure: None }
    }

    /// Takes the first failure since the last call.
    pub(super) fn take_failure(&mut self) -> Option<WriteError> {
        self.failure.take()
    }

    fn note<T>(&mut self, done: Result<T, WriteError>) -> Option<T> {
        done.map_err(|error| self.failure.get_or_insert(error)).ok()
    }
}

impl DashFiles for DashWriter {
    fn create(&mut self, file: &Path) -> bool {
        let created = create(&self.path.join(file));
        let created = self.note(created);
        let done = created.is_some();
        self.open.insert(file.to_owned(), created);
        done
    }

    fn append(&mut self, file: &Path, bytes: &[u8]) -> bool {
        let Some(Some(open)) = self.open.get_mut(file) else { return false };
        let Err(error) = open.write_all(bytes) else { return true };
        // The incomplete file will not be listed and may fill the disk.
        let path = self.path.join(file);
        let _ = fs::remove_file(&path);
        self.open.insert(file.to_owned(), None);
        self.note(Err::<(), _>(failed("write", &path)(error)));
        false
    }

    fn close(&mut self, file: &Path) -> bool {
        self.open.remove(file).flatten().is_some()
    }

    fn replace(&mut self, file: &Path, bytes: &[u8]) -> bool {
        let done = replace(&self.path.join(file), bytes);
        self.note(done).is_some()
    }

    fn remove(&mut self, file: &Path) {
        let done = remove(&self.path.join(file));
        self.note(done);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::media::files::claims::FileClaims;

    #[test]
    fn an_incomplete_segment_is_removed_and_not_closed_well() {
        let dir = tempfile::tempdir().unwrap();
        let place = Arc::<FileClaims>::default().take_within(dir.path(), Duration::ZERO).unwrap();
        let mut writer = DashWriter::new(dir.path().to_owned(), place);
        let file = Path::new("s/7.m4v");
        assert!(writer.create(file) && writer.append(file, b"x") && writer.close(file));
        // A file that cannot be written to, as on a full disk.
        let path = dir.path().join(file);
        writer.open.insert(file.to_owned(), Some(File::open(&path).unwrap()));
        assert!(
            !writer.append(file, b"x") && !writer.append(file, b"x") && !writer.close(file) && !path.exists()
        );
        assert_eq!(writer.take_failure().map(|failure| (failure.call, failure.path)), Some(("write", path)));
        assert!(writer.take_failure().is_none());
    }
}
