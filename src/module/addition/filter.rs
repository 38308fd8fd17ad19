//! `add_before_body` and `add_after_body`.

use http::StatusCode;

use super::conf::Current;
use crate::http::exchange::{Exchange, ResponseFilter};
use crate::http::response::Surrounding;
use crate::http::routes::Location;

/// Puts responses of subrequests around a body.
pub struct AdditionFilter;

impl ResponseFilter for AdditionFilter {
    fn applies_to(&self, location: &Location) -> bool {
        let conf = location.get::<Current>();
        !(conf.before.0.is_empty() && conf.after.0.is_empty())
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        let applies = exchange.response.status == StatusCode::OK
            && !exchange.is_subrequest()
            && conf.types.has(exchange.response.content_type.as_ref());
        if !applies {
            return;
        }
        for (uri, is_before) in [(&conf.before.0, true), (&conf.after.0, false)] {
            if !uri.is_empty() {
                exchange.surroundings.push(Surrounding { uri: uri.clone(), is_before });
            }
        }
        exchange.response.body_is_converted();
    }
}
