//! Limits of publishers and players: of the viewers of a stream, of the publishers of an address, of a publisher's bit rate.

mod answered;
mod bitrate;
pub mod conf;
mod counts;
mod log;

pub use counts::SessionLimits;
