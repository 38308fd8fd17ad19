//! What the console asks of the server.

use std::future::Future;
use std::pin::Pin;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleAction<'a> {
    /// Tells what a reload would do.
    Plan,
    /// Reads the files again and applies them.
    Reload,
    /// Returns to the preceding configuration.
    RollBack,
    /// Ends sessions.
    Drop {
        /// Which ones, with the arguments of `rtmp_control`.
        query: &'a [u8],
        /// Address of the client that asks.
        addr: &'a str,
    },
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The server ends.
    #[error("the server is shutting down")]
    Stopping,
    /// The task that reloads does not run yet.
    #[error("the server is starting")]
    Starting,
    /// Too many requests wait.
    #[error("other requests wait for a reload that is in progress")]
    Busy,
    /// The server refuses it, as it says.
    #[error("{0}")]
    Refused(String),
    /// A control request that is not registered.
    #[error("there is no such control request")]
    Unknown,
    /// An answer to something else.
    #[error("the answer was not expected")]
    Unexpected,
}

/// Text that the page shows, or why there is none.
pub type ActionResult = Result<String, ActionError>;

/// Carries out requests of the console.
pub trait ConsoleActions: Send + Sync {
    /// Carries out a request.
    fn carry_out<'a>(
        &'a self,
        action: ConsoleAction<'a>,
    ) -> Pin<Box<dyn Future<Output = ActionResult> + Send + 'a>>;
}
