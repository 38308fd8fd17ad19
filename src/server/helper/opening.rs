//! Opening files as root: links are followed only where no other user could have placed them.
//!
//! A path is followed one name at a time. As long as root alone may change the directories passed, links are followed,
//! because root has made them. Below a directory that another user may change, no link is followed, and the file must
//! be a regular one with a single link: such a user could otherwise have root open any file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fchown, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::setup::User;
use crate::limits;
use crate::task::disk;
use crate::task::rights::OpenMode;

/// The reason why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpeningError {
    /// A link below a directory that not only root may change.
    #[error("it is a link in a directory that users other than root may change")]
    Link,
    /// Something else than a regular file.
    #[error("it is not a regular file")]
    NotRegular,
    /// Several names lead to the file.
    #[error("it has several links")]
    SeveralLinks,
    /// The path is not absolute.
    #[error("its path is not absolute")]
    Relative,
    /// Not only root may change the file, or a directory above it.
    #[error("users other than root may change it or a directory above it")]
    NotRoots,
    /// A system call failed.
    #[error(transparent)]
    System(#[from] Errno),
}

impl OpeningError {
    /// Number of the system's error.
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            OpeningError::System(errno) => Some(errno.raw_os_error()),
            _ => None,
        }
    }
}

/// The directory of a file, and the file's name in it.
struct NameInDirectory {
    directory: OwnedFd,
    name: OsString,
    /// Whether root alone may change the directory and all others on the way.
    is_roots: bool,
}

/// Opens a file that a configuration names. One that is created belongs to `user`.
///
/// # Errors
///
/// The path contains a link that another user may have placed, or a system call failed.
pub(super) fn open(path: &Path, mode: OpenMode, user: &User) -> Result<File, OpeningError> {
    let NameInDirectory { directory, name, .. } = find(path)?;
    let common = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match mode {
        OpenMode::Read => openat(&directory, &name, common | OFlags::RDONLY, Mode::empty()),
        OpenMode::Append | OpenMode::AppendSecret => {
            let permissions = if mode == OpenMode::Append { 0o644 } else { 0o600 };
            append(&directory, &name, common | OFlags::WRONLY | OFlags::APPEND, permissions, user)
        }
    };
    let file = opened.map_err(|errno| match errno {
        // The name was a link, or a FIFO without a reader.
        Errno::LOOP => OpeningError::Link,
        Errno::NXIO => OpeningError::NotRegular,
        errno => OpeningError::System(errno),
    })?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(OpeningError::NotRegular);
    }
    if found.st_nlink != 1 {
        return Err(OpeningError::SeveralLinks);
    }
    Ok(file.into())
}

fn append(
    directory: &OwnedFd,
    name: &OsStr,
    flags: OFlags,
    permissions: u32,
    user: &User,
) -> Result<OwnedFd, Errno> {
    match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => {}
        opened => return opened,
    }
    let mode = Mode::from_raw_mode(permissions);
    let file = openat(directory, name, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
    fchown(&file, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?;
    Ok(file)
}

/// Opens a text of the configuration or a program, which only root may be able to change.
///
/// # Errors
///
/// Another user may change it, or an error of the system.
pub(super) fn open_roots(path: &Path) -> Result<File, OpeningError> {
    let NameInDirectory { directory, name, is_roots } = find(path)?;
    if !is_roots {
        return Err(OpeningError::NotRoots);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(&directory, &name, flags, Mode::empty())?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(OpeningError::NotRegular);
    }
    if !only_root_changes(&found) {
        return Err(OpeningError::NotRoots);
    }
    Ok(file.into())
}

/// Whether root alone may change the directory of a path and all above it.
pub(super) fn is_in_roots_directory(path: &Path) -> bool {
    find(path).is_ok_and(|place| place.is_roots)
}

/// Follows a path up to its last name, which is not a link if root alone may change its directory.
fn find(path: &Path) -> Result<NameInDirectory, OpeningError> {
    if !path.is_absolute() {
        return Err(OpeningError::Relative);
    }
    let root =
        || openat(rustix::fs::CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    // The names still to follow, the next one last.
    let mut names = Vec::new();
    push(&mut names, path);
    let mut place = NameInDirectory { directory: root()?, name: OsString::from("."), is_roots: true };
    place.is_roots = only_root_changes(&fstat(&place.directory)?);
    let mut links = 0;
    while let Some(name) = names.pop() {
        let is_last = names.is_empty();
        let found = match statat(&place.directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) if is_last => return Ok(NameInDirectory { name, ..place }),
            found => found?,
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink if !place.is_roots => return Err(OpeningError::Link),
            FileType::Symlink => {
                links += 1;
                if links > limits::HELPER_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&place.directory, &name, Vec::new())?;
                let target = OsString::from_vec(target.into_bytes());
                if Path::new(&target).is_absolute() {
                    place.directory = root()?;
                }
                push(&mut names, Path::new(&target));
            }
            _ if is_last => return Ok(NameInDirectory { name, ..place }),
            _ => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                place.directory = openat(&place.directory, &name, flags, Mode::empty())?;
                place.is_roots &= only_root_changes(&fstat(&place.directory)?);
            }
        }
    }
    // The path or a link ended in a directory.
    Err(Errno::ISDIR.into())
}

/// Adds the names of a path to those to follow.
fn push(names: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.extend(parts);
}

fn only_root_changes(found: &Stat) -> bool {
    disk::only_root_changes(found.st_uid, found.st_mode)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::{Read, Write};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    const USER: User = User { uid: 65534, gid: 65534, name: String::new() };

    /// A directory below one that root alone may change, as the directories of system services are.
    fn directory() -> Option<tempfile::TempDir> {
        nix::unistd::geteuid().is_root().then(|| tempfile::tempdir_in("/run").unwrap())
    }

    fn content(path: &Path) -> Result<String, OpeningError> {
        let mut text = String::new();
        open(path, OpenMode::Read, &USER)?.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[test]
    fn links_of_root_are_followed_and_those_of_others_are_not() {
        let Some(dir) = directory() else { return };
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("archive")).unwrap();
        fs::write(at("archive/key1"), "secret").unwrap();
        fs::set_permissions(at("archive/key1"), Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(at("live")).unwrap();
        symlink("../archive/key1", at("live/key")).unwrap();
        symlink(at("live"), at("now")).unwrap();
        for path in ["archive/key1", "live/key", "now/key", "now/../live/./key"] {
            assert_eq!(content(&at(path)).unwrap(), "secret", "{path}");
        }
        // Another user owns the directory: what it holds may be read, but no link leads out of it.
        chown(at("live"), Some(65534), None).unwrap();
        fs::write(at("live/own"), "own").unwrap();
        assert_eq!(content(&at("live/own")).unwrap(), "own");
        assert!(matches!(content(&at("live/key")), Err(OpeningError::Link)));
        assert!(matches!(content(&at("now/key")), Err(OpeningError::Link)));
        fs::create_dir(at("live/sub")).unwrap();
        symlink(at("archive"), at("live/sub/out")).unwrap();
        assert!(matches!(content(&at("live/sub/out/key1")), Err(OpeningError::Link)));
        fs::hard_link(at("archive/key1"), at("live/hard")).unwrap();
        assert!(matches!(content(&at("live/hard")), Err(OpeningError::SeveralLinks)));
    }

    #[test]
    fn only_regular_files_are_opened_and_nothing_blocks() {
        let Some(dir) = directory() else { return };
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for mode in [OpenMode::Read, OpenMode::Append] {
            assert!(matches!(open(&fifo, mode, &USER), Err(OpeningError::NotRegular)));
            assert!(open(dir.path(), mode, &USER).is_err());
            assert!(open(Path::new("relative"), mode, &USER).is_err());
            assert!(open(Path::new("/dev/null"), mode, &USER).is_err());
        }
        let ring = dir.path().join("ring");
        symlink("ring", &ring).unwrap();
        assert!(matches!(content(&ring), Err(OpeningError::System(Errno::LOOP))));
        assert!(matches!(content(&dir.path().join("none")), Err(OpeningError::System(Errno::NOENT))));
    }

    #[test]
    fn a_log_that_is_created_belongs_to_the_user_and_another_keeps_its_owner() {
        let Some(dir) = directory() else { return };
        let (new, old) = (dir.path().join("new.log"), dir.path().join("old.log"));
        fs::write(&old, "before\n").unwrap();
        for path in [&new, &old] {
            open(path, OpenMode::Append, &USER).unwrap().write_all(b"line\n").unwrap();
        }
        assert_eq!(fs::metadata(&new).unwrap().uid(), 65534);
        assert_eq!(fs::metadata(&old).unwrap().uid(), 0);
        assert_eq!(fs::read_to_string(&old).unwrap(), "before\nline\n");
        let keys = dir.path().join("keys");
        open(&keys, OpenMode::AppendSecret, &USER).unwrap();
        let found = fs::metadata(&keys).unwrap();
        assert_eq!((found.uid(), found.permissions().mode() & 0o777), (65534, 0o600));
    }

    #[test]
    fn texts_and_programs_are_roots_alone() {
        let Some(dir) = directory() else { return };
        let file = dir.path().join("file");
        fs::write(&file, "text").unwrap();
        assert!(open_roots(&file).is_ok() && is_in_roots_directory(&file));
        fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(open_roots(&file), Err(OpeningError::NotRoots)));
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(matches!(open_roots(&file), Err(OpeningError::NotRoots)));
        assert!(!is_in_roots_directory(&file));
        // Another user has made a directory in one that all users may change.
        assert!(matches!(open_roots(&std::env::temp_dir().join("file")), Err(OpeningError::NotRoots)));
    }
}
