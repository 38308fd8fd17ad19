//! The files of the configuration in force, as this process may read them.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::syntax::Sources;
use crate::syntax::texts::{Disk, TextError, Texts};
use crate::task::rights;

/// Files that the process reads itself, or has its helper read where only root may.
#[derive(Debug, Default)]
pub struct ReadableTexts {
    /// What the helper has read; `None` if it could not.
    helped: OnceCell<Option<Sources>>,
}

impl ReadableTexts {
    /// Has the helper read all files at once, if there is one: it then opens what they name.
    ///
    /// # Errors
    ///
    /// The helper does not answer.
    pub fn helped() -> std::io::Result<ReadableTexts> {
        let helped = rights::helper().map(|helper| helper.read_configuration()).transpose()?;
        Ok(ReadableTexts { helped: OnceCell::from(helped) })
    }

    fn sources(&self) -> Option<&Sources> {
        let read = || rights::helper().and_then(|helper| helper.read_configuration().ok());
        self.helped.get_or_init(read).as_ref()
    }
}

impl Texts for ReadableTexts {
    fn read(&self, path: &Path) -> Result<Bytes, TextError> {
        let helped = |sources: &Sources| sources.read(path).ok();
        if let Some(text) = self.helped.get().and_then(|sources| helped(sources.as_ref()?)) {
            return Ok(text);
        }
        Disk.read(path).or_else(|error| self.sources().and_then(helped).ok_or(error))
    }

    fn has(&self, path: &Path) -> bool {
        let helped = self.helped.get().and_then(Option::as_ref);
        Disk.has(path) || helped.is_some_and(|sources| sources.has(path))
    }

    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
        let mut found = Disk.expand(pattern, base)?;
        // Directories that this process may not read look empty.
        if let Some(Some(sources)) = self.helped.get() {
            found.extend(sources.expand(pattern, base)?);
            found.sort();
            found.dedup();
        }
        Ok(found)
    }
}

/// Other texts, with one file that is replaced.
pub struct WithFile<'t> {
    /// The other texts.
    pub texts: &'t dyn Texts,
    /// Path of the file.
    pub path: &'t Path,
    /// Its content.
    pub bytes: &'t Bytes,
}

impl Texts for WithFile<'_> {
    fn read(&self, path: &Path) -> Result<Bytes, TextError> {
        if path == self.path { Ok(self.bytes.clone()) } else { self.texts.read(path) }
    }

    fn has(&self, path: &Path) -> bool {
        path == self.path || self.texts.has(path)
    }

    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
        self.texts.expand(pattern, base)
    }
}
