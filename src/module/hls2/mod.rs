//! HLS from memory: no file, and a session for every player.
//!
//! - [`FragmentWindow`] holds the latest fragments of a stream, once for all its players.
//! - [`ViewerSession`] is one player: where its playlist begins, and when it was last heard of.
//! - [`HlsRequest`] is what a request asks for, [`PlaylistReload`] what it waits for.
//! - [`SampleFeeds`] package streams for fragments of fragmented MP4.
//!
//! A player asks for `name.m3u8` and is given a [master playlist](MasterRequest::playlist) that names its
//! session. It then asks for the media playlist of that session again and again, and for fragments.
//!
//! HLS from memory: the fragments of a stream, and the players that ask for them.
//!
//! A player has no connection of its own: what its requests have in common is the value of `session=`. A
//! [`Viewer`] stands for it from its first request for a media playlist until it has asked for nothing during
//! `hls2_timeout`; callbacks see one session that lasts as long.

mod absent;
mod answer;
pub mod conf;
mod fragments;
mod handler;
pub mod live;
pub mod log;
mod master;
mod output;
mod reload;
mod samples;
mod session;
mod target;
mod viewer;
mod window;

pub use answer::{ViewerAnswer, ViewerQuestion};
pub use master::MasterRequest;
pub use reload::PlaylistReload;
pub use samples::{SampleFeed, SampleFeeds};
pub use session::{SessionId, SessionIds, ViewerSession};
pub use target::{FragmentPiece, HlsRequest};
pub use window::{Fragment, FragmentPart, FragmentSettings, FragmentWindow, LookedUp};

pub use fragments::Fragments;
pub use handler::Hls2Handler;
pub use output::HlsMemory;
pub use viewer::{Viewer, ViewerRefusal, ViewerRequest, ViewerState, Viewers};
