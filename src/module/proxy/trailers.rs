//! `proxy_pass_trailers`: what follows the body of a backend's response.

use super::conf::Current;
use super::states::UpstreamAttempts;
use crate::http::exchange::{Exchange, ResponseFilter};
use crate::http::routes::Location;

/// Passes on trailers.
pub struct ProxyTrailers;

impl ResponseFilter for ProxyTrailers {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().pass_trailers
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        exchange.response.expects_trailers |= exchange.response.foreign.is_some();
    }

    fn end(&self, exchange: &mut Exchange<'_>) {
        if exchange.response.foreign.is_none() {
            return;
        }
        let Some(attempts) = exchange.kept.get::<UpstreamAttempts>().cloned() else { return };
        for (name, value) in attempts.0.lock().trailers.iter() {
            exchange.response.trailers.append(name.to_vec(), value.to_vec());
        }
    }
}
