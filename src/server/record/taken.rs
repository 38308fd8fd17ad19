//! Which files are being recorded: two recorders in one file would make it useless.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::limits;

/// The files in use.
#[derive(Default)]
pub struct Files {
    paths: Mutex<HashSet<PathBuf>>,
    freed: Condvar,
}

/// A recorder's hold on a file.
pub(super) struct Taken {
    files: Arc<Files>,
    path: PathBuf,
}

impl Files {
    /// Takes a file. A publish that comes right behind another finds its file being completed, so this waits for a
    /// moment; `None` if the file is in use still.
    pub(super) fn take(self: &Arc<Self>, path: &Path) -> Option<Taken> {
        let paths = self.lock();
        let wait = self.freed.wait_timeout_while(paths, limits::RECORD_PLACE_WAIT, |p| p.contains(path));
        let (mut paths, _) = wait.unwrap_or_else(|poisoned| poisoned.into_inner());
        paths.insert(path.to_owned()).then(|| Taken { files: self.clone(), path: path.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.paths.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.files.lock().remove(&self.path);
        self.files.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_recorder_at_a_time() {
        let files = Arc::new(Files::default());
        let taken = files.take(Path::new("a"));
        assert!(taken.is_some() && files.take(Path::new("a")).is_none());
        assert!(files.take(Path::new("b")).is_some());
        drop(taken);
        assert!(files.take(Path::new("a")).is_some());
    }
}
