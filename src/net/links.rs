//! Opens files under a policy for symbolic links. What was checked is what is opened: each part of a path is opened
//! relative to the one before it, so that a link put there meanwhile is not followed.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};
use rustix::io::Errno;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// All.
    #[default]
    Followed,
    /// Links whose owner also owns the file or directory to which they lead.
    OfOwner,
    /// None.
    Refused,
}

/// Policy for the links of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkPolicy {
    /// Which links are followed.
    pub links: Links,
    /// Number of bytes at the beginning of the path in which all links are followed. A slash follows them; 0 means none.
    pub trusted: usize,
}

/// Access for which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Its metadata, for which it need not be readable.
    Test,
}

impl Access {
    fn flags(self) -> OFlags {
        match self {
            Access::Read => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Access::Test => OFlags::PATH | OFlags::CLOEXEC,
        }
    }
}

/// Flags for a directory on the way.
fn search() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// Opens a file if its path can be resolved from memory; `None` if that would wait for the disk, cannot be told on this
/// system, or a link has to be looked at.
pub fn open_present(path: &Path, policy: LinkPolicy, access: Access) -> Option<io::Result<File>> {
    let path = path.as_os_str().as_bytes();
    if policy.links == Links::Followed {
        return told(openat2(CWD, path, access.flags(), Mode::empty(), ResolveFlags::CACHED));
    }
    let (base, rest) = split(path, policy.trusted);
    let opened = match base {
        None => openat2(CWD, rest, access.flags(), Mode::empty(), unlinked()),
        Some(base) => match openat2(CWD, base, search(), Mode::empty(), ResolveFlags::CACHED) {
            Ok(base) => openat2(base, rest, access.flags(), Mode::empty(), unlinked()),
            Err(error) => Err(error),
        },
    };
    told(opened)
}

fn unlinked() -> ResolveFlags {
    ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS
}

fn told(opened: rustix::io::Result<OwnedFd>) -> Option<io::Result<File>> {
    match opened {
        Ok(file) => Some(Ok(file.into())),
        Err(Errno::AGAIN | Errno::NOSYS | Errno::INVAL | Errno::PERM | Errno::LOOP) => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// Opens a file; waits for the disk.
///
/// # Errors
///
/// Errors of the system. As in nginx, a refused link is `ELOOP` at the end of a path; before it, `ENOTDIR` if no link
/// may be followed.
pub fn open(path: &Path, policy: LinkPolicy, access: Access) -> io::Result<File> {
    let path = path.as_os_str().as_bytes();
    let opened = match policy.links {
        Links::Followed => openat(CWD, path, access.flags(), Mode::empty()),
        Links::OfOwner | Links::Refused => walk(path, policy, access),
    };
    opened.map(File::from).map_err(io::Error::from)
}

/// The directory from which links are looked at, if it is not the present one, and the path from there on.
fn split(path: &[u8], trusted: usize) -> (Option<&[u8]>, &[u8]) {
    let (base, rest) = match path {
        _ if trusted > 0 && trusted < path.len() => (Some(&path[..trusted]), &path[trusted + 1..]),
        [b'/', rest @ ..] => (Some(&b"/"[..]), rest),
        rest => (None, rest),
    };
    let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
    let rest = &rest[slashes..];
    (base, if rest.is_empty() { b"." } else { rest })
}

/// Opens the parts of a path one after the other.
fn walk(path: &[u8], policy: LinkPolicy, access: Access) -> rustix::io::Result<OwnedFd> {
    let (base, rest) = split(path, policy.trusted);
    let mut at = openat(CWD, base.unwrap_or(b"."), search(), Mode::empty())?;
    let (directories, last) = match rest.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&rest[..slash], &rest[slash + 1..]),
        None => (&b""[..], rest),
    };
    for name in directories.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        at = match policy.links {
            Links::OfOwner => open_owned(&at, name, search())?,
            Links::Followed | Links::Refused => {
                openat(&at, name, search() | OFlags::NOFOLLOW, Mode::empty())?
            }
        };
    }
    if last.is_empty() {
        return openat(&at, ".", access.flags(), Mode::empty());
    }
    if policy.links == Links::OfOwner {
        return open_owned(&at, last, access.flags());
    }
    let file = openat(&at, last, access.flags() | OFlags::NOFOLLOW, Mode::empty())?;
    refuse_link(file)
}

/// Opens a name; if it is a link, only to something of the link's owner. The link that is read is the one whose owner is
/// compared, whatever the name has become meanwhile.
fn open_owned(at: &OwnedFd, name: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let link = openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = fstat(&link)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
        return refuse_link(openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())?);
    }
    let target = readlinkat(&link, "", Vec::new())?;
    let file = openat(at, target, flags, Mode::empty())?;
    if fstat(&file)?.st_uid == found.st_uid { Ok(file) } else { Err(Errno::LOOP) }
}

/// A descriptor without access to contents may be one of a link itself.
fn refuse_link(file: OwnedFd) -> rustix::io::Result<OwnedFd> {
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::Symlink => Err(Errno::LOOP),
        _ => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{lchown, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A directory with files and links, and its resolved path.
    fn directory() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(path.join("real")).unwrap();
        fs::write(path.join("real/file"), "text").unwrap();
        symlink("real", path.join("directory")).unwrap();
        symlink("real/file", path.join("link")).unwrap();
        symlink("loop", path.join("loop")).unwrap();
        symlink("none", path.join("dangling")).unwrap();
        (dir, path)
    }

    /// The error number, or 0 for a file that was opened; both ways agree, where the quick one tells.
    fn outcome(path: &Path, policy: LinkPolicy, access: Access) -> i32 {
        let number = |opened: io::Result<File>| opened.err().map_or(0, |error| error.raw_os_error().unwrap());
        let waiting = number(open(path, policy, access));
        if let Some(quick) = open_present(path, policy, access) {
            assert_eq!(number(quick), waiting, "{}", path.display());
        }
        waiting
    }

    #[test]
    fn refused_links_are_not_followed_anywhere_in_a_path() {
        let (_dir, path) = directory();
        let policy = LinkPolicy { links: Links::Refused, trusted: 0 };
        let (noent, notdir, looped) =
            (Errno::NOENT.raw_os_error(), Errno::NOTDIR.raw_os_error(), Errno::LOOP.raw_os_error());
        for access in [Access::Read, Access::Test] {
            for (name, want) in [
                ("real/file", 0),
                ("real//file", 0),
                ("real/", 0),
                ("link", looped),
                ("dangling", looped),
                ("loop", looped),
                ("directory", looped),
                ("directory/file", notdir),
                ("directory/", notdir),
                ("none", noent),
                ("real/file/", notdir),
            ] {
                assert_eq!(outcome(&path.join(name), policy, access), want, "{name}, {access:?}");
            }
        }
    }

    #[test]
    fn links_in_the_trusted_part_are_followed() {
        let (_dir, path) = directory();
        let base = path.join("directory");
        let policy = LinkPolicy { links: Links::Refused, trusted: base.as_os_str().len() };
        assert_eq!(outcome(&base.join("file"), policy, Access::Read), 0);
        symlink("file", path.join("real/inner")).unwrap();
        assert_eq!(outcome(&base.join("inner"), policy, Access::Read), Errno::LOOP.raw_os_error());
        let whole = PathBuf::from(format!("{}/", base.display()));
        assert_eq!(outcome(&whole, policy, Access::Read), 0);
    }

    #[test]
    fn links_of_the_owner_are_followed_and_others_refused() {
        let (_dir, path) = directory();
        let policy = LinkPolicy { links: Links::OfOwner, trusted: 0 };
        let mut text = String::new();
        open(&path.join("directory/file"), policy, Access::Read).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert_eq!(outcome(&path.join("link"), policy, Access::Test), 0);
        assert_eq!(outcome(&path.join("dangling"), policy, Access::Read), Errno::NOENT.raw_os_error());
        if nix::unistd::geteuid().is_root() {
            lchown(path.join("link"), Some(12_345), None).unwrap();
            lchown(path.join("directory"), Some(12_345), None).unwrap();
            for name in ["link", "directory/file"] {
                assert_eq!(outcome(&path.join(name), policy, Access::Read), Errno::LOOP.raw_os_error());
            }
        }
    }
}
