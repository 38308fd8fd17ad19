//! Responses that are fetched in slices.

pub mod conf;
mod filter;
mod log;
mod range;
mod slices;

pub use filter::{SliceCheck, SliceFilter, SliceRange};
