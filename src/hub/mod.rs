//! Distribution of one publisher's media to many subscribers.
//!
//! A [`stream::Stream`] holds one publisher's packets: codec headers, the GOP cache and the short tail that delivery
//! workers have not fetched yet. Each delivery worker has a [`backlog::Backlog`] for each stream that it serves and one
//! [`cursor::Cursor`] per player; a player costs a cursor, not a queue. [`pace`] decides when a batch of packets is
//! sent. Packets ([`packet::Packet`]) are framed once per container and shared by reference. [`headers`] keeps what a
//! decoder needs first, and [`origin`] decides which timestamp becomes 0 for players and files that count from 0.
//!
//! Nothing here waits, reads a clock or touches a socket.

pub mod backlog;
pub mod class;
pub mod counters;
pub mod cursor;
pub mod gop;
pub mod header_key;
pub mod headers;
pub mod info;
#[cfg(test)]
pub(crate) mod interleaving;
pub mod origin;
pub mod outgoing;
pub mod pace;
pub mod packet;
pub mod registry;
pub mod stream;
pub mod stream_key;
pub mod timeline;
