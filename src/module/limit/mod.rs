//! Limits of HTTP connections and requests: `limit_conn` and `limit_req`.

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
