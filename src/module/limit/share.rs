//! Memory of a zone by nginx's count, so that a zone of a size holds as many states as there.

use bstr::BString;

/// What a zone is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneIdentity {
    /// Its name.
    pub name: BString,
    /// Its size in bytes as configured.
    pub size: u64,
    /// Its key as written, which a reload compares.
    pub key: BString,
}

/// Size in bytes of a page.
const PAGE: u64 = 4096;
/// Size in bytes of what nginx keeps about each page.
const PAGE_ENTRY: u64 = 24;
/// Size in bytes of nginx's description of a zone.
const HEADER: u64 = 704;
/// Size in bytes of the lists of a zone's states, kept in the zone as a state.
const LISTS: u64 = 128;

/// Smallest share of a zone, in bytes, that is worth a lock of its own.
const SHARE: u64 = 512 * 1024;
/// Maximum number of shares of a zone. More locks than threads of the largest machines are of no use.
const MAX_SHARES: u64 = 16;

/// Bytes for states in a zone of a size.
pub(super) fn capacity(size: u64) -> u64 {
    let pages = (size.saturating_sub(HEADER) / (PAGE + PAGE_ENTRY)).min((size / PAGE).saturating_sub(1));
    // One page holds the zone's name.
    (pages.saturating_sub(1) * PAGE).saturating_sub(LISTS)
}

/// Bytes that a state takes: a power of two, or whole pages.
pub(super) fn cost(state: usize) -> u64 {
    let state = state as u64;
    if state <= PAGE / 2 { state.next_power_of_two().max(8) } else { state.next_multiple_of(PAGE) }
}

/// Number of parts of a zone, each with a lock.
pub(super) fn shares(size: u64) -> usize {
    (capacity(size) / SHARE).clamp(1, MAX_SHARES) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_has_as_many_states_as_the_manual_of_nginx_says() {
        assert_eq!(capacity(1024 * 1024) / cost(80 + 4), 8095);
        assert_eq!(capacity(1024 * 1024) / cost(36 + 4), 16_190);
        assert_eq!((cost(128), cost(129), cost(2049)), (128, 256, 4096));
    }

    #[test]
    fn small_zones_have_one_share() {
        assert_eq!([32 * 1024, 1024 * 1024, 2 << 20, 1 << 30].map(shares), [1, 1, 3, 16]);
    }
}
