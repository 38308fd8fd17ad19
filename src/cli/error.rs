//! Errors of the command line.

use std::ffi::OsString;

/// What is wrong with the words after the program's name. The text is nginx's sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// A word is neither an option nor a command.
    #[error("invalid option: \"{}\"", .0.display())]
    Word(OsString),
    /// No option has this letter.
    #[error("invalid option: \"{0}\"")]
    Option(char),
    /// An option stands at the end, without the value that it takes.
    #[error("option \"-{option}\" requires {value}")]
    NoValue {
        /// Its letter.
        option: char,
        /// What it takes.
        value: &'static str,
    },
    /// `-s` has no such signal.
    #[error("invalid option: \"-s {}\"", .0.display())]
    Signal(OsString),
}
