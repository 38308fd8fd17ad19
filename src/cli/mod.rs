//! Command line: nginx's options, and commands that are words.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

pub mod command;
pub mod completion;
mod error;
pub mod exit;
pub mod help;
pub mod hints;
mod holder;
pub mod man;
pub mod version;

pub use self::error::CommandLineError;
use self::help::HelpEntry;
use crate::config::load::render_all;
use crate::config::{Config, LoadOptions, load};
use crate::directive::manual;
use crate::module::dynamic;
use crate::module::lint;
use crate::modules::{LANGUAGE, REGISTRY};
use crate::server;
use crate::syntax::Severity;
use crate::syntax::render::Style;
use crate::syntax::source::TextOrigin;

/// Asks for the help of a command.
const HELP: &str = "--help";

/// Action that the command line requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `directives [NAME]`: print the manual of all directives, or of one.
    Directives(Option<OsString>),
    /// `-h`, which prints to standard error as nginx does, and `--help`.
    Help {
        /// Whether it was `--help`.
        to_output: bool,
    },
    /// `COMMAND --help`
    HelpOf(&'static HelpEntry),
    /// No option selects another action: run the server.
    Run(LoadOptions),
    /// `-s`: send a signal to the running server.
    Signal(Signal, LoadOptions),
    /// `-t` and `-T`
    Test(Test),
    /// `-v`, which prints to standard error as nginx does, and `--version`.
    Version {
        /// Whether it was `--version`.
        to_output: bool,
    },
    /// `-V`
    VersionVerbose,
    /// A command that is a word.
    Word(command::Task),
}

/// Signal for the running server (`-s`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Exit after all sessions have ended.
    Quit,
    /// Reload the configuration.
    Reload {
        /// Whether to wait for the result and print it.
        wait: bool,
    },
    /// Reopen log files.
    Reopen,
    /// Exit immediately.
    Stop,
}

/// Options of a configuration test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// What to load.
    pub load: LoadOptions,
    /// `-T`: print every file of the configuration.
    pub dump: bool,
    /// `-q`: print nothing on success.
    pub quiet: bool,
    /// `-v` with `-t`: also print notes about meaningless directives.
    pub verbose: bool,
}

impl Command {
    /// Parses the arguments of the program.
    ///
    /// # Errors
    ///
    /// An option is unknown or lacks its argument.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, CommandLineError> {
        let mut words = words.into_iter();
        let mut options = Options::default();
        let mut first = true;
        while let Some(word) = words.next() {
            if std::mem::take(&mut first) {
                match word.as_bytes() {
                    b"--help" => return Ok(Command::Help { to_output: true }),
                    b"--version" => return Ok(Command::Version { to_output: true }),
                    _ => {}
                }
                if word == "directives" {
                    let name = words.next();
                    return Ok(match (name, HelpEntry::of_command("directives")) {
                        (Some(name), Some(entry)) if name == HELP => Command::HelpOf(entry),
                        (name, _) => Command::Directives(name),
                    });
                }
            }
            if let Some(name) = command::Name::find(&word).filter(|_| options.only_choose()) {
                return options.task(name, words);
            }
            if word == "--no-wait" && options.signal.is_some() {
                if let Some(Signal::Reload { wait }) = &mut options.signal {
                    *wait = false;
                }
                continue;
            }
            options.word(&word, &mut words)?;
        }
        Ok(options.command())
    }
}

/// The options given so far.
#[derive(Default)]
struct Options {
    help: bool,
    version: bool,
    verbose_version: bool,
    test: bool,
    dump: bool,
    quiet: bool,
    signal: Option<Signal>,
    prefix: Option<PathBuf>,
    conf: Option<PathBuf>,
    error_log: Option<PathBuf>,
    globals: Vec<u8>,
}

impl Options {
    /// Parses one word of options; an option's value is the rest of the word or the next word.
    fn word(
        &mut self,
        word: &OsStr,
        words: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), CommandLineError> {
        let invalid = || CommandLineError::Word(word.to_owned());
        if word.len() > 2 && word.as_bytes().starts_with(b"--") {
            return Err(invalid());
        }
        let mut rest = word.as_bytes().strip_prefix(b"-").ok_or_else(invalid)?;
        while let [letter, tail @ ..] = rest {
            rest = tail;
            let mut value = |value: &'static str| match std::mem::take(&mut rest) {
                [] => {
                    let missing = || CommandLineError::NoValue { option: char::from(*letter), value };
                    words.next().ok_or_else(missing)
                }
                tail => Ok(OsStr::from_bytes(tail).to_owned()),
            };
            match letter {
                b'?' | b'h' => self.help = true,
                b'v' => self.version = true,
                b'V' => self.verbose_version = true,
                b't' => self.test = true,
                b'T' => (self.test, self.dump) = (true, true),
                b'q' => self.quiet = true,
                b'p' => self.prefix = Some(value("directory name")?.into()),
                b'c' => self.conf = Some(value("file name")?.into()),
                b'e' => self.error_log = Some(value("file name")?.into()),
                b'g' => self.globals = value("parameter")?.as_bytes().to_owned(),
                b's' => self.signal = Some(signal(&value("parameter")?)?),
                other => return Err(CommandLineError::Option(char::from(*other))),
            }
        }
        Ok(())
    }

    /// Whether the options so far only select the configuration.
    fn only_choose(&self) -> bool {
        let others = self.help || self.version || self.verbose_version || self.test || self.quiet;
        !others && self.signal.is_none()
    }

    /// A command with its arguments; options may also follow the command.
    fn task(
        mut self,
        name: command::Name,
        mut words: impl Iterator<Item = OsString>,
    ) -> Result<Command, CommandLineError> {
        let mut rest = Vec::new();
        while let Some(word) = words.next() {
            if word == HELP
                && let Some(entry) = HelpEntry::of_command(name.word())
            {
                return Ok(Command::HelpOf(entry));
            }
            match word.as_bytes() {
                [b'-', b'c' | b'e' | b'g' | b'p', ..] => self.word(&word, &mut words)?,
                _ => rest.push(word),
            }
        }
        let load = LoadOptions::choose(&LANGUAGE, self.prefix, self.conf, self.globals, self.error_log);
        Ok(Command::Word(command::Task { name, words: rest, load }))
    }

    fn command(self) -> Command {
        let load = LoadOptions::choose(&LANGUAGE, self.prefix, self.conf, self.globals, self.error_log);
        match self {
            Options { help: true, .. } => Command::Help { to_output: false },
            Options { test: true, dump, quiet, version: verbose, .. } => {
                Command::Test(Test { load, dump, quiet, verbose })
            }
            Options { verbose_version: true, .. } => Command::VersionVerbose,
            Options { version: true, .. } => Command::Version { to_output: false },
            Options { signal: Some(signal), .. } => Command::Signal(signal, load),
            _ => Command::Run(load),
        }
    }
}

fn signal(word: &OsStr) -> Result<Signal, CommandLineError> {
    match word.as_bytes() {
        b"stop" => Ok(Signal::Stop),
        b"quit" => Ok(Signal::Quit),
        b"reopen" => Ok(Signal::Reopen),
        b"reload" => Ok(Signal::Reload { wait: true }),
        _ => Err(CommandLineError::Signal(word.to_owned())),
    }
}

impl Test {
    /// Tests the configuration: messages go to `err`, the dump to `out`.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn run(&self, style: Style, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitCode> {
        let name = self.load.conf_name().display();
        match load(&self.load) {
            Ok(config) => {
                let least = if self.verbose { Severity::Notice } else { Severity::Warn };
                err.write_all(&render_all(&config.warnings, &config.sources, style, least))?;
                if !self.quiet {
                    let warnings = lint::host::unresolved(&self.load, &config);
                    err.write_all(&render_all(&warnings, &config.sources, style, least))?;
                }
                if !self.quiet {
                    writeln!(err, "nginx: the configuration file {name} syntax is ok")?;
                }
                // As in nginx, a configuration with which a start would fail is invalid.
                match server::check(&config) {
                    Ok(warnings) => {
                        for text in warnings {
                            writeln!(err, "nginx: [warn] {text}")?;
                        }
                    }
                    Err(error) => {
                        writeln!(err, "nginx: [emerg] {error}")?;
                        writeln!(err, "nginx: configuration file {name} test failed")?;
                        return Ok(ExitCode::FAILURE);
                    }
                }
                if !self.quiet {
                    writeln!(err, "nginx: configuration file {name} test is successful")?;
                }
                if self.dump {
                    dump(&config, out)?;
                }
                // The process ends now; freeing a large configuration would only cost time.
                std::mem::forget(config);
                Ok(ExitCode::SUCCESS)
            }
            Err(report) => {
                err.write_all(&report.render(style))?;
                writeln!(err, "nginx: configuration file {name} test failed")?;
                hints::of_missing_file(&self.load, err)?;
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

/// Prints every file of the configuration, each after a line with its name.
fn dump(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    for file in config.sources.files().iter().filter(|f| f.origin != TextOrigin::CommandLine) {
        writeln!(out, "# configuration file {}:", file.name.display())?;
        out.write_all(&file.bytes)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Style of diagnostics on standard error: coloured on a terminal that supports it.
pub fn style() -> Style {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    Style { colour, brief: false }
}

/// Manual of all directives, with those of the dynamic file at the end.
pub fn manual() -> String {
    manual::all(&REGISTRY) + &manual::modules(&dynamic::table::REGISTRY)
}

/// Page of the directives that work otherwise than in PingOS.
pub fn differences() -> String {
    manual::differences(&REGISTRY)
}

/// Prints the manual of all directives, or of one; `--man` prints it as the page pingosd.conf(5).
///
/// # Errors
///
/// The output cannot be written.
pub fn directives(name: Option<&OsStr>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<ExitCode> {
    if name.is_some_and(|name| name == "--man") {
        out.write_all(man::directives(&REGISTRY).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(name) = name else {
        out.write_all(manual().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let entry = |registry| manual::one(registry, name.as_bytes());
    if let Some(text) = entry(&REGISTRY).or_else(|| entry(&dynamic::table::REGISTRY)) {
        out.write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(err, "pingosd: no directive \"{}\"", name.display())?;
    if let Some(advice) = REGISTRY.advice(name.as_bytes(), crate::directive::Contexts::MAX) {
        writeln!(err, "pingosd: {advice}")?;
    }
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Command, CommandLineError> {
        Command::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn options_combine_as_in_nginx() {
        let Ok(Command::Test(test)) = parse(&["-tq", "-p/x/", "-c", "a.conf", "-g", "daemon off;"]) else {
            panic!()
        };
        assert!(test.quiet && !test.dump);
        assert_eq!(test.load.conf_file.unwrap(), PathBuf::from("/x/a.conf"));
        assert_eq!(test.load.globals, b"daemon off;");
        assert!(matches!(parse(&["-T"]), Ok(Command::Test(Test { dump: true, .. }))));
        assert!(matches!(parse(&["-tv"]), Ok(Command::Test(Test { verbose: true, .. }))));
        assert!(matches!(parse(&["-s", "reload"]), Ok(Command::Signal(Signal::Reload { wait: true }, _))));
        let hasty = parse(&["-s", "reload", "--no-wait"]);
        assert!(matches!(hasty, Ok(Command::Signal(Signal::Reload { wait: false }, _))));
        assert_eq!(parse(&["-V"]), Ok(Command::VersionVerbose));
        assert_eq!(parse(&["-?"]), Ok(Command::Help { to_output: false }));
        assert_eq!(parse(&["--help"]), Ok(Command::Help { to_output: true }));
        assert_eq!(parse(&["--version"]), Ok(Command::Version { to_output: true }));
        assert!(matches!(parse(&["fmt", "--help"]), Ok(Command::HelpOf(entry)) if entry.word == "fmt"));
        assert!(matches!(parse(&["directives", "--help"]), Ok(Command::HelpOf(_))));
        assert!(matches!(parse(&[]), Ok(Command::Run(_))));
        assert_eq!(parse(&["directives", "listen"]), Ok(Command::Directives(Some("listen".into()))));
    }

    #[test]
    fn mistakes_are_named_as_in_nginx() {
        for (words, want) in [
            (&["-x"][..], "invalid option: \"x\""),
            (&["x"], "invalid option: \"x\""),
            (&["--tset"], "invalid option: \"--tset\""),
            (&["--"], "invalid option: \"-\""),
            (&["-t", "directives"], "invalid option: \"directives\""),
            (&["-s", "kill"], "invalid option: \"-s kill\""),
            (&["-c"], "option \"-c\" requires file name"),
            (&["-p"], "option \"-p\" requires directory name"),
            (&["-tg"], "option \"-g\" requires parameter"),
        ] {
            assert_eq!(parse(words).unwrap_err().to_string(), want);
        }
    }
}
