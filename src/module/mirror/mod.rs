//! Mirroring of requests.

mod check;
pub mod conf;

pub use check::MirrorCheck;
