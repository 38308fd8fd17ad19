//! Text before and after responses.

pub mod conf;
mod filter;

pub use filter::AdditionFilter;
