//! Blocking disk work, on threads that carry no media. Each kind of work has its own bound, so that a stalled disk
//! blocks only its own kind.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, JoinHandle};

use crate::limits;
use crate::syntax::texts::{TextError, read_opened};
use crate::task::rights::{self, OpenMode};

/// Kind of disk work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskWork {
    /// Files served over HTTP.
    Served,
    /// Writing of HLS files.
    Hls,
    /// Writing of DASH files.
    Dash,
    /// FLV recordings.
    Record,
    /// MPEG-TS recordings.
    LiveRecord,
    /// Starting commands.
    Exec,
    /// Bodies of requests.
    Bodies,
    /// Cached responses.
    Cache,
}

static PLACES: [Semaphore; 8] = [const { Semaphore::const_new(limits::DISK_WORK) }; 8];

/// Runs `job` on a blocking thread. Jobs beyond the bound of their kind queue.
pub fn spawn<T: Send + 'static>(work: DiskWork, job: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let places = &PLACES[work as usize];
    let begin = move |place: SemaphorePermit<'static>| {
        tokio::task::spawn_blocking(move || {
            let _place = place;
            job()
        })
    };
    match places.try_acquire() {
        Ok(place) => begin(place),
        Err(_) => tokio::spawn(async move {
            let place = places.acquire().await.expect("it is never closed");
            match begin(place).await.map_err(JoinError::try_into_panic) {
                Ok(done) => done,
                Err(Ok(panic)) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it.
                Err(Err(_)) => std::future::pending().await,
            }
        }),
    }
}

/// Open flags against symbolic links for files that root writes: the directory may belong to the server's user, whose
/// links could redirect the write.
pub fn no_links() -> i32 {
    if nix::unistd::geteuid().is_root() { O_NOFOLLOW } else { 0 }
}

/// Whether root alone may change what has this owner and mode.
pub fn only_root_changes(uid: u32, mode: u32) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    uid == 0 && mode & OTHERS_WRITE == 0
}

/// Opens a regular file. FIFOs and devices, which could block or be endless, are an error at once. As root, a symbolic
/// link to a file to be written is refused ([`no_links`]).
///
/// # Errors
///
/// Errors of the system; [`io::ErrorKind::InvalidInput`] if it is neither a file nor a directory.
pub fn open(options: &mut OpenOptions, path: &Path, writes: bool) -> io::Result<File> {
    let links = if writes { no_links() } else { 0 };
    let file = options.custom_flags(O_NONBLOCK | links).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() || (kind.is_dir() && !writes) {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
}

/// Reads a whole regular file that the configuration names; see [`open`]. If only root may read it, the process's helper
/// opens it.
///
/// # Errors
///
/// Errors of the system; [`io::ErrorKind::InvalidInput`] if it is neither a file nor a directory.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let opened = open(OpenOptions::new().read(true), path, false);
    rights::or_helped(opened, path, OpenMode::Read)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads what is written into a FIFO until its writers have closed it. Waits for them at most `patience`.
///
/// # Errors
///
/// Errors of the system; [`io::ErrorKind::InvalidInput`] for what is no FIFO, [`io::ErrorKind::TimedOut`] if no process
/// has written into it and closed it in time, [`io::ErrorKind::FileTooLarge`] for more than `most` bytes.
pub fn read_fifo(path: &Path, patience: Duration, most: usize) -> io::Result<Vec<u8>> {
    // Without O_NONBLOCK the call waits for a writer, however long that takes.
    let mut fifo = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !fifo.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a FIFO"));
    }
    let until = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if poll(&mut [PollFd::new(fifo.as_fd(), PollFlags::POLLIN)], left)? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no process has written and closed it"));
        }
        match fifo.read(&mut part) {
            Ok(0) => return Ok(bytes),
            Ok(read) if bytes.len() + read > most => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(read) => bytes.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a whole text file that the configuration names, as [`read`] does.
///
/// # Errors
///
/// The file cannot be read or is too large.
pub fn read_text(path: &Path) -> Result<Bytes, TextError> {
    let opened = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path);
    read_opened(path, rights::or_helped(opened, path, OpenMode::Read))
}

/// Removes an own file if it is empty. Returns whether it did.
pub fn remove_if_empty(path: &Path, file: io::Result<File>) -> bool {
    let is_empty =
        file.and_then(|file| file.metadata()).is_ok_and(|found| found.len() == 0 && found.nlink() == 1);
    is_empty && std::fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn what_is_no_file_is_an_error_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        assert!(open(OpenOptions::new().read(true), &fifo, false).is_err());
        assert!(open(OpenOptions::new().write(true), &fifo, true).is_err());
        // Also if the other end is open.
        let _reader = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&fifo).unwrap();
        assert!(open(OpenOptions::new().write(true), &fifo, true).is_err());
        assert!(open(OpenOptions::new().read(true), Path::new("/dev/zero"), false).is_err());
        assert_eq!(read(&fifo).unwrap_err().to_string(), "it is not a regular file");
        std::fs::write(dir.path().join("file"), "text").unwrap();
        assert_eq!(read(&dir.path().join("file")).unwrap(), b"text");
    }

    #[test]
    fn a_fifo_is_read_until_it_is_closed_and_waits_only_so_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        let long = Duration::from_secs(10);
        let writes = |text: &'static [u8]| {
            let path = path.clone();
            std::thread::spawn(move || std::fs::write(path, text))
        };
        let writer = writes(b"one\ntwo\n");
        assert_eq!(read_fifo(&path, long, 100).unwrap(), b"one\ntwo\n");
        writer.join().unwrap().unwrap();
        let writer = writes(b"too long");
        assert_eq!(read_fifo(&path, long, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let _ = writer.join().unwrap();
        let soon = Duration::from_millis(10);
        assert_eq!(read_fifo(&path, soon, 100).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let held = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(read_fifo(&path, soon, 100).unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(held);
        let file = dir.path().join("file");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_fifo(&file, soon, 100).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn root_writes_through_no_link() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("precious"), dir.path().join("link"));
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open(OpenOptions::new().write(true).truncate(true), &link, true).is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert!(open(OpenOptions::new().read(true), &link, false).is_ok());
    }

    #[tokio::test]
    async fn one_kind_of_work_that_hangs_leaves_threads_to_the_others() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = std::sync::Arc::new(std::sync::Mutex::new(released));
        let hanging: Vec<_> = (0..2 * limits::DISK_WORK)
            .map(|_| {
                let released = released.clone();
                spawn(DiskWork::Served, move || {
                    let _ = released.lock().unwrap().recv();
                })
            })
            .collect();
        assert_eq!(spawn(DiskWork::Hls, || 7).await.unwrap(), 7);
        drop(release);
        for work in hanging {
            work.await.unwrap();
        }
    }
}
