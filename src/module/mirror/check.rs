//! `mirror`: subrequests whose responses are dropped.

use super::conf::Current;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::routes::Location;

/// Sends the copies of a request.
pub struct MirrorCheck;

impl PhaseCheck for MirrorCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().mirrors.iter().any(|mirror| mirror.0.is_some())
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let conf = exchange.location.get::<Current>();
        if exchange.is_subrequest() {
            return Check::Now(Decision::Next);
        }
        if !conf.request_body {
            mirror(exchange);
            return Check::Now(Decision::Next);
        }
        Check::Later(Box::pin(async move {
            if let Err(refusal) = exchange.read_body().await {
                return refusal;
            }
            mirror(exchange);
            Decision::Next
        }))
    }
}

/// Prepares the copies, which are sent after the response.
fn mirror(exchange: &mut Exchange<'_>) {
    let conf = exchange.location.get::<Current>();
    let uris: Vec<_> = conf.mirrors.iter().filter_map(|mirror| mirror.0.clone()).collect();
    uris.into_iter().for_each(|uri| exchange.send_later(uri));
}
