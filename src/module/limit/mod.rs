//! Limits of connections and requests.

pub mod conf;
pub mod conn;
pub mod req;
mod share;
pub mod status;
pub mod zone;
pub mod zones;
