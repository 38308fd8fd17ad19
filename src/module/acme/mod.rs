//! ACME (RFC 8555): certificates are ordered from an issuer, and renewed, while the server runs.

mod answers;
mod book;
mod client;
pub mod conf;
mod error;
mod files;
mod identifier;
mod jose;
mod keeper;
mod keys;
mod log;
mod order;
mod plan;
mod problem;
mod schedule;
pub mod server_conf;
mod setting;
mod state;

pub use answers::{Answers, ChallengeCheck};
pub use files::{AcmeFileError, check as check_files, files};
pub use keeper::{Acme, run};
pub use state::{load_kept, make_directories};
