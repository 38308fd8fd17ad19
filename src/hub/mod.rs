//! One publisher, many subscribers.
//!
//! A [`stream::Stream`] holds the packets of one publisher: codec headers, the GOP cache and the short
//! tail that delivery workers have not fetched yet. Each delivery worker keeps a [`backlog::Backlog`] for
//! the streams it serves and one [`cursor::Cursor`] per player; a player costs a cursor, not a queue.
//! When a batch of packets leaves is decided by [`pace`].
//! Packets are framed once per container ([`packet::Packet`]) and shared by reference. What every track needs first is kept
//! in [`headers`]. Where time begins for who counts from 0 is decided by [`origin`].
//!
//! Nothing here waits, reads a clock or touches a socket.

pub mod backlog;
pub mod cursor;
pub mod gop;
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
pub mod timeline;
