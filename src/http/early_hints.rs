//! `early_hints`: responses of status 103 that come before the response of a backend.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::exchange::Exchange;
use super::headers::Headers;
use super::send::write_field;

/// Fields of connections, which are not passed on.
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

impl Exchange<'_> {
    /// Passes on the fields of an early hint, if the location wants that and the client understands it.
    pub async fn pass_early_hints(&mut self, headers: &Headers) {
        let is_wanted = || self.holds_any(&self.core().early_hints);
        if self.is_subrequest() || self.request.version() < Version::HTTP_11 || !is_wanted() {
            return;
        }
        let is_passed =
            |name: &[u8]| !OF_CONNECTIONS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let passed = headers.iter().filter(|(name, _)| is_passed(name));
        if let Some(stream) = self.connection.socket.http2() {
            let mut map = HeaderMap::new();
            for (name, value) in passed {
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
                {
                    map.append(name, value);
                }
            }
            let mut head = Response::new(());
            *head.status_mut() = StatusCode::EARLY_HINTS;
            *head.headers_mut() = map;
            // A failure shows when the response is sent.
            let _ = stream.send_hint(head);
            return;
        }
        let mut out = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
        passed.for_each(|(name, value)| write_field(&mut out, name, value));
        out.extend_from_slice(b"\r\n");
        // A failure shows when the response is written.
        let _ = self.connection.socket.write_all(&out).await;
        self.sent.bytes += out.len() as u64;
    }
}
