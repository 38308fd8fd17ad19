//! What is done for a forwarded request, in nginx's words for the error log.

pub(super) const CONNECTING: &str = "connecting to upstream";
pub(super) const HANDSHAKING: &str = "SSL handshaking to upstream";
pub(super) const SENDING: &str = "sending request to upstream";
/// Whatever follows.
pub(super) const FINISHED: &str = "sending to client";
