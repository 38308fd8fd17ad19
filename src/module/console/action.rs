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

/// Text for the person who asked: the result, or why there is none.
pub type ActionResult = Result<String, String>;

/// Carries out requests of the console.
pub trait ConsoleActions: Send + Sync {
    /// Carries out a request.
    fn carry_out<'a>(
        &'a self,
        action: ConsoleAction<'a>,
    ) -> Pin<Box<dyn Future<Output = ActionResult> + Send + 'a>>;
}
