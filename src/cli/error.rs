//! Errors of the command line.

use std::ffi::OsString;

/// Reason why the command line is invalid. The text is nginx's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// An argument that is neither an option nor a command.
    #[error("invalid option: \"{}\"", .0.display())]
    Word(OsString),
    /// An unknown option letter.
    #[error("invalid option: \"{0}\"")]
    Option(char),
    /// The last option lacks its argument.
    #[error("option \"-{option}\" requires {value}")]
    NoValue {
        /// Its letter.
        option: char,
        /// Kind of its argument.
        value: &'static str,
    },
    /// An unknown signal for `-s`.
    #[error("invalid option: \"-s {}\"", .0.display())]
    Signal(OsString),
}
