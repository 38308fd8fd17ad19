//! Reads directories for `autoindex` and `random_index`, on a thread that may wait for the disk.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use http::StatusCode;
use nix::libc;
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};

use super::log;
use crate::http::exchange::{Decision, Exchange};
use crate::limits;
use crate::log::level::LogLevel;
use crate::net::links::{self, Access, LinkPolicy};
use crate::task::disk::{self, DiskWork};

/// A file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: BString,
    pub(super) is_dir: bool,
    pub(super) is_file: bool,
    /// Seconds since 1970 of the last modification.
    pub(super) modified: i64,
    /// Size in bytes.
    pub(super) size: u64,
}

/// What was read of a directory.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Files whose names begin with no dot, in no order.
    pub(super) files: Vec<Listed>,
    /// Files that could not be looked at, with the error.
    skipped: Vec<(PathBuf, io::Error)>,
}

/// Why a directory could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// nginx's name of the system call, its path and its error.
    Failed(&'static str, PathBuf, io::Error),
    /// There are more than [`limits::HTTP_LISTED_FILES`].
    TooMany,
}

/// What of a directory is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedFiles {
    /// Nothing; it is only opened.
    Nothing,
    /// All files; those that may not be looked at are left out.
    Files,
    /// As `Files`; all must be looked at.
    AllFiles,
}

/// The directory that the request's path means, without the slash at its end.
pub(super) fn path_of(exchange: &Exchange<'_>) -> Option<PathBuf> {
    let path = exchange.file_of(&exchange.path)?;
    let bytes = path.as_os_str().as_encoded_bytes();
    match bytes.strip_suffix(b"/").filter(|bare| !bare.is_empty()) {
        Some(bare) => Some(bare.to_path_lossy().into_owned()),
        None => Some(path),
    }
}

/// Reads a directory, and logs what nginx logs.
pub(super) async fn read(
    exchange: &Exchange<'_>,
    path: &Path,
    wanted: WantedFiles,
) -> Result<Vec<Listed>, Decision> {
    let (policy, directory) = (exchange.link_policy(path), path.to_owned());
    let reading = disk::spawn(DiskWork::Served, move || read_waiting(&directory, policy, wanted));
    let read = reading
        .await
        .unwrap_or_else(|error| Err(Unread::Failed("readdir", path.to_owned(), io::Error::other(error))));
    match read {
        Ok(contents) => {
            for (file, error) in &contents.skipped {
                log::call_failed(exchange, LogLevel::Crit, "stat", file, error);
            }
            Ok(contents.files)
        }
        Err(Unread::TooMany) => {
            log::too_many_files(exchange, path);
            Err(Decision::page(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Err(Unread::Failed(call, file, error)) => {
            let status = match error.raw_os_error().filter(|_| call == OPEN) {
                Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) => StatusCode::NOT_FOUND,
                // nginx follows all links to a directory that it lists, whatever `disable_symlinks` is.
                Some(libc::EACCES | libc::ELOOP) => StatusCode::FORBIDDEN,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let level =
                if status == StatusCode::INTERNAL_SERVER_ERROR { LogLevel::Crit } else { LogLevel::Error };
            log::call_failed(exchange, level, call, &file, &error);
            Err(Decision::page(status))
        }
    }
}

/// nginx's name for opening a directory.
const OPEN: &str = "opendir";

fn read_waiting(path: &Path, policy: LinkPolicy, wanted: WantedFiles) -> Result<Contents, Unread> {
    let failed = |call| move |error: io::Error| Unread::Failed(call, path.to_owned(), error);
    let directory: OwnedFd = links::open(path, policy, Access::Read).map_err(failed(OPEN))?.into();
    let entries = Dir::read_from(&directory).map_err(|error| failed(OPEN)(error.into()))?;
    let mut contents = Contents::default();
    if wanted == WantedFiles::Nothing {
        let is_dir = rustix::fs::fstat(&directory).map_err(|error| failed(OPEN)(error.into()))?;
        return match FileType::from_raw_mode(is_dir.st_mode) {
            FileType::Directory => Ok(contents),
            _ => Err(failed(OPEN)(io::Error::from_raw_os_error(libc::ENOTDIR))),
        };
    }
    for entry in entries {
        // A descriptor of a file is not told apart from a directory until it is read.
        let entry = entry.map_err(|error| {
            let call = if error == rustix::io::Errno::NOTDIR { OPEN } else { "readdir" };
            failed(call)(error.into())
        })?;
        let name = entry.file_name().to_bytes();
        if name.starts_with(b".") {
            continue;
        }
        let at = || path.join(name.to_path_lossy());
        let found = match look(&directory, name) {
            Ok(found) => found,
            Err((_, error)) if error.raw_os_error() == Some(libc::EACCES) && wanted == WantedFiles::Files => {
                if contents.skipped.len() < limits::HTTP_LISTING_COMPLAINTS {
                    contents.skipped.push((at(), error));
                }
                continue;
            }
            Err((call, error)) => return Err(Unread::Failed(call, at(), error)),
        };
        if contents.files.len() >= limits::HTTP_LISTED_FILES {
            return Err(Unread::TooMany);
        }
        let kind = FileType::from_raw_mode(found.st_mode);
        contents.files.push(Listed {
            name: name.into(),
            is_dir: kind == FileType::Directory,
            is_file: kind == FileType::RegularFile,
            modified: found.st_mtime,
            size: u64::try_from(found.st_size).unwrap_or(0),
        });
    }
    Ok(contents)
}

/// What a name leads to; of a link that leads nowhere, the link. An error has the name of the call.
fn look(directory: &OwnedFd, name: &[u8]) -> Result<Stat, (&'static str, io::Error)> {
    match statat(directory, name, AtFlags::empty()) {
        Ok(found) => Ok(found),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => {
            statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| ("lstat", error.into()))
        }
        Err(error) => Err(("stat", error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path, wanted: WantedFiles) -> Result<Vec<Listed>, i32> {
        match read_waiting(path, LinkPolicy::default(), wanted) {
            Ok(contents) => Ok(contents.files),
            Err(Unread::Failed(OPEN, _, error)) => Err(error.raw_os_error().unwrap()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn hidden_files_are_left_out_and_links_looked_through() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".hidden", "a", "b"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::os::unix::fs::symlink("sub", dir.path().join("to-sub")).unwrap();
        std::os::unix::fs::symlink("none", dir.path().join("dangling")).unwrap();
        let mut files = read(dir.path(), WantedFiles::Files).unwrap();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let kinds: Vec<_> =
            files.iter().map(|file| (file.name.to_string(), file.is_dir, file.is_file)).collect();
        let want = [
            ("a", false, true),
            ("b", false, true),
            ("dangling", false, false),
            ("sub", true, false),
            ("to-sub", true, false),
        ];
        assert_eq!(kinds, want.map(|(name, is_dir, is_file)| (name.to_owned(), is_dir, is_file)));
    }

    #[test]
    fn what_is_no_directory_is_an_error_of_opening() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for wanted in [WantedFiles::Nothing, WantedFiles::Files, WantedFiles::AllFiles] {
            assert_eq!(read(&file, wanted), Err(libc::ENOTDIR));
            assert_eq!(read(&dir.path().join("none"), wanted), Err(libc::ENOENT));
        }
    }
}
