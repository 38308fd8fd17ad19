//! Generations on disk, so that `pingosd rollback` works after a restart too.
//!
//! One directory contains one file per generation, named `CONF-PLACE.NUMBER-HASH`: the main file's name and a hash of
//! its path, since servers with other files may share the directory; the generation's number; a hash of its texts. The
//! files contain secrets, so only their owner may read them. They are written to a temporary file and renamed, and
//! contain their own hash: foreign or damaged files are ignored. Symbolic links are never followed.

mod error;
mod format;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::unistd::{Pid, geteuid};

pub use self::error::ArchiveError;
use super::LoadOptions;
use super::history::Generation;
use super::private_files;
use super::watch::Fingerprint;
use crate::limits;

/// Default directory, below the prefix.
pub const DIRECTORY: &str = "generations";

/// Archive of the generations of one main file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    directory: PathBuf,
    /// Path with which the main file is opened.
    main: PathBuf,
    /// Common beginning of the names of its generations.
    stem: String,
}

/// Contents of an archive.
#[derive(Debug, Default)]
pub struct ArchiveContents {
    /// Generations, oldest first.
    pub generations: Vec<Generation>,
    /// Skipped entries with reasons.
    pub skipped: Vec<ArchiveError>,
    /// Highest number in use, including skipped entries; 0 if there is none.
    pub last_number: u64,
}

/// A parsed file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ArchiveFile<'n> {
    /// A generation with this number.
    Kept(u64),
    /// A generation that this process was writing.
    Unfinished(i32),
    /// Not a file of this archive.
    Foreign(&'n OsStr),
}

impl Archive {
    /// Archive of a main file in this directory.
    pub fn new(directory: PathBuf, main: &Path) -> Archive {
        Archive { directory, main: main.to_owned(), stem: private_files::stem(main) }
    }

    /// Path of the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates the directory or makes it private, and hands it over to the server's user. Must be called before
    /// privileges are dropped.
    ///
    /// # Errors
    ///
    /// It cannot be created, or not be made private.
    pub fn prepare(&self, user: Option<u32>) -> Result<File, ArchiveError> {
        Ok(private_files::directory(&self.directory, user)?)
    }

    /// Reads the generations; `load` gives the words of the command line, which are not archived. Incomplete files of
    /// dead processes are removed.
    pub fn read(&self, load: &LoadOptions) -> ArchiveContents {
        let mut found = ArchiveContents::default();
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(error) => {
                found.skipped.push(error);
                return found;
            }
        };
        let mut kept = Vec::new();
        for name in &entries {
            match self.entry(name) {
                ArchiveFile::Kept(number) => kept.push((number, name)),
                ArchiveFile::Unfinished(pid) if is_gone(pid) => {
                    drop(fs::remove_file(self.directory.join(name)));
                }
                ArchiveFile::Unfinished(_) => {}
                ArchiveFile::Foreign(name) => {
                    found.skipped.push(ArchiveError::NotGeneration(self.directory.join(name)));
                }
            }
        }
        kept.sort_unstable();
        found.last_number = kept.last().map_or(0, |(number, _)| *number);
        // Surplus generations would be forgotten at once.
        let surplus = kept.len().saturating_sub(limits::GENERATIONS);
        for (number, name) in kept.into_iter().skip(surplus) {
            let path = self.directory.join(name);
            match self.read_one(&path, load) {
                Ok(generation) if generation.number == number => found.generations.push(generation),
                Ok(_) => found.skipped.push(ArchiveError::OtherNumber(path)),
                Err(error) => found.skipped.push(error),
            }
        }
        found
    }

    /// Writes a generation, removes those in `forgotten`, and the oldest ones beyond [`limits::GENERATIONS`].
    ///
    /// # Errors
    ///
    /// It cannot be written, or exceeds [`limits::GENERATION_BYTES`]. Existing files stay.
    pub fn keep(&self, generation: &Generation, forgotten: &[Generation]) -> Result<(), ArchiveError> {
        let text = format::encode(generation);
        if text.len() as u64 > limits::GENERATION_BYTES {
            return Err(ArchiveError::LargeTexts);
        }
        // It may have been removed.
        let directory = self.prepare(None)?;
        let unfinished = self.directory.join(format!("{}.new-{}", self.stem, std::process::id()));
        let place = self.directory.join(self.name(generation));
        private_files::replace(&directory, &unfinished, &place, &text)?;
        for forgotten in forgotten.iter().filter(|forgotten| forgotten.number != generation.number) {
            self.remove(OsStr::new(&self.name(forgotten)));
        }
        let entries = self.entries()?;
        let number = |name: &OsStr| match self.entry(name) {
            ArchiveFile::Kept(number) => Some(number),
            _ => None,
        };
        let mut kept: Vec<_> = entries.iter().filter_map(|name| Some((number(name)?, name))).collect();
        kept.sort_unstable();
        let surplus = kept.len().saturating_sub(limits::GENERATIONS);
        kept.into_iter().take(surplus).for_each(|(_, name)| self.remove(name));
        Ok(())
    }

    fn remove(&self, name: &OsStr) {
        // Another process may have removed it; remaining files are removed the next time.
        let _ = fs::remove_file(self.directory.join(name));
    }

    fn name(&self, generation: &Generation) -> String {
        let hash = Fingerprint::of_files(&generation.sources).short();
        format!("{}.{}-{hash}", self.stem, generation.number)
    }

    /// Parses a file name. Names of other main files must be filtered out before.
    fn entry<'n>(&self, name: &'n OsStr) -> ArchiveFile<'n> {
        let rest = name.to_str().and_then(|name| name.strip_prefix(&self.stem)?.strip_prefix('.'));
        let parts = rest.and_then(|rest| rest.split_once('-'));
        let entry = match parts {
            Some(("new", pid)) => pid.parse().ok().filter(|pid| *pid > 0).map(ArchiveFile::Unfinished),
            Some((number, hash)) if hash.len() == HASH && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                // A number with more digits than any server reaches could leave no next number.
                number.parse().ok().filter(|_| number.len() <= DIGITS).map(ArchiveFile::Kept)
            }
            _ => None,
        };
        entry.unwrap_or(ArchiveFile::Foreign(name))
    }

    /// File names with this archive's prefix.
    fn entries(&self) -> Result<Vec<std::ffi::OsString>, ArchiveError> {
        match fs::symlink_metadata(&self.directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(ArchiveError::NotDirectory(self.directory.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("reading", &self.directory)(error)),
        }
        let listed = fs::read_dir(&self.directory).map_err(failed("reading", &self.directory))?;
        let start = format!("{}.", self.stem);
        let mut names = Vec::new();
        for entry in listed.take(limits::GENERATION_ENTRIES) {
            let name = entry.map_err(failed("reading", &self.directory))?.file_name();
            if name.as_bytes().starts_with(start.as_bytes()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read_one(&self, path: &Path, load: &LoadOptions) -> Result<Generation, ArchiveError> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
        let file = file.map_err(failed("open()", path))?;
        let metadata = file.metadata().map_err(failed("fstat()", path))?;
        if !metadata.is_file() {
            return Err(ArchiveError::NotFile(path.to_owned()));
        }
        // A user who may merely write to the directory must not determine the configuration.
        let owners = [0, geteuid().as_raw(), fs::metadata(&self.directory).map_or(0, |d| d.uid())];
        if !owners.contains(&metadata.uid()) {
            return Err(ArchiveError::Owner { path: path.to_owned(), user: metadata.uid() });
        }
        let mut text = Vec::new();
        file.take(limits::GENERATION_BYTES + 1).read_to_end(&mut text).map_err(failed("read()", path))?;
        if text.len() as u64 > limits::GENERATION_BYTES {
            return Err(ArchiveError::LargeFile(path.to_owned()));
        }
        let generation = format::decode(text.into(), &load.globals);
        let generation =
            generation.map_err(|source| ArchiveError::Damaged { path: path.to_owned(), source })?;
        match generation.sources.find(&self.main) {
            Some(_) => Ok(generation),
            // For example if the server was started with another spelling of its prefix.
            None => Err(ArchiveError::OtherMain { path: path.to_owned(), main: self.main.clone() }),
        }
    }
}

/// Whether the process that was writing is dead, or its number is now that of this process.
fn is_gone(pid: i32) -> bool {
    Pid::from_raw(pid) == Pid::this() || kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError::System { call, path: path.to_owned(), source }
}

/// Length of the hash in a name.
const HASH: usize = 12;

/// Maximum number of digits of a generation number in a name.
const DIGITS: usize = 15;

#[cfg(test)]
mod tests;
