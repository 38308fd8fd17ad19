//! Responses of backends as responses to the client.

use std::io;
use std::task::Poll;

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use http::{StatusCode, Version};

use super::attempt::{BackendResponse, ForwardedRequest};
use super::body::{Afterwards, Framing, NoBody, UpstreamBody};
use super::cache::fill::{self, Filling};
use super::cache::freshness::Freshness;
use super::cache::lookup::{self, CacheUse};
use super::cache::zone::Entry;
use super::conf::{Current, IgnoredHeaders};
use super::head::ResponseHead;
use super::log;
use super::rewriting;
use super::states::UpstreamAttempts;
use super::store;
use super::target::ProxyTarget;
use super::tunnel::{TunnelTimes, UpgradedLink};
use crate::directive::number::digits;
use crate::directive::{Match, Text};
use crate::http::core::conf::Current as Core;
use crate::http::date;
use crate::http::exchange::{Decision, Exchange};
use crate::http::headers::Headers;
use crate::http::log::{READING_UPSTREAM, READING_UPSTREAM_HEAD};
use crate::http::response::{Body, BodySource, FilePart, Foreign, Piece, Response};
use crate::http::variable::Template;

/// Headers that are not passed on unless `proxy_pass_header` names them.
const HIDDEN: [&str; 8] = [
    "Date",
    "Server",
    "X-Pad",
    "X-Accel-Expires",
    "X-Accel-Redirect",
    "X-Accel-Limit-Rate",
    "X-Accel-Buffering",
    "X-Accel-Charset",
];

/// Headers that also stay when the body is another one's (`X-Accel-Redirect`).
const CARRIED: [&str; 5] = ["Set-Cookie", "Content-Disposition", "Cache-Control", "Expires", "Accept-Ranges"];

/// What is needed to make a response.
pub(super) struct ResponseContext<'c> {
    pub(super) conf: &'c Current,
    /// The URL of `proxy_pass` without variables.
    pub(super) target: Option<&'c ProxyTarget>,
}

impl ResponseContext<'_> {
    fn ignores(&self, header: IgnoredHeaders) -> bool {
        self.conf.ignore_headers.0.is_some_and(|ignored| ignored.contains(header))
    }

    fn is_hidden(&self, name: &[u8]) -> bool {
        let is_listed = |list: &[Text]| list.iter().any(|listed| listed.0.eq_ignore_ascii_case(name));
        if is_listed(&self.conf.hide_headers) {
            return true;
        }
        let is_usually = HIDDEN.iter().any(|hidden| name.eq_ignore_ascii_case(hidden.as_bytes()));
        is_usually && !is_listed(&self.conf.pass_headers)
    }

    /// Rewrites an address of the backend's from a position on.
    fn redirect(&self, exchange: &Exchange<'_>, value: &[u8], from: usize) -> Option<Vec<u8>> {
        let location = exchange.location.name.spelled();
        let target = self.target.map(|target| (target, location.as_bytes()));
        let expand = |template: &Template, found: Option<&Match>| exchange.expand_matched(template, found);
        rewriting::redirect(&self.conf.redirects, value, from, target, &expand)
    }

    fn cookie(&self, exchange: &Exchange<'_>, value: &[u8]) -> Option<Vec<u8>> {
        let conf = self.conf;
        let expand = |template: &Template, found: Option<&Match>| exchange.expand_matched(template, found);
        let refuse = |flag: &[u8]| log::invalid_flag(exchange, flag);
        let (domains, paths, flags) = (&conf.cookie_domains, &conf.cookie_paths, &conf.cookie_flags);
        rewriting::cookie(value, domains, paths, flags, &expand, &refuse)
    }

    /// The decision that a response leads to, and what is still to be kept of one without a body.
    pub(super) fn decide(
        &self,
        exchange: &mut Exchange<'_>,
        job: &ForwardedRequest<'_>,
        answered: BackendResponse,
        cache: Option<Box<CacheUse>>,
    ) -> (Decision, Option<Filling>) {
        self.limit_rate(exchange, &answered.head);
        // What the headers say about keeping the response matters only where there is a cache.
        let said = match &cache {
            Some(_) => lookup::read(self.conf, &answered.head, date::now()),
            None => Freshness::default(),
        };
        job.attempts.0.lock().headers = answered.head.headers.clone();
        let status = answered.head.status;
        if status >= 300 && self.conf.intercept_errors && has_page(exchange, status) {
            if let Some(cache) = cache.filter(|_| said.is_cacheable) {
                cache.keep_error(self.conf, status, said.valid);
            }
            let mut page = Response::page(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
            if status == 401 {
                for value in answered.head.headers.all(b"WWW-Authenticate") {
                    page.headers.append("WWW-Authenticate", value.to_vec());
                }
            }
            self.leave(job, answered);
            return (Decision::Done(Box::new(page)), None);
        }
        if let Some(decision) = self.redirected(exchange, &answered.head) {
            self.leave(job, answered);
            return (decision, None);
        }
        let relation = match cache.as_ref().is_some_and(|cache| cache.is_cacheable && said.is_cacheable) {
            true => Relation::Kept,
            false => Relation::Passed,
        };
        let is_kept = answered.head.status != 101 && !answered.head.is_bare;
        let filling =
            cache.filter(|_| is_kept).and_then(|cache| cache.kept(exchange, self.conf, &answered.head, said));
        let (response, empty) = self.response(exchange, job, answered, relation, filling);
        (Decision::Done(Box::new(response)), empty)
    }

    /// The decision that a cached response leads to.
    pub(super) fn decide_cached(
        &self,
        exchange: &mut Exchange<'_>,
        attempts: &UpstreamAttempts,
        entry: &Entry,
    ) -> Decision {
        let head = &entry.head;
        attempts.0.lock().headers = head.headers.clone();
        self.limit_rate(exchange, head);
        if let Some(decision) = self.redirected(exchange, head) {
            return decision;
        }
        let (mut response, foreign) = self.head(exchange, head, Relation::Cached);
        response.foreign = Some(Box::new(foreign));
        let length = head.length.filter(|_| !head.is_chunked);
        let part = FilePart { file: entry.file.clone(), start: entry.start, length: entry.meta.body };
        let part = Some(Piece::File(part)).filter(|_| entry.meta.body > 0);
        response.body = match length {
            _ if matches!(head.status, 204 | 304) || exchange.is_head() => {
                Body::Source(Box::new(NoBody { length, open: None }))
            }
            Some(_) => part.map_or_else(Body::default, Body::from),
            // As in nginx, what came without a length is sent without one.
            None => Body::Source(Box::new(Unmeasured(part))),
        };
        Decision::Done(Box::new(response))
    }

    /// The internal redirect that a head asks for.
    fn redirected(&self, exchange: &mut Exchange<'_>, head: &ResponseHead) -> Option<Decision> {
        let uri = head.headers.get(b"X-Accel-Redirect").map(ToOwned::to_owned);
        let uri = uri.filter(|_| !self.ignores(IgnoredHeaders::REDIRECT))?;
        let mut carried = Headers::default();
        for (name, value) in head.headers.shared() {
            if CARRIED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
                self.pass(exchange, name, value, &mut carried);
            }
        }
        let content_type = head.headers.get(b"Content-Type").map(|text| split_type(text));
        Some(exchange.redirect_to(&uri, carried, content_type))
    }

    /// Ends the use of a connection whose body is not wanted.
    pub(super) fn leave(&self, job: &ForwardedRequest<'_>, answered: BackendResponse) {
        let is_empty = is_bodyless(&answered.head, job);
        let (_, link, afterwards) = self.split(job, answered, is_empty);
        if is_empty {
            afterwards.finish(link);
        } else {
            job.attempts.latest(|attempt| link.count(attempt));
            job.attempts.end();
        }
    }

    fn split(
        &self,
        job: &ForwardedRequest<'_>,
        answered: BackendResponse,
        may_keep: bool,
    ) -> (ResponseHead, super::link::BackendConnection, Afterwards) {
        let BackendResponse { head, link, used, is_reusable, key } = answered;
        let kept = used.idle_settings().filter(|_| is_reusable && may_keep).map(|settings| (key, settings));
        let afterwards = Afterwards { attempts: job.attempts.clone(), used, kept };
        (head, link, afterwards)
    }

    /// Sets `$limit_rate` as `X-Accel-Limit-Rate` says: as in nginx, the last one that is a number counts.
    fn limit_rate(&self, exchange: &mut Exchange<'_>, head: &ResponseHead) {
        if self.ignores(IgnoredHeaders::LIMIT_RATE) {
            return;
        }
        let rates = head.headers.all(b"X-Accel-Limit-Rate").filter(|rate| digits(rate).is_some());
        if let Some(rate) = rates.last() {
            exchange.assigned.set(&"limit_rate".into(), rate.to_owned());
        }
    }

    /// Passes a header on, as rewritten.
    fn pass(&self, exchange: &Exchange<'_>, name: &Bytes, value: &Bytes, headers: &mut Headers) {
        let rewritten = match () {
            () if name.eq_ignore_ascii_case(b"Set-Cookie") => self.cookie(exchange, value),
            () if name.eq_ignore_ascii_case(b"Refresh") => {
                let lower = value.to_ascii_lowercase();
                lower.find(b"url=").and_then(|at| self.redirect(exchange, value, at + 4))
            }
            () => None,
        };
        headers.append(name.clone(), rewritten.map_or_else(|| value.clone(), Bytes::from));
    }

    /// The response of a head, without its body.
    fn head(
        &self,
        exchange: &mut Exchange<'_>,
        head: &ResponseHead,
        relation: Relation,
    ) -> (Response, Foreign) {
        exchange.merge_priority(head.headers.all(b"Priority").map(|line| line.trim_ascii()));
        let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = Response::new(status, Body::default());
        let mut foreign = Foreign {
            status_line: head.status_line.clone(),
            is_bare: head.is_bare,
            has_server: !self.is_hidden(b"Server"),
            has_date: !self.is_hidden(b"Date"),
            needs_client: self.conf.needs_client(),
            ..Foreign::default()
        };
        let mut has_ranges = self.conf.force_ranges;
        response.headers.reserve(head.headers.len());
        for (name, value) in head.headers.shared() {
            if self.is_hidden(name) {
                continue;
            }
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            match () {
                () if is("Content-Length")
                    || is("Transfer-Encoding")
                    || is("Connection")
                    || is("Keep-Alive") => {}
                () if is("Content-Type") => {
                    let (content_type, charset) = split_type(value);
                    let text = value.as_bstr().to_owned();
                    foreign.content_type = Some((text, content_type.clone(), charset.clone()));
                    (response.content_type, response.charset) = (Some(content_type), charset);
                }
                () if is("Location") => match self.redirect(exchange, value, 0) {
                    Some(location) => response.location = Some(location.into()),
                    None => response.headers.append("Location", value.clone()),
                },
                () if is("Last-Modified") => {
                    foreign.modified = Some(value.clone());
                    response.headers.append("Last-Modified", value.clone());
                }
                () if is("Accept-Ranges") && self.conf.force_ranges => {}
                () if is("Accept-Ranges") && relation != Relation::Passed => has_ranges = true,
                () => self.pass(exchange, name, value, &mut response.headers),
            }
        }
        response.has_expiry = head.headers.get(b"Expires").is_some();
        (response.has_ranges, response.has_single_range) = (has_ranges, relation != Relation::Cached);
        response.ignores_preconditions = relation == Relation::Passed;
        // As in nginx, the last one counts.
        let charset = head.headers.all(b"X-Accel-Charset").last();
        let charset = charset.filter(|_| !self.ignores(IgnoredHeaders::CHARSET));
        foreign.wanted_charset = charset.map(ToOwned::to_owned);
        (response, foreign)
    }

    fn response(
        &self,
        exchange: &mut Exchange<'_>,
        job: &ForwardedRequest<'_>,
        answered: BackendResponse,
        relation: Relation,
        filling: Option<Filling>,
    ) -> (Response, Option<Filling>) {
        let head = &answered.head;
        if head.is_bare && exchange.request.version() == Version::HTTP_2 {
            self.leave(job, answered);
            return (Response::page(StatusCode::BAD_GATEWAY), None);
        }
        let is_bare = head.is_bare;
        let is_flushed = !self.conf.buffers(&head.headers);
        let (mut response, mut foreign) = self.head(exchange, head, relation);
        foreign.is_unbuffered = is_flushed;
        let status = response.status;
        // As in nginx, one that the client has not asked for is a response like others, with a body.
        let is_upgrade = head.status == 101 && exchange.request.header("upgrade").is_some();
        let is_empty = is_bodyless(head, job);
        let is_101 = head.status == 101;
        let (head, link, afterwards) = self.split(job, answered, !is_101);
        let length = head.length.filter(|_| !head.is_chunked);
        if is_upgrade {
            let times = TunnelTimes {
                send: self.conf.send_timeout.duration(),
                read: self.conf.read_timeout.duration(),
            };
            foreign.tunnel = Some(Box::new(UpgradedLink::new(link, afterwards, times)));
            response.foreign = Some(Box::new(foreign));
            response.body = Body::Source(Box::new(NoBody { length, open: None }));
            return (response, None);
        }
        response.foreign = Some(Box::new(foreign));
        if is_empty {
            // As in nginx, the body of a response that the client gets without one is looked at only where it is kept.
            let has_frames = exchange.request.version() == Version::HTTP_2;
            let is_unread = exchange.is_head() || (has_frames && matches!(head.status, 204 | 304));
            if !is_unread || filling.is_some() || is_bare {
                afterwards
                    .count_unwanted(&link, if is_flushed { READING_UPSTREAM_HEAD } else { READING_UPSTREAM });
            }
            let has_no_body = matches!(head.status, 204 | 304) || exchange.is_head();
            // What a request has that only its backend takes for HEAD is an empty body.
            let length = if has_no_body { length } else { Some(0) };
            response.body = Body::Source(Box::new(NoBody { length, open: Some((link, afterwards)) }));
            return (response, filling);
        }
        let framing = match length {
            _ if head.is_chunked => Framing::Chunked(Box::default()),
            told if link.is_http2() => Framing::Stream { told, come: 0 },
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        let patience = self.conf.read_timeout.duration();
        let rate = self.conf.limit_rate.bytes(|template| exchange.expand(template));
        let body = UpstreamBody::new(link, afterwards, framing, patience, rate, is_flushed);
        response.body = Body::Source(Box::new(body));
        if let Some(filling) = filling {
            fill::keep(filling, &mut response.body);
        }
        if let Some(to) =
            store::file(exchange, &self.conf.store).filter(|_| status == StatusCode::OK && !is_bare)
        {
            let modified = response.modified();
            let place = (&self.conf.temp_path, self.conf.store_access);
            store::store(exchange.id(), place, to, modified, &mut response.body);
        }
        (response, None)
    }
}

/// How a response stands to the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// It is not for the cache.
    Passed,
    /// It is to be kept.
    Kept,
    /// It comes from the cache.
    Cached,
}

/// A cached body that came without a length.
struct Unmeasured(Option<Piece>);

impl BodySource for Unmeasured {
    fn poll_piece(&mut self, _: &mut std::task::Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        Poll::Ready(self.0.take().map(Ok))
    }

    fn length(&self) -> Option<u64> {
        None
    }
}

/// Whether no body follows a head.
fn is_bodyless(head: &ResponseHead, job: &ForwardedRequest<'_>) -> bool {
    matches!(head.status, 204 | 304)
        || job.head.method == "HEAD"
        || (!head.is_chunked && head.length == Some(0))
}

/// Whether `error_page` names a page for a status.
fn has_page(exchange: &Exchange<'_>, status: u16) -> bool {
    exchange.location.get::<Core>().error_page.iter().any(|page| page.statuses.contains(&status))
}

/// Type and charset of `Content-Type`, as nginx takes it apart.
fn split_type(value: &[u8]) -> (BString, Option<BString>) {
    let mut from = 0;
    while let Some(at) = value[from..].find_byte(b';') {
        let end = from + at;
        let rest = value[end + 1..].trim_start_with(|c| c == ' ');
        let start = rest.get(..8).filter(|start| start.eq_ignore_ascii_case(b"charset="));
        if start.is_some() {
            let charset = &rest[8..];
            let charset = charset.strip_prefix(b"\"").unwrap_or(charset);
            let charset = charset.strip_suffix(b"\"").unwrap_or(charset);
            // As in nginx, an empty one is none.
            return (
                value[..end].into(),
                Some(charset.into()).filter(|charset: &BString| !charset.is_empty()),
            );
        }
        from = end + 1;
    }
    (value.into(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_taken_apart_as_in_nginx() {
        let split = |text: &str| {
            let (content_type, charset) = split_type(text.as_bytes());
            (content_type.to_string(), charset.map(|charset| charset.to_string()))
        };
        assert_eq!(split("text/html"), ("text/html".into(), None));
        assert_eq!(split("text/html;charset=UTF-8"), ("text/html".into(), Some("UTF-8".into())));
        assert_eq!(split("text/html; a=b;  Charset=\"x\""), ("text/html; a=b".into(), Some("x".into())));
        assert_eq!(split("text/html;"), ("text/html;".into(), None));
        assert_eq!(split("text/html; charset="), ("text/html".into(), None));
        assert_eq!(split(";charset=x"), (String::new(), Some("x".into())));
    }
}
