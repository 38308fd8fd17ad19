//! The files of logs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::ELOOP;

use crate::limits;
use crate::task::disk;

/// Opens a log for appending; one write is one line, also between processes.
///
/// Links are for operators, as from a log to `/dev/stdout`. Where logs lie in a directory of the user whom the server
/// becomes, that user could make root write anywhere by one. Root therefore follows a link only if no other user can have
/// made it: it belongs to root, and so does its directory, which nobody else may write to.
///
/// # Errors
///
/// Those of the system, and [`io::ErrorKind::PermissionDenied`] for such a link.
pub fn open_log(path: &Path) -> io::Result<File> {
    open(path, disk::no_links())
}

fn open(path: &Path, no_links: i32) -> io::Result<File> {
    let mut path = path.to_owned();
    for _ in 0..=limits::LOG_LINKS {
        match append().custom_flags(no_links).open(&path) {
            Err(error) if no_links != 0 && error.raw_os_error() == Some(ELOOP) => {}
            opened => return opened,
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => ".".into(),
        };
        if !is_roots(&path, &directory)? {
            let text = "it is a link that another user than root may have made";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        if fs::canonicalize(&directory)?.starts_with("/proc") {
            // The kernel's own, such as /proc/self/fd/1: what it says is not a path.
            return append().open(&path);
        }
        path = directory.join(fs::read_link(&path)?);
    }
    Err(io::Error::from_raw_os_error(ELOOP))
}

fn append() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    options
}

fn is_roots(link: &Path, directory: &Path) -> io::Result<bool> {
    let (link, directory) = (fs::symlink_metadata(link)?, fs::metadata(directory)?);
    Ok(link.uid() == 0 && directory.uid() == 0 && directory.mode() & OTHERS_WRITE == 0)
}

/// Group and others may write.
const OTHERS_WRITE: u32 = 0o022;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    /// Whether a line comes through.
    fn takes(path: &Path) -> bool {
        let opened = open_log(path).map(|mut file| file.write_all(b"line\n").unwrap());
        assert!(opened.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::PermissionDenied));
        opened.is_ok()
    }

    #[test]
    fn root_follows_links_that_only_root_can_have_made() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        let (file, link, chain) =
            (dir.path().join("file"), dir.path().join("link"), dir.path().join("chain"));
        symlink("file", &link).unwrap();
        symlink(&link, &chain).unwrap();
        mode(0o755);
        assert!(takes(&file) && takes(&link) && takes(&chain));
        assert_eq!(fs::read_to_string(&file).unwrap(), "line\n".repeat(3));

        for open_to_others in [0o775, 0o757, 0o1777] {
            mode(open_to_others);
            assert!(takes(&file), "what is no link may lie anywhere");
            assert!(!takes(&link), "{open_to_others:o}");
        }
        mode(0o755);
        lchown(&link, Some(1), None).unwrap();
        assert!(!takes(&link) && !takes(&chain));
        lchown(&link, Some(0), None).unwrap();
        lchown(dir.path(), Some(1), None).unwrap();
        assert!(!takes(&link) && takes(&file));
    }

    #[test]
    fn links_of_the_kernel_lead_to_what_is_open() {
        let mut file = tempfile::tempfile().unwrap();
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        open_log(Path::new(&link)).unwrap().write_all(b"line\n").unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "line\n");
        assert!(open_log(Path::new("/dev/null")).is_ok());
    }

    #[test]
    fn links_in_a_ring_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        symlink(&two, &one).unwrap();
        symlink(&one, &two).unwrap();
        assert_eq!(open_log(&one).unwrap_err().raw_os_error(), Some(ELOOP));
    }
}
