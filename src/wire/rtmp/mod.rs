//! RTMP 1.0: handshake, chunk streams, messages, and the sessions of both sides.
//!
//! Three layers, each independent of those above it: [`chunk`] handles bytes and messages but no commands, [`message`]
//! parses messages without state, [`server_session`] and [`client_session`] hold the state.

pub mod chunk;
pub mod client_session;
mod error;
pub mod handshake;
mod link;
pub mod message;
pub mod server_session;

pub use client_session::ClientSession;
pub use error::RtmpError;
pub use message::Message;
pub use server_session::ServerSession;
