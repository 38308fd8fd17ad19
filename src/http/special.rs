//! Pages of statuses: `error_page`, and nginx's own pages.

use bstr::{BString, ByteSlice};
use http::{Method, StatusCode};

use super::browser;
use super::exchange::{Decision, Exchange};
use super::response::{Body, Response};
use super::status;
use super::uri::{Escape, escape};

/// Statuses after which the rest of the input cannot be trusted or is not wanted.
const CLOSING: [u16; 8] = [400, 413, 414, 495, 496, 497, 500, 501];

/// Statuses after which nginx does not read the rest of the input before it closes the connection.
const UNTRUSTED: [u16; 4] = [400, 495, 496, 497];

/// A status is replaced by a redirect, unless the page's own status is kept.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

impl Exchange<'_> {
    /// Continuation after a response that stands for a status: its page, or the internal redirect that `error_page` names.
    pub(super) fn special(&mut self, mut response: Response) -> Decision {
        let status = response.status;
        self.error_status = Some(status);
        // As in nginx, a page has a type of its own.
        self.carried_type = None;
        // As in nginx, the client is not asked for the body of a request that fails.
        self.is_continued = true;
        if CLOSING.contains(&status.as_u16()) {
            self.keeps_alive = false;
        }
        self.is_untrusted |= UNTRUSTED.contains(&status.as_u16());
        let mut is_page_elsewhere = false;
        if !self.has_error_page && self.changes_left > 0 {
            let location = self.location.clone();
            let core: &super::core::conf::Current = location.get();
            let found = core.error_page.iter().find(|page| page.statuses.contains(&status.as_u16()));
            if !core.error_page.is_empty() && !core.recursive_error_pages {
                self.has_error_page = true;
            }
            if let Some(page) = found {
                self.error_status = match page.overwrite {
                    Some(overwrite) => StatusCode::from_u16(overwrite).ok(),
                    None => Some(status::shown(status)),
                };
                let uri = self.expand(&page.uri);
                if matches!(uri.first(), Some(b'/' | b'@')) {
                    self.response.headers = response.headers.clone();
                    self.carried = Some((std::mem::take(&mut response.headers), response.location.take()));
                }
                match uri.first() {
                    Some(b'/') => {
                        if *self.method() != Method::HEAD {
                            self.method = Some(Method::GET);
                        }
                        let (path, query) = split_query(&uri);
                        // As in nginx, a page with a question mark or with variables has arguments, be they empty.
                        let has_query = uri.contains(&b'?') || page.uri.variables().next().is_some();
                        return Decision::Redirect { path, query: has_query.then_some(query) };
                    }
                    Some(b'@') => return Decision::Named(uri.into()),
                    _ => {}
                }
                let status = page.overwrite.filter(|status| REDIRECTS.contains(status)).unwrap_or(302);
                let status = StatusCode::from_u16(status).expect("it is one");
                response = Response { headers: response.headers, ..Response::redirect(status, uri) };
                self.error_status = Some(response.status);
                is_page_elsewhere = true;
            }
        }
        if (is_page_elsewhere || matches!(response.status.as_u16(), 301 | 302))
            && self.core().msie_refresh
            && browser::is_msie(self.header("user-agent"))
            && let Some(location) = response.location.take()
        {
            return self.refresh(response, &location);
        }
        for name in [&b"ETag"[..], b"Last-Modified", b"Accept-Ranges"] {
            response.headers.remove(name);
            if let Some((carried, _)) = &mut self.carried {
                carried.remove(name);
            }
        }
        // As in nginx, it stands behind the headers that there were before.
        if is_page_elsewhere
            && !response.headers.is_empty()
            && let Some(location) = response.location.take()
        {
            response.headers.append("Location", Vec::from(location));
        }
        let pads = self.core().msie_padding && self.is_browser_with_own_pages();
        response.body = match status::page(response.status, self.server_token(), pads) {
            Some(page) => {
                response.content_type = Some("text/html".into());
                page.into()
            }
            None => Body::default(),
        };
        // As in nginx, its own statuses of a bad head or a TLS failure are 400 once they have their page.
        response.status = status::shown(response.status);
        self.error_status = self.error_status.map(status::shown);
        response.is_page = false;
        Decision::Done(Box::new(response))
    }

    /// A page that redirects with a `Refresh` tag (`msie_refresh`).
    fn refresh(&mut self, mut response: Response, location: &[u8]) -> Decision {
        let page: [&[u8]; 3] = [
            b"<html><head><meta http-equiv=\"Refresh\" content=\"0; URL=",
            &escape(location, Escape::Refresh)[..],
            b"\"></head><body></body></html>\r\n",
        ];
        self.error_status = Some(StatusCode::OK);
        response.status = StatusCode::OK;
        response.content_type = Some("text/html".into());
        response.body = page.concat().into();
        (response.is_page, response.last_modified) = (false, None);
        response.headers.remove(b"ETag");
        Decision::Done(Box::new(response))
    }

    /// Whether the client is MSIE or Chrome, which replace short pages.
    fn is_browser_with_own_pages(&self) -> bool {
        let agent = self.header("user-agent");
        (browser::is_msie(agent) || agent.find(b"Chrome/").is_some())
            && self.request.version() >= http::Version::HTTP_10
    }
}

/// Splits a URI at its question mark.
pub(super) fn split_query(uri: &[u8]) -> (BString, BString) {
    match uri.split_once_str("?") {
        Some((path, query)) => (path.into(), query.into()),
        None => (uri.into(), BString::default()),
    }
}
