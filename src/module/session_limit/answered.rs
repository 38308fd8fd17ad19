//! Limits in the answer of a callback.

use bytes::Bytes;

use super::log;
use crate::media::session::Session;
use crate::notify::AnsweredLimits;

/// The limit that the answer to a publisher's `start` sets in a header. One that is not valid is logged and counts as none.
pub(super) fn answered<T>(
    session: &Session,
    header: fn(&AnsweredLimits) -> &Option<Bytes>,
    name: &str,
    parse: fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let text = header(session.answered_limits.get()?).as_deref()?;
    let limit = parse(text);
    if limit.is_none() {
        log::invalid_header(session, name, text);
    }
    limit
}
