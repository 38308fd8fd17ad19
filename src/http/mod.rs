//! HTTP/1 as nginx speaks it: connections, phases, locations, files. The media of a live response is sent by the worker's
//! delivery loop.
//!
//! Modules take part through the traits in [`exchange`].

mod accel;
mod added_headers;
mod arrival;
pub mod assigned;
pub mod base64;
pub mod body_reader;
pub mod browser;
pub mod conf;
mod connection;
pub mod content_types;
pub mod core;
pub mod cors;
pub mod counters;
pub mod credentials;
pub mod date;
pub mod directory;
pub mod exchange;
pub mod file_cache;
pub mod files;
pub mod forwarded;
pub mod header;
mod header_line;
pub mod headers;
mod host;
mod input;
pub mod listen;
pub mod live;
pub mod live_format;
pub mod location;
pub mod locations;
pub mod log;
mod method;
pub mod open_file;
pub mod origin;
mod phases;
pub mod plan;
pub mod player;
mod post_action;
mod precondition;
mod range;
mod range_filter;
mod read_body;
mod real_root;
mod receive;
pub mod relation;
pub mod request;
pub mod request_body;
mod request_line;
pub mod response;
pub mod routes;
pub mod send;
pub mod server_conf;
mod special;
mod status;
pub mod subrequest;
pub mod temp_file;
pub mod types;
pub mod upstream;
pub mod uri;
pub mod variable;
mod variables;

pub use self::connection::serve;
pub use self::exchange::HttpService;
