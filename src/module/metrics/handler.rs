//! `rtmp_metrics`.

use std::sync::Arc;

use http::StatusCode;
use http::header::ACCEPT;
use tokio::sync::Mutex;

use super::conf::{Current, MetricsPage};
use super::exposition::{self, TextFormat};
use super::snapshot::MetricsSource;
use crate::http::exchange::{Exchange, Handler, Methods, ResponseFuture};
use crate::http::response::Response;
use crate::http::routes::Location;

/// Handler of `rtmp_metrics`.
pub struct MetricsHandler {
    /// What metrics are made from.
    pub source: Arc<MetricsSource>,
    /// Held while a page is made, so that at most one is made at any time.
    pub turn: Mutex<()>,
}

impl Handler for MetricsHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("rtmp_metrics")
    }

    fn methods(&self) -> Methods {
        Methods::Document
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let page = exchange.chosen_by::<Current>().metrics.0.as_ref()?;
        let format = TextFormat::accepted(exchange.header(ACCEPT));
        Some(Box::pin(self.respond(*page, format)))
    }
}

impl MetricsHandler {
    async fn respond(&self, page: MetricsPage, format: TextFormat) -> Response {
        let _turn = self.turn.lock().await;
        let source = self.source.clone();
        let make = move || exposition::write(source.snapshot(), page, format);
        match tokio::task::spawn_blocking(make).await {
            Ok(Ok(text)) => Response::ok(format.content_type(), text),
            Ok(Err(_)) | Err(_) => Response::page(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}
