//! Forwarding of requests.

mod answer;
mod attempt;
mod bind;
mod body;
mod body_parts;
mod buffer_sizes;
pub mod cache;
mod check;
mod chunks;
pub mod conf;
mod connect;
mod failure;
pub mod file;
mod files;
mod head;
mod http2;
mod http2_fields;
mod keeper;
mod link;
mod link_error;
mod log;
mod request;
pub mod rewriting;
mod send_parts;
mod states;
pub mod store;
mod stream;
pub mod target;
mod trailers;
mod tunnel;
mod variables;

pub use check::ProxyCheck;
pub use files::{check as check_files, files, temp_directories};
pub use keeper::TlsSettingsError;
pub use trailers::ProxyTrailers;
pub use variables::ProxyVariables;
