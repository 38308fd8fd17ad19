//! HTTP servers and locations.

pub mod conf;
pub mod directory;
pub mod handler;
pub mod header;
pub mod listen;
pub mod location;
pub mod response;
pub mod server_conf;
pub mod types;
pub mod variable;
