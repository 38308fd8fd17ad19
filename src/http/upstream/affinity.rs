//! The binding of clients to servers of a group, independent of the way in which a module identifies clients.

use std::any::Any;
use std::fmt;

use bstr::BStr;

use crate::http::exchange::Exchange;

/// The value of the `Set-Cookie` header that tells a client's server. What is kept for a request has it until the response.
#[derive(Clone, Debug)]
pub struct ServerCookie(pub Vec<u8>);

/// Binds clients to servers (`sticky`).
pub trait Affinity: fmt::Debug + Send + Sync {
    /// Takes over what is known from that of the former configuration.
    fn take_over(&self, before: &dyn Affinity);

    /// The sessions that it keeps, for [`Affinity::take_over`].
    fn sessions(&self) -> Option<&dyn Any> {
        None
    }

    /// Begins the choice for a request.
    fn begin(&self, exchange: &Exchange<'_>) -> Box<dyn Bond>;
}

/// The binding of a request.
pub trait Bond: Send {
    /// The `sid` of the server to which the request is bound.
    fn sid(&self) -> Option<&BStr>;

    /// A server was chosen. Returns the value of the `Set-Cookie` header that the response is to have.
    fn chosen(&mut self, _exchange: &Exchange<'_>, _sid: &BStr) -> Option<Vec<u8>> {
        None
    }

    /// The server has answered; its headers are known to variables. Returns what is done when its use ends without a failure.
    fn answered(&mut self, _exchange: &Exchange<'_>, _sid: &BStr) -> Option<AtEnd> {
        None
    }

    /// The action for a server that has not answered, when its use ends without a failure.
    fn unanswered(&mut self, _sid: &BStr) -> Option<AtEnd> {
        None
    }
}

/// Work at the end of a use.
pub type AtEnd = Box<dyn FnOnce() + Send + Sync>;
