//! Recording of streams as MPEG-TS with an index.

pub mod conf;
mod index;
mod place;

pub use index::{Entry, Index};
pub use place::{Pair, Place};
