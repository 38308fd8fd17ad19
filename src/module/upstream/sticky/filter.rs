//! The cookie of `sticky cookie` in responses.

use crate::http::exchange::{Exchange, ResponseFilter};
use crate::http::routes::Location;
use crate::http::upstream::affinity::ServerCookie;

/// Sets the cookie. As in nginx, also in the response that replaces the backend's.
pub struct StickyFilter;

impl ResponseFilter for StickyFilter {
    fn applies_to(&self, _: &Location) -> bool {
        // A location that forwards may lead to another one, which answers.
        true
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        if exchange.is_subrequest() {
            return;
        }
        if let Some(ServerCookie(cookie)) = exchange.kept.remove() {
            exchange.response.headers.prepend("Set-Cookie", cookie);
        }
    }
}
