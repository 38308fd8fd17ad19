//! Recording of streams as MPEG-TS with an index.

pub mod conf;
pub mod files;
mod index;
pub mod log;
mod place;
pub mod task;

pub use index::{Entry, Index};
pub use place::{Pair, Place};
