//! How a response was found, for variables.

use bstr::BString;

/// `$upstream_cache_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum CacheStatus {
    /// Nothing was kept.
    Miss,
    /// The cache was not asked.
    Bypass,
    /// What was kept is too old.
    Expired,
    /// What was kept is used although it is too old.
    Stale,
    /// It is used while it is being replaced.
    Updating,
    /// The backend has said that it is unchanged.
    Revalidated,
    /// It is fresh.
    Hit,
}

/// What variables have of the cache.
#[derive(Clone, Debug)]
pub(in super::super) struct CacheVars {
    /// `$upstream_cache_status`
    pub(in super::super) status: CacheStatus,
    /// Seconds since 1970 of the last modification of a response that is revalidated.
    pub(in super::super) modified: Option<i64>,
    /// Its `ETag`.
    pub(in super::super) tag: BString,
}

impl CacheStatus {
    /// The value of the variable.
    pub(in super::super) fn text(self) -> &'static str {
        match self {
            CacheStatus::Miss => "MISS",
            CacheStatus::Bypass => "BYPASS",
            CacheStatus::Expired => "EXPIRED",
            CacheStatus::Stale => "STALE",
            CacheStatus::Updating => "UPDATING",
            CacheStatus::Revalidated => "REVALIDATED",
            CacheStatus::Hit => "HIT",
        }
    }
}
