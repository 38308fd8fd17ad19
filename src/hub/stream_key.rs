//! Identity of a stream within the process.

use bytes::Bytes;

/// Server, application and name of a stream (PingOS's `$stream`: `serverid/app/name`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// `serverid` of the virtual server.
    pub serverid: Bytes,
    /// Application name that the session gave, also under `application *`.
    pub app: Bytes,
    /// Stream name without query.
    pub name: Bytes,
}

impl StreamKey {
    /// Creates a key from its three parts.
    pub fn new(serverid: impl Into<Bytes>, app: impl Into<Bytes>, name: impl Into<Bytes>) -> Self {
        StreamKey { serverid: serverid.into(), app: app.into(), name: name.into() }
    }
}
