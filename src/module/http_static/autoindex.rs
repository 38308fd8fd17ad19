//! `autoindex`: a listing for a directory without an index file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bstr::{BString, ByteSlice};
use http::{Method, StatusCode};

use super::conf::{AutoindexFormat, Current};
use super::directory::{self, WantedFiles};
use super::listing::{self, Listing, ListingStyle};
use super::log;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck, ResponseFilter};
use crate::http::response::{Body, Response};
use crate::http::routes::Location;
use crate::media::variables::query_argument;

/// Lists directories.
pub struct AutoindexCheck;

/// Tells a listing whether its charset is UTF-8, which decides how names are cut. It follows the charset filter.
pub struct AutoindexFilter;

/// The charset of a listing to be sent.
#[derive(Clone)]
struct ListingCharset(Arc<AtomicBool>);

impl PhaseCheck for AutoindexCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.get::<Current>().autoindex
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let is_listed =
            exchange.path.ends_with(b"/") && matches!(*exchange.method(), Method::GET | Method::HEAD);
        if !is_listed {
            return Check::Now(Decision::Next);
        }
        Check::Later(Box::pin(list(exchange)))
    }
}

impl ResponseFilter for AutoindexFilter {
    fn filter(&self, exchange: &mut Exchange<'_>) {
        if let Some(ListingCharset(is_utf8)) = exchange.kept.get() {
            let charset = exchange.response.charset.as_ref();
            let is = charset.is_some_and(|charset| charset.eq_ignore_ascii_case(b"utf-8"));
            is_utf8.store(is, Ordering::Relaxed);
        }
    }
}

async fn list(exchange: &mut Exchange<'_>) -> Decision {
    let location = exchange.location.clone();
    let conf = location.get::<Current>();
    let Some(path) = directory::path_of(exchange) else {
        return Decision::page(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut called = BString::default();
    if conf.autoindex_format == AutoindexFormat::Jsonp {
        let name = query_argument(exchange.query(), b"callback");
        match listing::callback(name) {
            Some(name) => called = name.to_owned(),
            None => {
                log::invalid_callback(exchange, name);
                return Decision::page(StatusCode::BAD_REQUEST);
            }
        }
    }
    let wanted = if exchange.is_head() { WantedFiles::Nothing } else { WantedFiles::Files };
    let mut files = match directory::read(exchange, &path, wanted).await {
        Ok(files) => files,
        Err(decision) => return decision,
    };
    listing::sort(&mut files);
    let offset = match conf.autoindex_localtime {
        true => i64::from(jiff::ZonedDateTime::now().offset().seconds()),
        false => 0,
    };
    let content_type = match conf.autoindex_format {
        AutoindexFormat::Html => "text/html",
        AutoindexFormat::Jsonp if !called.is_empty() => "application/javascript",
        AutoindexFormat::Json | AutoindexFormat::Jsonp => "application/json",
        AutoindexFormat::Xml => "text/xml",
    };
    let is_utf8 = Arc::new(AtomicBool::new(false));
    exchange.kept.insert(ListingCharset(is_utf8.clone()));
    let style = ListingStyle {
        format: conf.autoindex_format,
        callback: called,
        exact_size: conf.autoindex_exact_size,
        offset,
        is_utf8,
    };
    let body = Body::Source(Box::new(Listing::new(exchange.path.as_bstr().to_owned(), files, style)));
    let mut response = Response::ok(content_type, body);
    if conf.autoindex_format == AutoindexFormat::Xml {
        response.charset = Some("utf-8".into());
    }
    Decision::Done(Box::new(response))
}
