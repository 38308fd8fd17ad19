//! Opening of log files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{ELOOP, ENXIO, O_NONBLOCK};

use crate::limits;
use crate::task::disk;
use crate::task::rights::{self, OpenMode};

/// Permissions of a log that is created, before the process's mask.
const FOR_ALL: u32 = 0o666;

/// Permissions of one with secrets.
const FOR_OWNER: u32 = 0o600;

/// Opens a log for appending; one write is one line, also between processes.
///
/// Operators use symbolic links, for example from a log to `/dev/stdout`. If logs are in a directory of the server's
/// user, that user could create a link and make root write anywhere. As root, therefore, a link is followed only if no
/// other user can have created it: root owns it and its directory, and no other user may write to the directory.
///
/// A file that only root may write is opened by the process's helper, if there is one.
///
/// Opening never blocks. If the log is a FIFO, nginx waits for a reader, which would block a reload forever.
///
/// # Errors
///
/// Errors of the system, [`io::ErrorKind::PermissionDenied`] for such a link, and [`io::ErrorKind::NotConnected`] for a
/// FIFO without a reader.
pub fn open_log(path: &Path) -> io::Result<File> {
    rights::or_helped(open(path, disk::no_links(), FOR_ALL), path, OpenMode::Append)
}

/// As [`open_log`], for secrets: a file that is created may be read by its owner only.
///
/// # Errors
///
/// As for [`open_log`].
pub(super) fn open_secret_log(path: &Path) -> io::Result<File> {
    rights::or_helped(open(path, disk::no_links(), FOR_OWNER), path, OpenMode::AppendSecret)
}

/// As [`open_log`], with the rights of the server's user only.
///
/// # Errors
///
/// As for [`open_log`].
pub(super) fn open_own_log(path: &Path) -> io::Result<File> {
    open(path, disk::no_links(), FOR_ALL)
}

fn open(path: &Path, no_links: i32, mode: u32) -> io::Result<File> {
    let mut path = path.to_owned();
    for _ in 0..=limits::LOG_LINKS {
        match append(&path, no_links, mode) {
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
            // A link of the kernel such as /proc/self/fd/1, whose target is not necessarily a path.
            return append(&path, 0, mode);
        }
        path = directory.join(fs::read_link(&path)?);
    }
    Err(io::Error::from_raw_os_error(ELOOP))
}

fn append(path: &Path, flags: i32, mode: u32) -> io::Result<File> {
    let opened =
        OpenOptions::new().append(true).create(true).mode(mode).custom_flags(flags | O_NONBLOCK).open(path);
    let file = opened.map_err(|error| match fs::metadata(path) {
        Ok(found) if error.raw_os_error() == Some(ENXIO) && found.file_type().is_fifo() => {
            io::Error::new(io::ErrorKind::NotConnected, "it is a FIFO that no program reads")
        }
        _ => error,
    })?;
    // Only opening must not block: a separate thread writes the lines.
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(file)
}

fn is_roots(link: &Path, directory: &Path) -> io::Result<bool> {
    let (link, directory) = (fs::symlink_metadata(link)?, fs::metadata(directory)?);
    Ok(link.uid() == 0 && disk::only_root_changes(directory.uid(), directory.mode()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    /// Whether a written line arrives.
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
    fn a_fifo_is_a_log_while_a_program_reads_it_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(open_log(&path).unwrap_err().to_string(), "it is a FIFO that no program reads");
        let mut reader = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&path).unwrap();
        let mut log = open_log(&path).unwrap();
        log.write_all(b"line\n").unwrap();
        let flags = OFlag::from_bits_retain(fcntl(&log, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK), "lines wait for room");
        drop(log);
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, "line\n");
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
