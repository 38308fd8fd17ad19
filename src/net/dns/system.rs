//! Changes of the system's resolver files.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Modification times and sizes of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamp([Option<(SystemTime, u64)>; 2]);

impl FileStamp {
    /// Current state.
    pub(super) fn now() -> Self {
        FileStamp(["/etc/resolv.conf", "/etc/hosts"].map(of_file))
    }
}

fn of_file(path: &str) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(Path::new(path)).ok()?;
    Some((about.modified().ok()?, about.len()))
}
