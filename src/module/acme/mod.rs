//! ACME (RFC 8555): certificates are ordered from an issuer, and renewed, while the server runs.

mod advice;
mod answers;
mod book;
mod client;
pub mod conf;
mod error;
mod file_fault;
mod files;
mod identifier;
mod jose;
mod keeper;
mod keys;
mod log;
mod order;
mod overview;
mod plan;
mod problem;
mod schedule;
pub mod server_conf;
mod setting;
mod shared;
mod state;
mod tender;

pub use answers::{Answers, ChallengeCheck};
pub use file_fault::AcmeFileError;
pub use files::{check as check_files, files};
pub use keeper::run;
pub use overview::{OrderStates, OrderedRow};
pub use shared::Acme;
pub use state::{load_kept, make_directories};
