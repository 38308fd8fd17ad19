//! Traits through which modules take part in answering requests; `server/parts.rs` lists the implementations.

use std::future::Future;
use std::pin::Pin;

use http::Response;

use super::exchange::Exchange;
use super::reply::Body;
use crate::directive::Undecided;

/// A future response.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// Methods that a handler supports; others are answered for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// GET and HEAD, as of files.
    Document,
    /// GET and HEAD of a stream. `OPTIONS` tells players in browsers so, with CORS headers.
    Stream,
    /// All except `OPTIONS`: PingOS's handlers for tools, which send POST, ignore the method.
    Any,
}

/// Answers requests of the locations in which a directive of its module is set. The first handler that takes a request
/// answers; without one, files are served.
pub trait Handler: Send + Sync {
    /// The methods that reach it.
    fn methods(&self) -> Methods;

    /// The response, if the location's values select this handler. Nothing happens before it is awaited.
    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>>;
}

/// Result of a phase.
pub enum Decision {
    /// The next phase follows.
    Next,
    /// The response; `None` closes the connection without one.
    Done(Option<Response<Body>>),
}

/// Runs before the handler, in nginx's rewrite phases.
pub trait PhaseCheck: Send + Sync {
    /// Runs before the location is selected.
    fn server_rewrite(&self, exchange: &mut Exchange<'_>) -> Decision;

    /// Runs after the location is selected and before access rules.
    fn rewrite(&self, exchange: &mut Exchange<'_>) -> Decision;
}

/// Changes the head or the body of responses.
pub trait ResponseFilter: Send + Sync {
    /// Changes a response.
    fn filter(&self, exchange: &Exchange<'_>, response: &mut Response<Body>);
}

/// A variable with a value of its module.
pub trait RequestVariable: Send + Sync {
    /// Name of the variable.
    fn name(&self) -> &'static str;

    /// Appends the value.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    fn value(&self, exchange: &Exchange<'_>, out: &mut Vec<u8>) -> Result<(), Undecided>;
}
