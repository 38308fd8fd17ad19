//! Media core: sessions, admission, ingest and delivery.
//!
//! - A session: [`session`] has its data, [`listing`] the list of all, [`view`] the configuration of its application;
//!   `subject` and [`variables`] show it to callbacks.
//! - Its beginning: [`admission`] enters the stream through [`stream_events`], and asks callbacks, [`access`] and the rules of
//!   modules.
//! - Media of publishers: [`ingest`], with tracks and metadata in [`codec`] and messages between servers in
//!   [`relay_messages`].
//! - Media for players: [`delivery`], and before it what is recorded: [`past`]. For tasks that package, record or relay: [`reader`], [`publish_packets`], [`mpegts`],
//!   [`samples`], [`segments`]; their files: [`files`].
//! - Loops of relays: [`trail`], [`trails`], [`trail_proof`]. The other process of an upgrade: [`counterpart`].
//! - Modules take part through the traits in [`extension`] and [`control`].
//!
//! Directives are in the `conf` files; [`live`] has nothing else, its values are read where they take effect.

pub mod access;
pub mod admission;
pub mod cluster_view;
pub mod codec;
pub mod conf;
pub mod control;
pub mod counterpart;
pub mod delivery;
pub mod extension;
pub mod files;
pub mod gop;
pub mod ingest;
pub mod listen;
pub mod listing;
pub mod live;
pub mod log;
pub mod mpegts;
pub mod past;
pub mod player_settings;
pub mod publish_packets;
pub mod reader;
pub mod relay_conf;
pub mod relay_messages;
pub mod relay_target;
pub mod samples;
pub mod segments;
pub mod server_conf;
pub mod session;
pub mod static_pull;
pub mod statistics;
pub mod stream_events;
mod subject;
pub mod trail;
pub mod trail_proof;
pub mod trails;
pub mod variables;
pub mod view;
pub mod workers;

use bytes::Bytes;

use crate::directive::Msec;

/// Converts a time to the hub's milliseconds.
pub fn millis(time: Msec) -> u32 {
    u32::try_from(time.0).unwrap_or(u32::MAX)
}

/// Splits a stream name of publish or play into name and query, at the first `?`.
pub fn split_query(name: &Bytes) -> (Bytes, Bytes) {
    match name.iter().position(|&b| b == b'?') {
        Some(at) => (name.slice(..at), name.slice(at + 1..)),
        None => (name.clone(), Bytes::new()),
    }
}

/// Host without its port; an IPv6 address keeps its brackets.
pub fn strip_port(authority: &Bytes) -> Bytes {
    let end = match authority.iter().rposition(|&b| b == b']') {
        Some(bracket) => bracket + 1,
        None => authority.iter().position(|&b| b == b':').unwrap_or(authority.len()),
    };
    authority.slice(..end)
}
