//! HLS from memory: the fragments of a stream, and the players that ask for them.
//!
//! A player has no connection of its own: what its requests have in common is the value of `session=`. A
//! [`Viewer`] stands for it from its first request for a media playlist until it has asked for nothing during
//! `hls2_timeout`; callbacks see one session that lasts as long.

mod fragments;
mod viewer;

pub use fragments::Fragments;
pub use viewer::{Denied, State, Viewer, Viewers, Visit};
