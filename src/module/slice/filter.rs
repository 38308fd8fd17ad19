//! `slice`, and the variable `$slice_range`.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bstr::BStr;
use http::StatusCode;

use super::conf::Current;
use super::log;
use super::range::asked_start;
use super::slices::Slices;
use crate::http::exchange::{
    Check, Decision, Exchange, Lookup, PhaseCheck, RequestVariables, ResponseFilter, VariableLookup,
};
use crate::http::response::{Body, BodySource, Piece};
use crate::http::routes::Location;

/// Prepares slices where a location has them.
pub struct SliceCheck;

/// Continues the response with the first slice.
pub struct SliceFilter;

/// The variable `$slice_range`.
pub struct SliceRange;

fn is_sliced(location: &Location) -> bool {
    location.get::<Current>().size.0 > 0
}

/// The slices of a request. Those of a location that it has left do not count.
fn slices<'e>(exchange: &'e Exchange<'_>) -> Option<&'e Arc<Slices>> {
    exchange.kept.get().filter(|_| exchange.is_subrequest() || is_sliced(&exchange.location))
}

impl PhaseCheck for SliceCheck {
    fn applies_to(&self, location: &Location) -> bool {
        is_sliced(location)
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        if !exchange.is_subrequest() {
            let size = exchange.location.get::<Current>().size.0;
            exchange.kept.insert(Arc::new(Slices::new(size)));
        }
        Check::Now(Decision::Next)
    }
}

impl RequestVariables for SliceRange {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        if name != "slice_range" {
            return Ok(None);
        }
        // As in nginx, it has no value where a response was made without it.
        let is_unused = |slices: &&Arc<Slices>| exchange.knows_status() && !slices.is_used();
        let Some(slices) = slices(exchange).filter(|slices| !is_unused(slices)) else {
            return Ok(Some(Lookup::Missing));
        };
        let start = || match exchange.request.header("if-range") {
            Some(_) => 0,
            None => asked_start(exchange.header("range")),
        };
        out.extend_from_slice(slices.range(start).as_bytes());
        Ok(Some(Lookup::Changing))
    }
}

impl ResponseFilter for SliceFilter {
    fn filter(&self, exchange: &mut Exchange<'_>) {
        if exchange.is_subrequest() {
            return;
        }
        let Some(slices) = slices(exchange).filter(|slices| slices.is_used()).cloned() else { return };
        if exchange.response.status != StatusCode::PARTIAL_CONTENT {
            exchange.kept.remove::<Arc<Slices>>();
            return;
        }
        match slices.begin(&mut exchange.response) {
            Ok(()) => exchange.continuation = Some(slices),
            Err(wrong) => {
                // As in nginx, the connection is closed without a response, and the slice is not kept.
                log::wrong_slice(exchange, &wrong);
                exchange.response.body.keep_nothing();
                exchange.response.body = Body::Source(Box::new(Nothing));
            }
        }
    }
}

/// A body that cannot be sent.
struct Nothing;

impl BodySource for Nothing {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into())))
    }

    fn length(&self) -> Option<u64> {
        None
    }
}
