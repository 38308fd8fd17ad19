//! Headers of responses.

pub mod conf;
pub mod expires;
mod filter;

pub use filter::HeadersFilter;
