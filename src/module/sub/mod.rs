//! Replacement of texts in responses.

pub mod conf;
mod filter;
mod replace;

pub use filter::SubFilter;
