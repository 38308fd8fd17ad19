//! Where the segments of a stream begin and end, and what playlists say of the stream: for HLS files and HLS from memory.

mod cutter;
mod presentation;

pub use cutter::{Cut, CutRule, Cutter, Slicing};
pub use presentation::{MEASURED, Presentation, Presentations};
