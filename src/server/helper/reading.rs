//! Reading of the configuration as root, in a process of its own that ends afterwards.
//!
//! The serving process gets all texts and evaluates them itself. The list of what may be opened comes from an evaluation
//! of the texts that root alone may change; the others count as empty. Nothing is resolved and no socket is opened.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use nix::unistd::{Gid, Uid, geteuid, getgroups, initgroups, setegid, seteuid, setgroups};
use serde::{Deserialize, Serialize};

use super::listed::Listed;
use super::opening;
use super::setup::{Setup, User, from_memory};
use crate::config::LoadOptions;
use crate::config::load::{load_texts, read_texts};
use crate::directive::evaluation::HostNames;
use crate::directive::language::Language;
use crate::syntax::source::TextOrigin;
use crate::syntax::texts::{Disk, TextError, Texts, expand, read_opened};
use crate::syntax::{SourceFile, Sources};

/// A configuration that was read as root.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ReadConf {
    /// What the texts name that root alone may change.
    pub(super) listed: Listed,
    /// Why the list is empty, if it is so because these texts alone are no valid configuration.
    pub(super) unlisted: Option<String>,
    /// The texts: path and contents.
    texts: Vec<(OsString, String)>,
}

impl ReadConf {
    /// The texts.
    pub(super) fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        for (name, text) in &self.texts {
            let bytes = Bytes::from(from_latin1(text));
            sources.add(SourceFile { name: Arc::from(Path::new(name)), bytes, origin: TextOrigin::File });
        }
        sources
    }
}

/// Reads the configuration that the values on standard input name, and writes the result to standard output.
pub fn read_configuration(language: &'static Language) -> ExitCode {
    match run(language) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nginx: [alert] privileged reader: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(language: &'static Language) -> io::Result<()> {
    if !geteuid().is_root() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not root"));
    }
    let setup: Setup = from_memory(io::stdin())?;
    let read = read(&setup, language);
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &read)?;
    out.flush()
}

fn read(setup: &Setup, language: &'static Language) -> ReadConf {
    let load = setup.load(language);
    let texts = RootTexts { setup, trusted: RefCell::default() };
    let (reading, _) = read_texts(&load, &texts);
    let trusted = texts.trusted.into_inner();
    let conf = load.conf_name().to_owned();
    let is_open = trusted.get(&conf).is_some_and(|is_trusted| !is_trusted);
    let load = LoadOptions { host_names: HostNames::Ignored, ..load };
    let listed = load_texts(&load, &TrustedTexts { texts: &reading.sources, trusted });
    let (listed, unlisted) = match listed {
        Ok(config) => (Listed::of(&config), None),
        Err(_) if is_open => {
            let why =
                format!("users other than root may change \"{}\", or a directory above it", conf.display());
            (Listed::default(), Some(why))
        }
        Err(report) => {
            let first = report.render(crate::syntax::render::Style { colour: false, brief: true });
            let first = String::from_utf8_lossy(&first);
            (
                Listed::default(),
                Some(format!(
                    "without the texts that others may change, {}",
                    first.lines().next().unwrap_or_default()
                )),
            )
        }
    };
    let files = reading.sources.into_files().into_iter().filter(|file| file.origin == TextOrigin::File);
    let texts = files.map(|file| (file.name.as_os_str().to_owned(), to_latin1(&file.bytes)));
    ReadConf { listed, unlisted, texts: texts.collect() }
}

/// Reads texts that root alone may change as root, all others with the rights of the server's user.
struct RootTexts<'s> {
    setup: &'s Setup,
    /// Whether root alone may change a text.
    trusted: RefCell<HashMap<PathBuf, bool>>,
}

impl Texts for RootTexts<'_> {
    fn read(&self, path: &Path) -> Result<Bytes, TextError> {
        let opened = opening::open_roots(&self.setup.absolute(path));
        self.trusted.borrow_mut().insert(path.to_owned(), opened.is_ok());
        match opened {
            Ok(file) => read_opened(path, Ok(file)),
            Err(_) => as_user(&self.setup.user, || Disk.read(path))
                .unwrap_or_else(|error| read_opened(path, Err(error))),
        }
    }

    fn has(&self, path: &Path) -> bool {
        Disk.has(&self.setup.absolute(path))
    }

    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
        expand(pattern, base)
    }
}

/// The texts that root alone may change; the others are empty.
struct TrustedTexts<'s> {
    texts: &'s Sources,
    trusted: HashMap<PathBuf, bool>,
}

impl Texts for TrustedTexts<'_> {
    fn read(&self, path: &Path) -> Result<Bytes, TextError> {
        if self.trusted.get(path).copied().unwrap_or_default() {
            self.texts.read(path)
        } else {
            Ok(Bytes::new())
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.texts.has(path)
    }

    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
        self.texts.expand(pattern, base)
    }
}

/// Runs `work` with the effective rights of a user. This process has no other thread.
fn as_user<T>(user: &User, work: impl FnOnce() -> T) -> io::Result<T> {
    let (own_group, groups) = (nix::unistd::getegid(), getgroups()?);
    initgroups(&CString::new(user.name.as_str())?, Gid::from_raw(user.gid))?;
    setegid(Gid::from_raw(user.gid))?;
    seteuid(Uid::from_raw(user.uid))?;
    let done = work();
    seteuid(Uid::from_raw(0))?;
    setegid(own_group)?;
    setgroups(&groups)?;
    Ok(done)
}

/// Bytes as text, one character each: JSON has no bytes.
fn to_latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn from_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}
