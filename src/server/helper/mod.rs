//! The privileged helper: does what only root may do for a server that was started as root and has become another user.
//!
//! ```text
//! root: start ---> helper (this program again, no environment, one socket) ---> a child per READ_CONF
//!         |            ^  |
//!         | setuid     |  | descriptors
//!         v            |  v
//!       the serving process
//! ```
//!
//! No request carries a path. The helper knows the configuration's file, the pid file, the control socket and the program
//! from the start, and which files and addresses a configuration names from a child that has read it. A text of the
//! configuration counts for that only if root alone may change it; everything that other texts name is opened with the
//! rights of the server's user. The helper never parses what a peer of the server has sent, and ends when the serving
//! process does.

mod alert;
mod budget;
mod client;
mod listed;
mod lists;
mod opening;
mod protocol;
mod reading;
mod root;
mod setup;

pub(super) use self::client::HelperClient;
pub(super) use self::setup::{Setup, User};
pub use self::{reading::read_configuration, root::run};

/// First argument of the helper.
pub const HELPER: &str = "--privileged-helper";
/// First argument of the child that reads the configuration for the helper.
pub const READER: &str = "--privileged-reader";
