//! The running media core: sessions, their admission, what publishers bring in and what players are sent.

pub mod access;
pub mod admission;
pub mod codec;
pub mod delivery;
pub mod gop;
pub mod ingest;
pub mod listing;
pub mod live;
pub mod log;
pub mod places;
pub mod reader;
pub mod session;
pub mod variables;
pub mod view;
pub mod workers;
