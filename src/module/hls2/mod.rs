//! HLS from memory: no file, and a session for every player.
//!
//! - [`Window`] holds the latest fragments of a stream, once for all its players.
//! - [`Session`] is one player: where its playlist begins, and when it was last heard of.
//! - [`Target`] is what a request asks for.
//!
//! A player asks for `name.m3u8` and is given a [master playlist](MasterRequest::playlist) that names its
//! session. It then asks for the media playlist of that session again and again, and for fragments.

pub mod conf;
pub mod live;
mod master;
mod session;
mod target;
mod window;

pub use master::MasterRequest;
pub use session::{Session, SessionId, SessionIds};
pub use target::Target;
pub use window::{Fragment, Settings, Window};
