//! Positions of chunks: `stco` or `co64`.

use crate::module::mp4::table::Table;

/// Positions of chunks.
#[derive(Clone, Debug)]
pub(super) enum Offsets {
    Short(Table<1>),
    /// Upper and lower halves.
    Long(Table<2>),
}

impl Offsets {
    pub(super) fn len(&self) -> usize {
        match self {
            Offsets::Short(table) => table.entries.len(),
            Offsets::Long(table) => table.entries.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<u64> {
        match self {
            Offsets::Short(table) => table.entries.get(at).map(|[offset]| u64::from(*offset)),
            Offsets::Long(table) => {
                table.entries.get(at).map(|[high, low]| u64::from(*high) << 32 | u64::from(*low))
            }
        }
    }

    pub(super) fn set(&mut self, at: usize, offset: u64) {
        match self {
            Offsets::Short(table) => table.entries[at] = [offset as u32],
            Offsets::Long(table) => table.entries[at] = [(offset >> 32) as u32, offset as u32],
        }
    }

    /// Keeps the chunks between two numbers.
    pub(super) fn keep(&mut self, start: usize, end: usize) {
        match self {
            Offsets::Short(table) => {
                table.entries.truncate(end);
                table.entries.drain(..start.min(end));
            }
            Offsets::Long(table) => {
                table.entries.truncate(end);
                table.entries.drain(..start.min(end));
            }
        }
    }
}
