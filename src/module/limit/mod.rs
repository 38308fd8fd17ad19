//! Limits of connections and requests.

mod check;
pub mod conf;
pub mod conn;
mod log;
pub mod req;
mod share;
pub mod status;
pub mod zone;
pub mod zones;

pub use check::{LimitConnCheck, LimitReqCheck, LimitVariables, ZoneKeeper};
