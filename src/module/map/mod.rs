//! Variables derived from others.

pub mod conf;
pub mod geo;
mod intervals;
pub mod split;
pub mod table;
mod variables;

pub use variables::MapVariables;
