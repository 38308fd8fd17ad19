//! Exit statuses of commands that are words; 0 and 1 are the system's `EXIT_SUCCESS` and `EXIT_FAILURE`.

/// The command line is wrong.
pub const USAGE: u8 = 2;
/// No server is running.
pub const NOT_RUNNING: u8 = 3;
/// The server belongs to another user.
pub const NOT_PERMITTED: u8 = 4;
