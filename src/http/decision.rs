//! Results of modules that take part in a request: responses, decisions and values of variables.

use std::future::Future;
use std::pin::Pin;

use bstr::BString;
use http::StatusCode;

use super::response::Response;
use crate::directive::Undecided;

/// A future response.
pub type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

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

/// Result of a check.
#[derive(Debug)]
pub enum Decision {
    /// The next check follows.
    Next,
    /// Access is granted; with `satisfy any`, no other check of access follows.
    Allow,
    /// The response.
    Done(Box<Response>),
    /// An internal redirect to a path, with a query string.
    Redirect {
        /// Decoded path.
        path: BString,
        /// Query string without question mark; `None` where `$args` is to have no value.
        query: Option<BString>,
    },
    /// An internal redirect to the location `@name`.
    Named(BString),
    /// The connection is closed without a response; the status is that of the access log.
    Close(u16),
}

impl Decision {
    /// The page of a status.
    pub fn page(status: StatusCode) -> Self {
        Decision::Done(Box::new(Response::page(status)))
    }
}

/// A decision, now or later.
pub enum Check<'a> {
    /// The decision.
    Now(Decision),
    /// A decision that takes time.
    Later(Pin<Box<dyn Future<Output = Decision> + Send + 'a>>),
}

/// Result of looking up a variable of a module; `None` if it is not the module's.
pub type VariableLookup = Result<Option<Lookup>, Undecided>;

/// Result of looking up a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It has no value.
    Missing,
    /// It has a value, which stays for the request.
    Found,
    /// It has a value, which may be another at the next use.
    Changing,
    /// It has no value now, but may have one at the next use.
    Absent,
}
