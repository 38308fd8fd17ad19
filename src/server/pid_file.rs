//! Pid file: identifies the serving process, and prevents a second process with the same file.
//!
//! A lock on the file shows whether its process is alive. The number alone does not: process ids are reused, and a
//! killed process leaves its file behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use procfs::process::Process;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::own_file;
use super::process::can_make;
use crate::log::{FileError, RenameError};
use crate::task::disk;

/// Suffix that a process being replaced appends to the name of its pid file, as in nginx.
const OLD: &str = ".oldbin";

/// Name of the processes of PingOS and nginx, which this program may replace.
const NGINX: &str = "nginx";

/// Reason why the pid file cannot be used. The text is nginx's sentence.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// It cannot be opened or created.
    #[error(transparent)]
    Open(#[from] FileError),
    /// It belongs to another running process.
    #[error("\"{}\" belongs to process {pid}, which is running", .path.display())]
    Running {
        /// The file.
        path: PathBuf,
        /// The number in it.
        pid: i32,
    },
    /// It belongs to another process that has not written its number yet.
    #[error("\"{}\" belongs to a process that is starting", .path.display())]
    Starting {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be renamed.
    #[error(transparent)]
    Rename(#[from] RenameError),
}

/// A pid file of this process; removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
    /// Whether the path names the file already.
    is_named: bool,
}

impl PidFile {
    /// Locks the file, so that no other process can claim it. [`PidFile::write`] writes the process id, once it is
    /// final; a new file appears only then, as many wait for it before they connect.
    ///
    /// # Errors
    ///
    /// A running process uses the file, or it cannot be opened.
    pub fn claim(path: &Path) -> Result<PidFile, PidFileError> {
        match without_name(path) {
            Some(file) => Ok(PidFile { path: path.to_owned(), file, is_named: false }),
            None => PidFile::claim_by_name(path),
        }
    }

    fn claim_by_name(path: &Path) -> Result<PidFile, PidFileError> {
        for _ in 0..ATTEMPTS {
            let file = options().open(path).map_err(FileError::of("open", path))?;
            if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
                // A device such as `/dev/null` can be shared and must not be removed.
                return Ok(PidFile { path: path.to_owned(), file, is_named: true });
            }
            match file.try_lock() {
                // On a file system without locks, bound sockets must reveal another process.
                Ok(()) | Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => return Err(taken(path)),
            }
            let claimed = PidFile { path: path.to_owned(), file, is_named: true };
            // Its last owner may have removed it in the meantime.
            if claimed.is_there() {
                return Ok(claimed);
            }
        }
        Err(taken(path))
    }

    /// Checks whether a process could claim the file if no other had it. Nothing is created.
    ///
    /// # Errors
    ///
    /// It cannot be opened or created.
    pub fn check(path: &Path) -> Result<(), PidFileError> {
        let open = || match options().create(false).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => can_make(path),
            opened => opened.map(drop),
        };
        Ok(open().map_err(FileError::of("open", path))?)
    }

    /// Writes the process id.
    ///
    /// # Errors
    ///
    /// Errors of the system; or another process has made a file of that name since.
    pub fn write(&mut self) -> io::Result<()> {
        self.write_number()?;
        if !self.is_named && self.name().is_err() {
            *self = PidFile::claim_by_name(&self.path).map_err(io::Error::other)?;
            self.write_number()?;
        }
        self.is_named = true;
        Ok(())
    }

    fn write_number(&mut self) -> io::Result<()> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        self.file.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    /// Gives a file without a name the one that it is to have.
    fn name(&self) -> rustix::io::Result<()> {
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        rustix::fs::linkat(CWD, file, CWD, &self.path, AtFlags::SYMLINK_FOLLOW)
    }

    /// Reads the process id from a pid file.
    ///
    /// # Errors
    ///
    /// The file does not exist or contains no process id.
    pub fn read(path: &Path) -> io::Result<i32> {
        let mut text = String::new();
        // A process id is short, so longer contents are invalid.
        disk::open(OpenOptions::new().read(true), path, false)?.take(64).read_to_string(&mut text)?;
        let pid = text.trim().parse().ok().filter(|pid| *pid > 0);
        pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "invalid PID number"))
    }

    /// Name of the program of process `pid`, which the file names, if it is no server: the server has ended without
    /// removing its file, and the system has given its number to another process. A process of this program holds the
    /// lock; one of nginx has none. `None` also if that cannot be known, as on a file system without locks.
    pub fn stranger(path: &Path, pid: i32) -> Option<String> {
        let file = disk::open(OpenOptions::new().read(true), path, false).ok()?;
        file.try_lock_shared().ok()?;
        let name = Process::new(pid).and_then(|process| process.stat()).ok()?.comm;
        // A process chooses its name.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        (name != NGINX).then_some(name)
    }

    /// Renames the file for the process that takes over.
    ///
    /// # Errors
    ///
    /// Usually a lack of permission to write to the directory.
    pub fn step_aside(&mut self) -> Result<(), PidFileError> {
        let mut old = self.path.clone().into_os_string();
        old.push(OLD);
        self.rename(old.into())
    }

    /// Takes the original name again after the other process has ended.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn step_back(&mut self) -> Result<(), PidFileError> {
        match self.path.to_str().and_then(|path| path.strip_suffix(OLD)) {
            Some(path) => self.rename(path.into()),
            None => Ok(()),
        }
    }

    fn rename(&mut self, to: PathBuf) -> Result<(), PidFileError> {
        own_file::rename(&self.path, &to)?;
        self.path = to;
        Ok(())
    }

    /// Whether the path still refers to this process's file, and that is a regular file.
    fn is_there(&self) -> bool {
        let (Ok(ours), Ok(there)) = (self.file.metadata(), std::fs::metadata(&self.path)) else {
            return false;
        };
        ours.is_file() && (ours.dev(), ours.ino()) == (there.dev(), there.ino())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Without the rights of root it may not be removable; an empty file at least does not point to an unrelated
        // process.
        if self.is_there() && own_file::remove(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

/// Options with which the file is opened.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(disk::no_links());
    options
}

/// A locked file in the directory of one that does not exist, to be named later. `None` if it exists, or if the file system
/// has no such files.
fn without_name(path: &Path) -> Option<File> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let parent = path.parent()?;
    let directory = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let (flags, mode) = (OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC, Mode::from_raw_mode(0o666));
    let file = File::from(rustix::fs::open(directory, flags, mode).ok()?);
    file.try_lock().ok()?;
    Some(file)
}

fn taken(path: &Path) -> PidFileError {
    let path = path.to_owned();
    match PidFile::read(&path) {
        Ok(pid) => PidFileError::Running { path, pid },
        Err(_) => PidFileError::Starting { path },
    }
}

/// Number of attempts if the file vanishes while it is claimed.
const ATTEMPTS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        // Left behind by a killed process.
        std::fs::write(&path, "1\n").unwrap();
        let mut first = PidFile::claim(&path).unwrap();
        first.write().unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(PidFile::read(&path).unwrap(), pid);
        let refused = PidFile::claim(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("belongs to process {pid}")), "{refused}");
        first.step_aside().unwrap();
        let second = PidFile::claim(&path).unwrap();
        drop(second);
        assert!(!path.exists());
        first.step_back().unwrap();
        assert_eq!(PidFile::read(&path).unwrap(), pid);
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn it_appears_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        drop(PidFile::claim(&path).unwrap());
        let (mut first, mut second) = (PidFile::claim(&path).unwrap(), PidFile::claim(&path).unwrap());
        assert!(!path.exists());
        first.write().unwrap();
        let refused = second.write().unwrap_err().to_string();
        assert!(refused.contains("which is running"), "{refused}");
        drop(second);
        assert!(PidFile::read(&path).is_ok());
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let mut ours = PidFile::claim(&path).unwrap();
        ours.write().unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "77\n").unwrap();
        drop(ours);
        assert_eq!(PidFile::read(&path).unwrap(), 77);
    }

    #[test]
    fn root_follows_no_link() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("pid"), dir.path().join("precious"));
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let refused = PidFile::claim(&path).unwrap_err().to_string();
        assert!(refused.contains("open()"), "{refused}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn what_is_no_number_is_said_to_be_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        for text in ["", "-1", "0", "abc", "99999999999999"] {
            std::fs::write(&path, text).unwrap();
            assert!(PidFile::read(&path).is_err(), "{text}");
        }
    }
}
