//! The web console: a page with streams, clients, relays, callbacks and the configuration, and a player.

pub mod action;
mod asset;
mod audience;
pub mod conf;
mod document;
mod events;
mod handler;
mod log;

pub use events::{ConsoleSource, EventStreams};
pub use handler::ConsoleHandler;
