//! The method and URI of a request, as statements and redirects have changed them.

use bstr::{BString, ByteSlice};
use http::Method;

use super::exchange::Exchange;
use super::request::BodyFraming;
use crate::limits;

impl Exchange<'_> {
    /// Method; GET after `error_page`, unless it is HEAD.
    pub fn method(&self) -> &Method {
        self.method.as_ref().unwrap_or(self.request.method())
    }

    /// As [`Exchange::method`], but of a subrequest the one of the client's request (`$request_method`).
    pub(super) fn main_method(&self) -> &Method {
        self.main_method.as_ref().unwrap_or(self.method())
    }

    /// Value of a request header; empty if missing.
    pub fn header(&self, name: impl AsRef<[u8]>) -> &[u8] {
        self.request.header(name).map_or(b"", |value| value.as_bytes())
    }

    /// Value of `$args`, if it has one.
    pub fn args(&self) -> Option<BString> {
        self.has_query.then(|| self.query.clone())
    }

    /// Assigns a variable.
    pub fn assign(&mut self, name: &BString, value: BString) {
        if name == "args" {
            (self.has_query, self.query) = (true, value);
            self.is_target_replaced = true;
        } else {
            self.assigned.set(name, value);
        }
    }

    /// Replaces the path.
    pub fn replace_path(&mut self, path: BString) {
        (self.path, self.is_path_replaced, self.is_target_replaced) = (path, true, true);
    }

    /// Whether the target of the client's request can be passed on as received.
    pub fn has_own_target(&self) -> bool {
        !self.is_target_replaced && !self.request.target().is_empty()
    }

    /// Whether the path may contain what has to be escaped in a target, because it was decoded.
    pub fn is_path_escaped(&self) -> bool {
        self.is_internal || self.request.raw_path().contains(&b'%')
    }

    /// Length of the request's body, as far as it is known.
    pub fn body_length(&self) -> Option<u64> {
        match self.request.header("content-length") {
            Some(_) if self.is_body_dropped() => Some(0),
            Some(text) => text.to_str().ok()?.parse().ok(),
            None if self.is_body_refused => None,
            None => self.chunked_length,
        }
    }

    /// Whether the body was refused, passed on or discarded: what answers later has none.
    pub fn is_body_dropped(&self) -> bool {
        self.is_body_refused || self.is_body_discarded
    }

    /// Query string without question mark.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// Whether it is a HEAD request.
    pub fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    /// Whether it is a subrequest.
    pub fn is_subrequest(&self) -> bool {
        self.depth > 0
    }

    /// Whether the request has a body.
    pub fn has_body(&self) -> bool {
        self.request.body() != BodyFraming::None
    }

    /// Records that a statement has replaced the path; `again` selects the location anew.
    pub fn rewritten(&mut self, again: bool) {
        (self.is_internal, self.is_path_changed) = (true, again);
        self.has_location_name &= again;
    }

    /// Keeps the request in its location, as `break` does, though its path may have been replaced before.
    pub fn stay(&mut self) {
        self.has_location_name &= !std::mem::take(&mut self.is_path_changed);
    }

    /// Number of path changes and redirects that are left: it is another one after an internal redirect.
    pub fn changes_left(&self) -> u32 {
        self.changes_left
    }

    /// Counts a change of the path; `false` if there were too many.
    pub(super) fn count_change(&mut self) -> bool {
        // nginx counts in four bits; `post_action` may follow where no change was left.
        self.changes_left = self.changes_left.checked_sub(1).unwrap_or(limits::HTTP_PATH_CHANGES_AGAIN);
        self.changes_left > 0
    }
}
