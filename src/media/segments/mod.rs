//! Segments for HLS files, HLS from memory and DASH: where they are cut, and their stream's attributes in playlists.

mod cutter;
mod date_ranges;
mod fragmenter;
mod playlist_kind;
mod presentation;

pub use cutter::{CutDecision, CutPiece, CutRule, Cutter, Slicing};
pub use date_ranges::{DateRanges, SegmentStart};
pub use fragmenter::{Fragmenter, SegmentFragment};
pub use playlist_kind::PlaylistKind;
pub use presentation::{MEASURED, Presentation, Presentations};
