//! Atoms of MP4 files (ISO/IEC 14496-12 calls them boxes).

use super::error::Mp4Error;

/// Length of an atom's header: size and name.
pub(super) const HEADER: usize = 8;
/// Length of a header with a size of 64 bits.
pub(super) const LONG_HEADER: usize = 16;

/// An atom inside a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom<'a> {
    /// Its name.
    pub name: [u8; 4],
    /// What follows its header.
    pub data: &'a [u8],
}

/// A parsed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Name of the atom.
    pub name: [u8; 4],
    /// Length of the header.
    pub header: u64,
    /// Length of the atom, including its header.
    pub size: u64,
}

/// Parses the header of an atom of which `left` bytes can exist. `None` is an atom that ends the list.
pub(super) fn header(bytes: &[u8], left: u64) -> Result<Option<Header>, Mp4Error> {
    let truncated = Mp4Error::Of("mp4 file truncated", None);
    let short = u32_at(bytes, 0).ok_or(truncated)?;
    if short == 0 {
        return Ok(None);
    }
    let (header, size) = match short {
        1 => {
            let (high, low) = u32_at(bytes, 8).zip(u32_at(bytes, 12)).ok_or(truncated)?;
            (LONG_HEADER, u64::from(high) << 32 | u64::from(low))
        }
        size => (HEADER, u64::from(size)),
    };
    if size < header as u64 {
        return Err(Mp4Error::Of("mp4 atom is too small", Some(size)));
    }
    if size > left {
        return Err(Mp4Error::Of("mp4 atom too large", Some(size)));
    }
    let name = bytes.get(4..HEADER).and_then(|name| name.try_into().ok()).ok_or(truncated)?;
    Ok(Some(Header { name, header: header as u64, size }))
}

/// The atoms in the data of another one.
pub(super) fn atoms(mut data: &[u8]) -> impl Iterator<Item = Result<Atom<'_>, Mp4Error>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut data);
        match header(rest, rest.len() as u64) {
            Err(error) => Some(Err(error)),
            Ok(None) => None,
            Ok(Some(header)) => {
                // Both fit: the size is at most the length.
                let (atom, behind) = rest.split_at(header.size as usize);
                data = behind;
                Some(Ok(Atom { name: header.name, data: &atom[header.header as usize..] }))
            }
        }
    })
}

/// A big-endian number of 32 bits.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// A big-endian number of 64 bits.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Appends an atom with this data.
pub(super) fn put(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    put_header(out, name, data.len());
    out.extend_from_slice(data);
}

/// Appends the header of an atom with data of this length.
pub(super) fn put_header(out: &mut Vec<u8>, name: &[u8; 4], length: usize) {
    // Descriptions are bounded far below 32 bits.
    let size = u32::try_from(length + HEADER).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(name);
}

/// Version and flags, which precede the fields of most atoms.
pub(super) const VERSION: usize = 4;

/// A copy of an atom's data with a field of the time scale's duration replaced; `at` are the offsets of the field in
/// version 0 and version 1.
pub(super) fn with_duration(data: &[u8], at: [usize; 2], duration: u64) -> Vec<u8> {
    let mut copy = data.to_vec();
    let is_long = data.first().is_some_and(|version| *version != 0);
    let bytes = duration.to_be_bytes();
    let (at, bytes) = if is_long { (at[1], &bytes[..]) } else { (at[0], &bytes[4..]) };
    if let Some(field) = copy.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
    copy
}

/// A field of 32 bits in version 0 and of 64 bits in version 1, at these offsets.
pub(super) fn versioned(data: &[u8], at: [usize; 2]) -> Option<u64> {
    match data.first()? {
        0 => u32_at(data, at[0]).map(u64::from),
        _ => u64_at(data, at[1]),
    }
}
