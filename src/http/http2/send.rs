//! Heads and ends of responses over HTTP/2.

use std::io;

use bstr::BString;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode, header};

use super::conf;
use crate::http::date::with_date;
use crate::http::exchange::Exchange;
use crate::http::rate::RateLimit;
use crate::http::response::{Body, Response};
use crate::net::http2::priority;

/// Length of the head of a frame.
pub(in crate::http) const FRAME_HEAD: u64 = 9;

/// Headers that responses over HTTP/2 must not have (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

impl Exchange<'_> {
    /// Replaces a response that changes the protocol of the connection, which HTTP/2 does not know.
    pub(in crate::http) fn refuse_tunnel(&mut self) {
        let has_tunnel = self.response.foreign.as_ref().is_some_and(|foreign| foreign.tunnel.is_some());
        if has_tunnel || self.response.status == StatusCode::SWITCHING_PROTOCOLS {
            self.response = Response::new(StatusCode::BAD_GATEWAY, Body::default());
        }
    }

    /// Changes the priority of the response, as its backend asks for with these lines of a `Priority` field. As in nginx, the
    /// response to a subrequest changes nothing: its stream sends another one.
    pub(crate) fn merge_priority<'l>(&self, lines: impl Iterator<Item = &'l [u8]>) {
        let stream = self.connection.socket.http2().filter(|_| !self.is_subrequest() && !self.is_post_action);
        if let Some(stream) = stream
            && let Some(named) = priority::of_lines(lines)
        {
            stream.merge_priority(named);
        }
    }

    /// Sends the head of the response; `ends` if no body follows. Returns its length, nearly as it is sent.
    pub(in crate::http) fn send_http2_head(&self, length: Option<u64>, ends: bool) -> io::Result<u64> {
        let Some(stream) = self.connection.socket.http2() else { return Ok(0) };
        let chunk: &conf::Current = self.location.get();
        stream.set_frame_size(usize::try_from(chunk.chunk_size.0).unwrap_or(usize::MAX));
        let response = &self.response;
        let foreign = response.foreign.as_deref();
        let mut fields = Fields::default();
        if !foreign.is_some_and(|foreign| foreign.has_server) {
            fields.known(header::SERVER, self.server_token().as_bytes());
        }
        if !foreign.is_some_and(|foreign| foreign.has_date) {
            with_date(|date| fields.known(header::DATE, date));
        }
        if let Some(content_type) = self.sent_content_type() {
            fields.known(header::CONTENT_TYPE, &content_type);
        }
        if let Some(length) = length {
            fields.known(header::CONTENT_LENGTH, itoa::Buffer::new().format(length).as_bytes());
        }
        if let Some(date) = self.sent_last_modified() {
            fields.known(header::LAST_MODIFIED, date.as_bytes());
        }
        let is_path = |location: &BString| location.starts_with(b"/") && self.core().absolute_redirect;
        if let Some(location) = &response.location {
            match is_path(location) {
                true => fields.known(header::LOCATION, &self.absolute(location)),
                false => fields.known(header::LOCATION, location),
            }
        }
        if response.varies {
            fields.known(header::VARY, b"Accept-Encoding");
        }
        for (name, value) in response.headers.iter() {
            fields.add(name, value);
        }
        let bytes = fields.bytes + FRAME_HEAD + 1;
        let mut head = http::Response::new(());
        *head.status_mut() = response.status;
        *head.headers_mut() = fields.map;
        stream.send_head(head, ends)?;
        Ok(bytes)
    }

    /// Sends the last bytes of the body, or the trailers behind them.
    pub(in crate::http) async fn end_http2(
        &mut self,
        output: &[u8],
        rate: Option<RateLimit>,
    ) -> io::Result<()> {
        let connection = self.connection;
        let Some(stream) = connection.socket.http2().filter(|stream| !stream.is_finished()) else {
            return Ok(());
        };
        if self.response.expects_trailers && !self.response.trailers.is_empty() {
            self.write(output, rate).await?;
            let mut fields = Fields::default();
            for (name, value) in self.response.trailers.iter() {
                fields.add(name, value);
            }
            return stream.send_trailers(fields.map);
        }
        let mut output = output;
        loop {
            let room = self.room(rate).await?;
            let written = match room >= output.len() {
                true => stream.try_write_last(output),
                false => self.connection.socket.try_write(&output[..room]),
            };
            match written {
                Ok(written) => {
                    self.sent.bytes += written as u64;
                    output = &output[written..];
                    if output.is_empty() {
                        return Ok(());
                    }
                }
                Err(error) => self.wait_for(error).await?,
            }
        }
    }
}

/// Fields of a head being made.
#[derive(Default)]
struct Fields {
    map: HeaderMap,
    /// Their length as literals without a table.
    bytes: u64,
}

impl Fields {
    fn known(&mut self, name: HeaderName, value: &[u8]) {
        self.bytes += 2 + value.len() as u64;
        if let Some(value) = sendable(value) {
            self.map.append(name, value);
        }
    }

    /// Adds a field, unless HTTP/2 does not allow it.
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let Ok(name) = HeaderName::from_bytes(name) else { return };
        if OF_CONNECTIONS.contains(&name.as_str()) {
            return;
        }
        self.bytes += name.as_str().len() as u64 + 1;
        self.known(name, value);
    }
}

/// A value without the bytes that HTTP/2 does not allow in one.
fn sendable(value: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value).ok().or_else(|| {
        let is_allowed = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        let allowed: Vec<u8> = value.iter().copied().filter(is_allowed).collect();
        HeaderValue::from_bytes(&allowed).ok()
    })
}
