//! The traits by which callbacks know sessions and the configuration of their applications.

use std::sync::Arc;

use super::conf::Current;
use super::variable::Variables;

/// A session, as callbacks know it. Its variables are those of `args=` that belong to a session.
pub trait Subject: Variables + Send + Sync {
    /// Number of the connection: `clientid=`, and `*N` in the error log.
    fn id(&self) -> u64;

    /// `domain=`.
    fn domain(&self) -> &[u8];

    /// `app=`.
    fn app(&self) -> &[u8];

    /// `name=`: the stream.
    fn name(&self) -> &[u8];

    /// Whether it sends the stream; otherwise it plays it.
    fn is_publisher(&self) -> bool;

    /// Keeps the HTTP status of the last answer for `$notify_status`; `None`: there was no answer.
    fn answered(&self, status: Option<u16>);

    /// Ends it, because the answer to an update refuses it.
    fn close_refused(&self);
}

/// The callback lines of an application, through reloads.
pub trait CallbackLines: Send + Sync {
    /// The lines in force now.
    fn in_force(&self) -> Arc<Current>;
}
