//! Tables of samples: entries of a fixed number of 32-bit fields, cut to the samples that are sent.

use super::atom::{VERSION, put_header, u32_at};
use super::error::Mp4Error;

/// A table of entries of `N` numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Table<const N: usize> {
    /// Version and flags.
    pub head: [u8; VERSION],
    /// The entries.
    pub entries: Vec<[u32; N]>,
}

impl<const N: usize> Table<N> {
    /// Parses the data of an atom: version and flags, number of entries, entries.
    pub(super) fn parse(data: &[u8], too_small: &'static str) -> Result<Table<N>, Mp4Error> {
        Table::parse_at(data, VERSION, too_small)
    }

    /// As [`Table::parse`], with the number of entries at an offset.
    pub(super) fn parse_at(data: &[u8], at: usize, too_small: &'static str) -> Result<Table<N>, Mp4Error> {
        let count = u32_at(data, at).ok_or(Mp4Error::Of(too_small, None))? as usize;
        let bytes = data.get(at + 4..).unwrap_or_default();
        // Checked before anything is allocated.
        let entries = bytes.chunks_exact(4 * N).take(count);
        if entries.len() < count {
            return Err(Mp4Error::Of(too_small, None));
        }
        let number = |entry: &[u8], at: usize| u32_at(entry, 4 * at).expect("an entry has N numbers");
        let head = data.first_chunk().copied().unwrap_or_default();
        Ok(Table {
            head,
            entries: entries.map(|entry| std::array::from_fn(|at| number(entry, at))).collect(),
        })
    }

    /// Appends the table as an atom; `prefix` stands between the flags and the number of entries.
    pub(super) fn put(&self, out: &mut Vec<u8>, name: &[u8; 4], prefix: &[u8]) {
        put_header(out, name, VERSION + prefix.len() + 4 + 4 * N * self.entries.len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(prefix);
        out.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for number in self.entries.iter().flatten() {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}
