//! The traits by which modules take part in answering requests. `server/parts.rs` lists the modules that do.

use std::future::Future;
use std::pin::Pin;

use http::Response;

use super::exchange::Exchange;
use super::reply::Body;
use crate::directive::context::LOCATION;
use crate::directive::{Undecided, Values};

/// A response in the making.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// Answers requests of locations that a directive of its module gives to it. The first that takes a location answers;
/// files are served where none does.
pub trait Handler: Send + Sync {
    /// Whether it answers in a location with these values.
    fn takes(&self, location: &Values<LOCATION>) -> bool;

    /// Whether it only knows GET and HEAD: other methods are refused. If not, it looks at no method, as the original's
    /// handlers for tools, which post to them.
    fn is_read_only(&self) -> bool;

    /// Answers a request.
    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Answer<'a>;
}

/// What becomes of a request after a phase.
pub enum Decision {
    /// It goes on.
    Next,
    /// It is answered, or its connection ends without an answer.
    Done(Option<Response<Body>>),
}

/// Looks at requests in a phase before their handler.
pub trait PhaseCheck: Send + Sync {
    /// Before the location is looked for.
    fn server_rewrite(&self, exchange: &mut Exchange<'_>) -> Decision;

    /// When the location is found, before access is looked at.
    fn rewrite(&self, exchange: &mut Exchange<'_>) -> Decision;
}

/// Changes responses on their way out, their heads or their bodies.
pub trait ResponseFilter: Send + Sync {
    /// Changes a response.
    fn filter(&self, exchange: &Exchange<'_>, response: &mut Response<Body>);
}

/// Gives a variable its value.
pub trait RequestVariable: Send + Sync {
    /// The variable's name.
    fn name(&self) -> &'static str;

    /// Appends its value.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    fn value(&self, exchange: &Exchange<'_>, out: &mut Vec<u8>) -> Result<(), Undecided>;
}
