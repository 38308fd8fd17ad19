//! Directories as file systems of their own, and what is in directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system of a few KiB, which is full early. Dropping it unmounts it.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// Mounts one of this size, as `mount -t tmpfs` takes it, on a directory that is created. `None`: mounting is not allowed here.
    pub fn mount(directory: &Path, size: &str) -> Option<SmallDisk> {
        fs::create_dir_all(directory).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=777"), "small"]).arg(directory);
        mount.output().is_ok_and(|done| done.status.success()).then(|| SmallDisk(directory.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Paths of all files below a directory, relative to it, sorted.
pub fn files_below(directory: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                out.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    out.sort();
    out
}
