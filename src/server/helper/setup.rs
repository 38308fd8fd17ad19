//! What the helper knows from its start: it is written by root and never changes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::LoadOptions;
use crate::directive::evaluation::HostNames;
use crate::directive::language::Language;
use crate::limits;
use crate::server::upgrade::Launch;

/// Fixed values of the helper.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::server) struct Setup {
    /// The user that the serving process becomes.
    pub(super) user: User,
    /// Working directory, to which relative paths refer.
    pub(super) directory: OsString,
    prefix: OsString,
    conf_file: OsString,
    globals: Vec<u8>,
    /// Log of a configuration that names none.
    pub(super) error_log: OsString,
    /// The pid file and the control socket, as far as there are any.
    pub(super) own_files: Vec<OwnFile>,
    /// The program that an upgrade starts.
    pub(super) program: OsString,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Its process group, that of the serving process.
    pub(super) process_group: i32,
    /// Its environment.
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// A user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::server) struct User {
    /// User id.
    pub(in crate::server) uid: u32,
    /// Group id.
    pub(in crate::server) gid: u32,
    /// Name.
    pub(in crate::server) name: String,
}

/// A file of the serving process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnFile {
    /// Its path at the start.
    pub(super) path: OsString,
    /// Device and inode.
    pub(super) identity: (u64, u64),
}

impl Setup {
    /// The values of this process, which is still root's.
    pub(in crate::server) fn new(
        load: &LoadOptions,
        user: User,
        launch: &Launch,
        own_files: impl IntoIterator<Item = PathBuf>,
    ) -> Setup {
        let absolute = |path: &Path| launch.directory().join(path).into_os_string();
        Setup {
            user,
            directory: launch.directory().into(),
            prefix: load.prefix.clone().into(),
            conf_file: load.conf_file.clone().unwrap_or_default().into(),
            globals: load.globals.clone(),
            error_log: load.error_log.clone().into(),
            own_files: own_files.into_iter().filter_map(|path| OwnFile::of(&absolute(&path))).collect(),
            program: launch.program().into(),
            arguments: launch.arguments().to_vec(),
            process_group: nix::unistd::getpgrp().as_raw(),
            environment: std::env::vars_os().collect(),
        }
    }

    /// Options with which the configuration is loaded.
    pub(super) fn load(&self, language: &'static Language) -> LoadOptions {
        let conf_file = Some(PathBuf::from(&self.conf_file)).filter(|path| !path.as_os_str().is_empty());
        LoadOptions {
            language,
            prefix: self.prefix.clone().into(),
            conf_file,
            globals: self.globals.clone(),
            error_log: self.error_log.clone().into(),
            host_names: HostNames::Resolved,
        }
    }

    /// A path made absolute.
    pub(super) fn absolute(&self, path: impl AsRef<Path>) -> PathBuf {
        Path::new(&self.directory).join(path)
    }
}

impl OwnFile {
    fn of(path: &OsString) -> Option<OwnFile> {
        let identity = identity(Path::new(path))?;
        Some(OwnFile { path: path.clone(), identity })
    }
}

/// Device and inode of what a path names, links not followed.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Writes a value to a file in memory, for another process.
///
/// # Errors
///
/// Errors of the system.
pub(super) fn to_memory(value: &impl Serialize) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("pingosd", MemfdFlags::CLOEXEC)?);
    serde_json::to_writer(&file, value)?;
    file.flush()?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads a value from a file in memory.
///
/// # Errors
///
/// Errors of the system, and a value that is not understood or too long.
pub(super) fn from_memory<T: DeserializeOwned>(file: impl AsFd) -> io::Result<T> {
    let mut file = File::from(file.as_fd().try_clone_to_owned()?);
    file.rewind()?;
    let mut text = Vec::new();
    file.take(limits::HELPER_SETUP).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}
