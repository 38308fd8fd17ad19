//! Log lines of the upstream module, with nginx's texts.

use bstr::BStr;
use tracing::warn;

use crate::log::shown::Shown;

/// A zone of `sticky learn` has no place for another session.
pub(super) fn zone_full(zone: &BStr) {
    let zone = Shown::new(zone);
    warn!(
        "could not allocate node in sticky session zone \"{zone}\", expiring least recently used session; \
         this is logged once a minute"
    );
}
