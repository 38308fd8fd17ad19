//! Loads a configuration from files.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::build::build;
use super::group_copy::{self, GroupCopy};
use super::model::{Config, Paths};
pub use super::report::{Report, render_all};
use super::texts::ReadableTexts;
use crate::directive::BaseDirectories;
use crate::directive::evaluate::evaluate;
use crate::directive::evaluation::HostNames;
use crate::directive::language::Language;
use crate::syntax::parser::Parser;
use crate::syntax::reading::{Companion, Reading};
use crate::syntax::texts::Texts;

/// The configuration compiled into the program: one application, no privileges needed.
pub const EMBEDDED: &[u8] = include_bytes!("../../conf/pingosd.conf");
/// Name of the embedded configuration in messages.
pub const EMBEDDED_NAME: &str = "built-in pingosd.conf";
/// Default prefix.
pub const DEFAULT_PREFIX: &str = match option_env!("PINGOSD_PREFIX") {
    Some(prefix) => prefix,
    None => "/usr/local/pingos/",
};
/// Default main file, relative to the prefix.
pub const DEFAULT_CONF: &str = "conf/nginx.conf";
/// Main file of an installed package, used if there is none below the prefix.
pub const PACKAGED_CONF: &str = "/etc/pingosd/pingosd.conf";
/// Prefix of an installed package.
pub const PACKAGED_PREFIX: &str = "/var/lib/pingosd/";
/// Default error log, relative to the prefix.
pub const DEFAULT_ERROR_LOG: &str = "logs/error.log";

/// Options of loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Language of the configuration.
    pub language: &'static Language,
    /// Prefix of relative paths.
    pub prefix: PathBuf,
    /// The main file; `None` is the embedded configuration.
    pub conf_file: Option<PathBuf>,
    /// Directives that precede the file (`-g`).
    pub globals: Vec<u8>,
    /// Error log used if the configuration sets none.
    pub error_log: PathBuf,
    /// What is done with host names.
    pub host_names: HostNames,
}

impl LoadOptions {
    /// Selects the main file: the named one, otherwise PREFIX/conf/nginx.conf if it exists, otherwise that of an
    /// installed package if no prefix was given, otherwise the embedded configuration.
    ///
    /// Relative names refer to the prefix, the prefix itself to the working directory.
    pub fn choose(
        language: &'static Language,
        prefix: Option<PathBuf>,
        conf_file: Option<PathBuf>,
        globals: Vec<u8>,
        error_log: Option<PathBuf>,
    ) -> LoadOptions {
        let packaged = prefix.is_none()
            && conf_file.is_none()
            && !Path::new(DEFAULT_PREFIX).join(DEFAULT_CONF).exists()
            && Path::new(PACKAGED_CONF).exists();
        let (default_prefix, default_conf) =
            if packaged { (PACKAGED_PREFIX, PACKAGED_CONF) } else { (DEFAULT_PREFIX, DEFAULT_CONF) };
        let prefix = prefix.unwrap_or_else(|| default_prefix.into());
        let conf_file = match conf_file {
            Some(named) => Some(prefix.join(named)),
            None => Some(prefix.join(default_conf)).filter(|path| path.exists()),
        };
        let error_log = prefix.join(error_log.unwrap_or_else(|| DEFAULT_ERROR_LOG.into()));
        LoadOptions { language, prefix, conf_file, globals, error_log, host_names: HostNames::default() }
    }

    /// Place of the file of a group; see [`GroupCopy::of`].
    pub fn group_copy(&self, group: &[u8]) -> Option<GroupCopy> {
        GroupCopy::of(&self.prefix, self.conf_file.as_deref(), group)
    }

    /// The main file's name for messages.
    pub fn conf_name(&self) -> &Path {
        self.conf_file.as_deref().unwrap_or(Path::new(EMBEDDED_NAME))
    }
}

impl Config {
    /// The embedded configuration.
    pub fn embedded_default(language: &'static Language) -> Config {
        let mut options = LoadOptions::choose(language, None, None, Vec::new(), None);
        options.conf_file = None;
        load(&options).expect("the embedded configuration is tested")
    }
}

/// Loads a configuration; no other files are touched.
///
/// # Errors
///
/// A [`Report`] with all errors.
pub fn load(options: &LoadOptions) -> Result<Config, Report> {
    let (reading, bases) = read(options);
    judge(reading, &bases, options)
}

/// As [`load`], with the files of `texts`.
///
/// # Errors
///
/// As for [`load`]. A configuration that was valid before may fail, because other files that it names may be missing.
pub fn load_texts(options: &LoadOptions, texts: &dyn Texts) -> Result<Config, Report> {
    let (reading, bases) = read_texts(options, texts);
    judge(reading, &bases, options)
}

/// Loads a text in memory as the main file. Nothing is included: `include` is an unknown directive.
///
/// # Errors
///
/// A [`Report`] with all errors.
pub fn load_text(name: &Path, text: Bytes, options: &LoadOptions) -> Result<Config, Report> {
    let bases = bases(options);
    let mut parser = Parser::new(bases.conf.clone(), options.language.registry()).apart();
    parser.given(name, text);
    judge(parser.finish(), &bases, options)
}

/// Evaluates a parsed configuration.
fn judge(reading: Reading, bases: &BaseDirectories, options: &LoadOptions) -> Result<Config, Report> {
    // Lints resolve host names too.
    let is_linted = !reading.reports.has_errors() && options.host_names == HostNames::Resolved;
    let found = if is_linted { options.language.lint(&reading, bases) } else { Vec::new() };
    let registry = options.language.registry();
    let mut evaluated = evaluate(reading, registry, bases);
    // Warnings are determined only if there are no errors.
    if !evaluated.reports.has_errors() {
        found.into_iter().for_each(|(order, problem)| evaluated.reports.add(order, problem));
    }
    let paths = Paths {
        prefix: options.prefix.clone(),
        conf_file: options.conf_file.clone().unwrap_or_default(),
        error_log: options.error_log.clone(),
    };
    build(evaluated, registry, bases, paths)
}

/// Parses the texts of a configuration into one tree.
pub fn read(options: &LoadOptions) -> (Reading, BaseDirectories) {
    read_texts(options, &ReadableTexts::default())
}

/// As [`read`], with the files of `texts`.
pub fn read_texts(options: &LoadOptions, texts: &dyn Texts) -> (Reading, BaseDirectories) {
    let bases = bases(options);
    let copy = |group: &[u8]| options.group_copy(group).map(|copy| copy.path);
    let companion = Companion { directive: group_copy::DIRECTIVE.as_bytes(), path: &copy };
    let registry = options.language.registry();
    let mut parser = Parser::new(bases.conf.clone(), registry).with_texts(texts).with_companion(companion);
    if !options.globals.is_empty() {
        parser.command_line(&options.globals);
    }
    match &options.conf_file {
        Some(file) => parser.main_file(file),
        None => parser.embedded(EMBEDDED_NAME, EMBEDDED),
    }
    let mut reading = parser.finish();
    group_copy::refuse_own(&mut reading, registry);
    (reading, bases)
}

/// Directories where relative paths of a configuration start.
pub(crate) fn bases(options: &LoadOptions) -> BaseDirectories {
    let conf = match &options.conf_file {
        Some(file) => file.parent().unwrap_or(Path::new("")).to_owned(),
        None => options.prefix.join("conf"),
    };
    BaseDirectories { prefix: options.prefix.clone(), conf, host_names: options.host_names }
}
