//! Warnings about backends that send more than their responses, written once the request is over.

use super::check::pass_of;
use super::log;
use super::states::UpstreamAttempts;
use crate::http::exchange::{Exchange, RequestLog};
use crate::http::routes::Location;

/// Warns of what backends have sent beyond their responses.
pub struct ProxyExcess;

impl RequestLog for ProxyExcess {
    fn applies_to(&self, location: &Location) -> bool {
        pass_of(location).is_some()
    }

    fn log(&self, exchange: &Exchange<'_>) {
        let Some(attempts) = exchange.kept.get::<UpstreamAttempts>() else { return };
        let excess = attempts.0.lock().excess.take();
        if let Some(excess) = excess {
            log::too_much(exchange, excess);
        }
    }
}
