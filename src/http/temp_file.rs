//! Temporary files of request bodies (`client_body_temp_path`).
//!
//! Files are created, written, closed and removed by threads that may wait for the disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::core::temp_path::TempPath;
use crate::limits;
use crate::task::disk::{self, DiskWork};

/// Fate of a file when its request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It has no name from the beginning.
    Nameless,
    /// It is removed.
    UntilEnd,
    /// It stays.
    Kept,
}

/// A temporary file.
#[derive(Debug)]
pub struct TempFile {
    /// Gone only while the value is dropped.
    opened: Option<Opened>,
    /// Path at which it was created.
    pub path: PathBuf,
    /// Length in bytes.
    pub length: u64,
}

#[derive(Debug)]
struct Opened {
    file: Arc<File>,
    /// Removes the file when it is dropped.
    removal: Option<Removal>,
}

/// Removes a file when it is dropped.
#[derive(Debug)]
struct Removal(PathBuf);

/// A failed operation.
#[derive(Debug, thiserror::Error)]
#[error("{call}() \"{}\" failed", .path.display())]
pub struct TempFileError {
    /// The system's call.
    pub call: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// Its error.
    pub source: io::Error,
}

/// Mode of files, and of directories.
pub(super) const MODE: (u32, u32) = (0o600, 0o700);

/// Number in the name of the latest file.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// nginx's step to another number after a name that exists.
const STEP: u32 = 123_456;

impl TempFile {
    /// Creates a file.
    ///
    /// # Errors
    ///
    /// [`TempFileError`].
    pub async fn create(place: &TempPath, keeping: Keeping) -> Result<TempFile, TempFileError> {
        let place = place.clone();
        run(move || create(&place, keeping)).await
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`TempFileError`].
    pub async fn append(mut self, bytes: Bytes) -> Result<TempFile, TempFileError> {
        run(move || {
            let failed =
                |source, path: &Path| TempFileError { call: "pwrite", path: path.to_owned(), source };
            self.file().write_all_at(&bytes, self.length).map_err(|error| failed(error, &self.path))?;
            self.length += bytes.len() as u64;
            Ok(self)
        })
        .await
    }

    /// The file got another name: nothing is removed.
    pub fn moved(&mut self) {
        if let Some(removal) = self.opened.as_mut().and_then(|opened| opened.removal.as_mut()) {
            removal.0 = PathBuf::new();
        }
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.opened.as_ref().expect("it is taken only when the value is dropped").file
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let opened = self.opened.take();
        // Closing the last descriptor of a file without a name frees its blocks. A job that is never run is dropped.
        if Handle::try_current().is_ok() {
            drop(disk::spawn(DiskWork::Bodies, move || drop(opened)));
        }
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.0.as_os_str().is_empty() {
            return;
        }
        // A file that is gone already needs no removal.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a job on a thread that may wait for the disk.
async fn run(
    job: impl FnOnce() -> Result<TempFile, TempFileError> + Send + 'static,
) -> Result<TempFile, TempFileError> {
    let done = disk::spawn(DiskWork::Bodies, job).await;
    done.unwrap_or_else(|error| {
        Err(TempFileError { call: "pwrite", path: PathBuf::new(), source: io::Error::other(error) })
    })
}

fn create(place: &TempPath, keeping: Keeping) -> Result<TempFile, TempFileError> {
    let next = |step: u32| NUMBER.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
    let mut number = next(1);
    let mut attempts = 0;
    loop {
        let path = place.file(number);
        attempts += 1;
        let failed = |call, source| TempFileError { call, path: path.clone(), source };
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(MODE.0).open(&path) {
            Ok(file) => {
                let removal = Removal(path.clone());
                let removal = match keeping {
                    Keeping::Nameless => {
                        std::fs::remove_file(&path).map_err(|error| failed("unlink", error))?;
                        std::mem::forget(removal);
                        None
                    }
                    Keeping::UntilEnd => Some(removal),
                    Keeping::Kept => {
                        std::mem::forget(removal);
                        None
                    }
                };
                let opened = Opened { file: Arc::new(file), removal };
                return Ok(TempFile { opened: Some(opened), path, length: 0 });
            }
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && attempts < limits::HTTP_TEMP_NAMES =>
            {
                number = next(STEP);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < limits::HTTP_TEMP_NAMES => {
                create_directories(place, &path)?;
            }
            Err(error) => return Err(failed("open", error)),
        }
    }
}

/// Creates the directory, and those of its levels above a file.
fn create_directories(place: &TempPath, file: &Path) -> Result<(), TempFileError> {
    let mut directories: Vec<&Path> = file.ancestors().skip(1).take(place.levels.len() + 1).collect();
    directories.reverse();
    for path in directories {
        match DirBuilder::new().mode(MODE.1).create(path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(TempFileError { call: "mkdir", path: path.to_owned(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(directory: &Path, levels: &[usize]) -> TempPath {
        TempPath { directory: directory.to_owned(), levels: levels.to_vec() }
    }

    #[tokio::test]
    async fn files_have_names_only_as_long_as_they_should() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir.path().join("made"), &[1, 2]);
        let nameless = TempFile::create(&place, Keeping::Nameless).await.unwrap();
        assert!(!nameless.path.exists());
        let until_end = TempFile::create(&place, Keeping::UntilEnd).await.unwrap();
        let until_end = until_end.append("some".into()).await.unwrap().append(" text".into()).await.unwrap();
        assert_eq!((std::fs::read(&until_end.path).unwrap(), until_end.length), (b"some text".to_vec(), 9));
        let kept = TempFile::create(&place, Keeping::Kept).await.unwrap();
        let paths = (until_end.path.clone(), kept.path.clone());
        drop((nameless, until_end, kept));
        while paths.0.exists() {
            tokio::task::yield_now().await;
        }
        assert!(paths.1.exists());
    }

    #[test]
    fn a_runtime_that_ends_removes_files() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path(), &[]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let path = runtime.block_on(async {
            let file = TempFile::create(&place, Keeping::UntilEnd).await.unwrap();
            let path = file.path.clone();
            tokio::spawn(async move {
                let _file = file;
                std::future::pending::<()>().await;
            });
            tokio::task::yield_now().await;
            assert!(path.exists());
            path
        });
        drop(runtime);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn another_name_is_taken_where_one_exists_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let taken = place(dir.path(), &[]);
        let failed = TempFile::create(&place(&dir.path().join("no/such"), &[]), Keeping::Kept).await;
        assert_eq!(failed.unwrap_err().call, "mkdir");
        let first = TempFile::create(&taken, Keeping::Kept).await.unwrap();
        let number: u32 = first.path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        // The next numbers, as far as other tests do not take them.
        (1..64).for_each(|next| std::fs::write(taken.file(number + next), "").unwrap());
        let second = TempFile::create(&taken, Keeping::Kept).await.unwrap();
        assert!(!second.path.ends_with(first.path.file_name().unwrap()));
    }
}
