//! `sub_filter`.

use http::StatusCode;

use super::conf::Current;
use super::replace::Replace;
use crate::http::body_reader::Transformed;
use crate::http::exchange::{Exchange, ResponseFilter};
use crate::http::response::Body;
use crate::http::routes::Location;

/// Replaces texts in bodies.
pub struct SubFilter;

impl ResponseFilter for SubFilter {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<Current>().pairs.is_empty()
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        let response = &exchange.response;
        // As in nginx, a body that another one follows is not empty.
        let is_empty = response.body.length() == Some(0) && exchange.surroundings.is_empty();
        if matches!(response.body, Body::Live(_))
            || is_empty && response.status != StatusCode::NOT_MODIFIED
            || !conf.types.has(response.content_type.as_ref())
        {
            return;
        }
        let pairs = conf.pairs.iter();
        let pairs = pairs.map(|pair| (exchange.expand(&pair.pattern), exchange.expand(&pair.replacement)));
        let Some(replace) = Replace::new(pairs.collect::<Vec<_>>(), conf.once) else { return };
        let response = &mut exchange.response;
        response.body_changes();
        if !conf.keeps_date {
            response.forget_modified();
            response.headers.remove(b"ETag");
        }
        Transformed::replace(&mut response.body, replace, None);
    }
}
