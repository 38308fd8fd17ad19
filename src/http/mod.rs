//! HTTP connections: hyper parses requests and writes responses; the media of a live response is sent by the worker's
//! delivery loop.
//!
//! Modules take part through the traits in [`exchange`].

mod arrival;
pub mod assigned;
pub mod base64;
pub mod conf;
mod connection;
pub mod core;
pub mod cors;
pub mod directory;
pub mod exchange;
mod files;
pub mod forwarded;
mod head;
pub mod header;
mod heads;
mod io;
pub mod listen;
pub mod live;
pub mod live_format;
pub mod location;
pub mod locations;
pub mod log;
mod method;
pub mod origin;
mod phases;
pub mod player;
pub mod precondition;
pub mod range;
pub mod relation;
pub mod reply;
pub mod routes;
pub mod server_conf;
pub mod types;
pub mod variable;
mod variables;

pub use self::connection::serve;
pub use self::exchange::HttpService;
