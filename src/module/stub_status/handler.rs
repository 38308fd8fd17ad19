//! `stub_status`, as nginx writes it.

use std::future;
use std::sync::Arc;

use bstr::{BStr, ByteSlice};

use super::conf::Current;
use crate::http::counters::{ConnectionActivity, HttpCounters};
use crate::http::exchange::{
    Exchange, Handler, Lookup, Methods, RequestVariables, ResponseFuture, VariableLookup,
};
use crate::http::response::Response;
use crate::http::routes::Location;

/// Handler of `stub_status`.
pub struct StubStatusHandler(pub Arc<HttpCounters>);

impl Handler for StubStatusHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("stub_status")
    }

    fn methods(&self) -> Methods {
        Methods::Document
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        exchange.chosen_by::<Current>().stub_status.0.as_ref()?;
        Some(Box::pin(future::ready(Response::ok("text/plain", page(&self.0)))))
    }
}

fn page(counters: &HttpCounters) -> String {
    let accepted = counters.accepted();
    format!(
        "Active connections: {} \nserver accepts handled requests\n {accepted} {accepted} {} \n\
         Reading: {} Writing: {} Waiting: {} \n",
        counters.active(),
        counters.requests(),
        counters.doing(ConnectionActivity::Reading),
        counters.doing(ConnectionActivity::Writing),
        counters.doing(ConnectionActivity::Waiting),
    )
}

/// `$connections_active` and its kin.
pub struct StubStatusVariables(pub Arc<HttpCounters>);

impl RequestVariables for StubStatusVariables {
    fn value(&self, _: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let count = match name.as_bytes() {
            b"connections_active" => self.0.active(),
            b"connections_reading" => self.0.doing(ConnectionActivity::Reading),
            b"connections_writing" => self.0.doing(ConnectionActivity::Writing),
            b"connections_waiting" => self.0.doing(ConnectionActivity::Waiting),
            _ => return Ok(None),
        };
        out.extend_from_slice(count.to_string().as_bytes());
        Ok(Some(Lookup::Changing))
    }
}
