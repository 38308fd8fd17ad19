//! Internal redirects that another server asks for (`X-Accel-Redirect`).

use bstr::BString;
use http::{Method, StatusCode};

use super::exchange::{Decision, Exchange};
use super::headers::Headers;
use super::log::about;
use super::response::Response;
use super::special::split_query;
use super::uri::unescape_safe;
use crate::log::shown::Shown;

impl Exchange<'_> {
    /// Continues with an internal redirect to a URI or named location that another server has named, with some of its headers.
    pub fn redirect_to(
        &mut self,
        uri: &[u8],
        headers: Headers,
        content_type: Option<(BString, Option<BString>)>,
    ) -> Decision {
        self.carried = Some((headers, None));
        self.carried_type = content_type;
        if uri.starts_with(b"@") {
            return Decision::Named(uri.into());
        }
        let (path, query) = split_query(uri);
        let Some(path) = unescape_safe(&path) else {
            about(self, &format_args!("unsafe URI \"{}\" was detected", Shown::new(uri)));
            let mut page = Response::page(StatusCode::NOT_FOUND);
            page.headers = self.carried.take().map(|(headers, _)| headers).unwrap_or_default();
            return Decision::Done(Box::new(page));
        };
        if *self.method() != Method::HEAD {
            self.method = Some(Method::GET);
        }
        Decision::Redirect { path: path.into(), query: uri.contains(&b'?').then_some(query) }
    }
}
