//! Traits through which callbacks use sessions and the configuration of their applications.

use std::sync::Arc;

use super::conf::Current;
use super::variable::Variables;

/// A session, as callbacks see it. Its variables are the session variables of `args=`.
pub trait Subject: Variables + Send + Sync {
    /// Connection number: `clientid=`, and `*N` in the error log.
    fn id(&self) -> u64;

    /// `domain=`.
    fn domain(&self) -> &[u8];

    /// `app=`.
    fn app(&self) -> &[u8];

    /// `name=`: the stream name.
    fn name(&self) -> &[u8];

    /// `epoch=`, after the expansion of `args=`: number of the claim of its name in the cluster, if there is one.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// Whether it publishes the stream; otherwise it plays it.
    fn is_publisher(&self) -> bool;

    /// Stores the HTTP status of the last answer for `$notify_status`; `None` if there was no answer.
    fn answered(&self, status: Option<u16>);

    /// Disconnects it, because the answer to an update refuses it.
    fn close_refused(&self);
}

/// Callback lines of an application across reloads.
pub trait CallbackLines: Send + Sync {
    /// The current lines.
    fn in_force(&self) -> Arc<Current>;
}
