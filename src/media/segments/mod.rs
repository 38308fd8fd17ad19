//! Segments for HLS files and HLS from memory: where they are cut, and their stream's attributes in playlists.

mod cutter;
mod presentation;

pub use cutter::{Cut, CutRule, Cutter, Slicing};
pub use presentation::{MEASURED, Presentation, Presentations};
