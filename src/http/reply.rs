//! Parts of the response to a request: its type, its addresses, and headers that the configuration adds.

use std::sync::LazyLock;

use bstr::BString;
use http::{StatusCode, Version};

use super::exchange::Exchange;
use super::header::{AddHeader, AddedHeaders};
use super::types::ContentTypes;

impl Exchange<'_> {
    /// Whether the response may use HTTP/1.1 chunks.
    pub(super) fn speaks_chunks(&self) -> bool {
        self.request.version() == Version::HTTP_11 && self.conf().chunked
    }

    /// Content type: `types` by the path's extension, otherwise `default_type`.
    pub fn type_of_path(&self) -> BString {
        static USUAL: LazyLock<ContentTypes> = LazyLock::new(ContentTypes::default);
        let conf = self.conf();
        let types = conf.types.as_ref().unwrap_or(&USUAL);
        let found = match self.is_path_replaced {
            true => types.of_path(&self.path),
            false => types.of_request_path(&self.path),
        };
        found.map_or_else(|| conf.default_type.0.clone(), |found| found.to_owned())
    }

    /// Makes a path an absolute URL, as `absolute_redirect`, `server_name_in_redirect` and `port_in_redirect` say.
    pub(super) fn absolute(&self, target: &[u8]) -> Vec<u8> {
        if !target.starts_with(b"/") || !self.core().absolute_redirect {
            return target.to_vec();
        }
        let peer = &self.connection.peer;
        let host = match self.request.host() {
            _ if self.core().server_name_in_redirect => self.server_name(),
            host if host.is_empty() => peer.local_addr.as_bytes().to_vec(),
            host => host.to_vec(),
        };
        let usual = if self.connection.socket.is_tls() { 443 } else { 80 };
        let port = match peer.local_port {
            port if self.core().port_in_redirect && port != usual && port != 0 => format!(":{port}"),
            _ => String::new(),
        };
        [self.connection.scheme.as_bytes(), b"://", &host, port.as_bytes(), target].concat()
    }

    /// First name of the server, as written.
    pub(super) fn server_name(&self) -> Vec<u8> {
        self.server.names.first().map(|name| name.spelled().to_vec()).unwrap_or_default()
    }

    /// Adds the headers of `add_header` lines to the response.
    pub fn add_headers(&mut self) {
        let status = self.response.status.as_u16();
        let location = self.location.clone();
        let lines: &AddedHeaders = location.get();
        for AddHeader { name, value, .. } in lines.0.iter().filter(|header| header.applies_to(status)) {
            let text = self.expand(value);
            let response = &mut self.response;
            // As in nginx, a response has one of each of these: the line replaces it, an empty value removes it.
            let is_date = name.eq_ignore_ascii_case(b"Last-Modified");
            let is_single = is_date || name.eq_ignore_ascii_case(b"ETag");
            if is_date {
                response.forget_date();
                // As in nginx, `If-Range` may name it.
                response.added_modified = super::date::seconds(&text);
            }
            match (text.is_empty(), is_single) {
                (false, true) => response.headers.set(name.to_vec(), text),
                (false, false) => response.headers.append(name.to_vec(), text),
                (true, true) => response.headers.remove(name),
                (true, false) => {}
            }
        }
    }

    /// Sets the status before the response is made, so that variables have it.
    pub fn set_status(&mut self, status: StatusCode) {
        (self.response.status, self.has_status) = (status, true);
    }

    /// Whether the status of the response is known.
    pub fn knows_status(&self) -> bool {
        self.has_status
    }

    /// Whether a subrequest closed its connection, with this status for the log.
    pub fn closed_with(&self) -> Option<u16> {
        self.is_closed.then_some(self.sent.status)
    }
}
