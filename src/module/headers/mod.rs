//! Headers of responses.

pub mod conf;
pub mod expires;
mod filter;
pub mod trailers;

pub use filter::HeadersFilter;
