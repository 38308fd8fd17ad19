//! `charset`: the charset of a response, and its recoding.

use std::sync::LazyLock;

use bstr::{BString, ByteSlice};

use super::conf::{Charset, Current, SourceCharset};
use super::log;
use super::recode::Recode;
use crate::http::body_reader::Transformed;
use crate::http::content_types::TypeList;
use crate::http::exchange::{Exchange, ResponseFilter};
use crate::http::response::Body;

/// Types to which a charset is added without `charset_types`.
static USUAL: LazyLock<TypeList> = LazyLock::new(|| {
    TypeList::new(&[
        "text/xml",
        "text/plain",
        "text/vnd.wap.wml",
        "application/javascript",
        "application/rss+xml",
    ])
});

/// Sets the charset, and recodes bodies.
pub struct CharsetFilter;

impl ResponseFilter for CharsetFilter {
    fn filter(&self, exchange: &mut Exchange<'_>) {
        let is_forced =
            exchange.response.foreign.as_ref().is_some_and(|foreign| foreign.wanted_charset.is_some());
        if !exchange.is_subrequest()
            && !is_forced
            && exchange.location.get::<Current>().charset == Charset::Off
        {
            return;
        }
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        let Some(wanted) = wanted(exchange, conf) else { return };
        let known = exchange.response.charset.clone();
        let source = known.or_else(|| match &conf.source {
            Some(SourceCharset(charset)) => name(exchange, charset),
            None => None,
        });
        let Some(source) = source.filter(|source| !source.eq_ignore_ascii_case(&wanted)) else {
            return set(exchange, wanted);
        };
        if exchange.response.encoding.is_some() {
            return;
        }
        let recoding = conf.maps.iter().find_map(|map| map.recoding(source.as_bstr(), wanted.as_bstr()));
        let Some(recoding) = recoding else { return log::no_map(exchange, &source, &wanted) };
        set(exchange, wanted);
        let response = &mut exchange.response;
        if matches!(response.body, Body::Live(_)) {
            return;
        }
        let length = response.body.length().filter(|_| recoding.keeps_length());
        response.has_ranges &= length.is_some();
        Transformed::replace(&mut response.body, Recode::new(recoding.clone()), length);
    }
}

/// The charset that the response gets.
fn wanted(exchange: &Exchange<'_>, conf: &Current) -> Option<BString> {
    if exchange.is_subrequest() {
        return exchange.outer_charset.clone();
    }
    let response = &exchange.response;
    response.content_type.as_ref()?;
    let forced = response.foreign.as_ref().and_then(|foreign| foreign.wanted_charset.as_ref());
    if let Some(forced) = forced.filter(|name| !name.is_empty()) {
        // As in nginx, one that is not known leaves the response without a charset.
        if !conf.knows(forced) {
            log::unknown(exchange, forced);
            return None;
        }
        return Some(forced.clone());
    }
    let applies = match &response.charset {
        Some(_) => conf.overrides,
        None => conf.types.as_ref().unwrap_or(&USUAL).has(response.content_type.as_ref()),
    };
    if applies { name(exchange, &conf.charset) } else { None }
}

fn name(exchange: &Exchange<'_>, charset: &Charset) -> Option<BString> {
    match charset {
        Charset::Off => None,
        Charset::Name(name) => Some(name.clone()),
        Charset::Variable(template) => Some(exchange.expand(template).into()),
    }
}

/// Sets the charset, but not that of a redirect's page, which old browsers took for that of the next page.
fn set(exchange: &mut Exchange<'_>, charset: BString) {
    if !exchange.is_subrequest() {
        let is_redirect = matches!(exchange.response.status.as_u16(), 301 | 302);
        exchange.response.charset = Some(charset).filter(|charset| !is_redirect && !charset.is_empty());
    }
}
