//! `auth_request`: asks a location whether a request is admitted.

use bstr::BString;
use http::{Method, StatusCode};

use super::conf::Current;
use super::log;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::response::Response;
use crate::http::routes::Location;

/// Asks for access by a subrequest.
pub struct AuthRequestCheck;

impl PhaseCheck for AuthRequestCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().uri.0.is_some()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        Check::Later(Box::pin(ask(exchange)))
    }
}

async fn ask(exchange: &mut Exchange<'_>) -> Decision {
    let location = exchange.location.clone();
    let conf = location.get::<Current>();
    let Some(uri) = &conf.uri.0 else { return Decision::Next };
    // As in nginx, it has no query string: the client must not decide about itself.
    let mut inner = exchange.subrequest(uri.clone(), BString::default(), Some(Method::GET)).await;
    // As in nginx, what is kept of the answer is there for the next request.
    std::mem::take(&mut inner.response.body).finish_keeping().await;
    let mut own = Vec::new();
    for set in &conf.sets {
        let value = BString::from(inner.expand(&set.value));
        inner.assigned.set(&set.name, value.clone());
        own.push((&set.name, value));
    }
    exchange.take_values(&mut inner);
    // Some variables belong to the request itself, not to its values.
    own.into_iter().for_each(|(name, value)| exchange.assign(name, value));
    if let Some(status) = inner.closed_with() {
        return Decision::Close(status);
    }
    match inner.response.status {
        status if status.is_success() => Decision::Allow,
        StatusCode::FORBIDDEN => Decision::page(StatusCode::FORBIDDEN),
        StatusCode::UNAUTHORIZED => {
            let mut page = Response::page(StatusCode::UNAUTHORIZED);
            for value in inner.response.headers.all(b"WWW-Authenticate") {
                page.headers.append("WWW-Authenticate", value.to_vec());
            }
            Decision::Done(Box::new(page))
        }
        status => {
            log::unexpected(exchange, status.as_u16());
            Decision::page(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
