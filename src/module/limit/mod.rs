//! Limits of connections and requests.

pub mod conf;
pub mod status;
pub mod zone;
