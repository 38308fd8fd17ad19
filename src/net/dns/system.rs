//! Changes of the system's resolver files.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Modification times and sizes of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    /// Current state.
    pub(super) fn now() -> Self {
        Stamp(["/etc/resolv.conf", "/etc/hosts"].map(of_file))
    }
}

fn of_file(path: &str) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(Path::new(path)).ok()?;
    Some((about.modified().ok()?, about.len()))
}
