//! Variables derived from others.

pub mod conf;
pub mod geo;
mod handshake;
mod ingredients;
mod intervals;
pub mod split;
pub mod table;
mod variables;

pub use handshake::variables_of_handshakes;
pub use variables::MapVariables;
