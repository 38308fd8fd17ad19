//! `mirror`: subrequests whose responses are dropped.

use super::conf::Current;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};

/// Sends the copies of a request.
pub struct MirrorCheck;

impl PhaseCheck for MirrorCheck {
    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let mirrors = &exchange.location.get::<Current>().mirrors;
        if exchange.is_subrequest() || mirrors.iter().all(|mirror| mirror.0.is_none()) {
            return Check::Now(Decision::Next);
        }
        let uris: Vec<_> = mirrors.iter().filter_map(|mirror| mirror.0.clone()).collect();
        Check::Later(Box::pin(async move {
            for uri in uris {
                let query = exchange.query.clone();
                let mut copy = exchange.subrequest(uri, query, None).await;
                exchange.take_values(&mut copy);
            }
            Decision::Next
        }))
    }
}
