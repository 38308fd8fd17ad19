//! Compression of responses, and files that are compressed already.

mod accepts;
mod codec;
mod compressed_file;
pub mod conf;
pub mod disable;
mod filter;
mod log;

pub use compressed_file::GzipStaticCheck;
pub use filter::{GunzipFilter, GzipFilter, GzipRatio};
