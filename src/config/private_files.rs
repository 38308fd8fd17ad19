//! Files that only the server's user may read, in directories that only this user can enter.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};

use crate::syntax::texts::system_error;

/// A system call about such a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("{call} \"{}\" failed {}", .path.display(), system_error(.source))]
pub struct PrivateFileError {
    /// The system call or operation.
    call: &'static str,
    /// The file or directory.
    path: PathBuf,
    /// The system's error.
    source: io::Error,
}

/// Name of a main file together with a hash of its path, for the names of files about it.
pub(super) fn stem(main: &Path) -> String {
    let place = std::path::absolute(main).unwrap_or_else(|_| main.to_owned());
    let hash = Sha256::digest(place.as_os_str().as_bytes());
    let name = main.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '_' };
    let name: String = name.chars().take(NAME).map(plain).collect();
    format!("{name}-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

/// Creates a directory or makes it private, and hands it over to a user.
///
/// # Errors
///
/// It cannot be created, or not be made private.
pub(super) fn directory(path: &Path, user: Option<u32>) -> Result<File, PrivateFileError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("mkdir()", path)(error));
        }
        _ => {}
    }
    let directory = open_directory(path)?;
    let metadata = directory.metadata().map_err(failed("fstat()", path))?;
    if metadata.mode() & 0o077 != 0 {
        let private = fs::Permissions::from_mode(0o700);
        directory.set_permissions(private).map_err(failed("chmod()", path))?;
    }
    if user.is_some_and(|user| user != metadata.uid()) {
        fchown(&directory, user, None).map_err(failed("chown()", path))?;
    }
    Ok(directory)
}

/// Writes a private file at once or not at all: to `unfinished` in the same directory, which is then renamed to `place`.
///
/// # Errors
///
/// It cannot be written. A file at `place` stays.
pub(super) fn replace(
    directory: &File,
    unfinished: &Path,
    place: &Path,
    text: &[u8],
) -> Result<(), PrivateFileError> {
    let written = write(unfinished, text)
        .and_then(|()| fs::rename(unfinished, place))
        .and_then(|()| directory.sync_all());
    written.map_err(|error| {
        // The file belongs to this process and may not exist.
        let _ = fs::remove_file(unfinished);
        failed("writing", place)(error)
    })
}

fn open_directory(path: &Path) -> Result<File, PrivateFileError> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    file.map_err(failed("open()", path))
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    // An incomplete file of an earlier process with the same number.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PrivateFileError {
    move |source| PrivateFileError { call, path: path.to_owned(), source }
}

/// Maximum length of the main file's name in the names of generations.
const NAME: usize = 64;
