//! Bans: addresses and streams that are refused at once, by `pingosd ctl ban`.
//!
//! They are kept over reloads, until they expire or the server ends; in an upgrade the new process takes them over.

mod bans;
mod check;
mod files;
mod log;
mod verb;

pub use bans::{Ban, BanTarget, Bans};
pub use check::{BanCheck, BanRule};
pub use files::BanFileCheck;
pub use verb::{BAN, BANS, BanVerb, BanVerbs, UNBAN};
