//! Pulling over HTTP-FLV.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HOST, HeaderName, HeaderValue, REFERER, USER_AGENT};
use reqwest::{Client, Request, RequestBuilder, Response, redirect};
use tokio::time::timeout;

use super::destination::Destination;
use super::error::RelayError;
use super::outcome::RelayEnd;
use crate::directive::Msec;
use crate::limits;
use crate::media::{trail, trail_proof};
use crate::module::relay::relays::Relays;
use crate::net::client;
use crate::net::tls::{self, ClientTlsError};
use crate::notify::request::push_value;
use crate::wire::flv;

/// A response whose body is a stream.
pub(super) struct Download {
    response: Response,
    reader: flv::FlvReader,
    received: u64,
}

impl Download {
    /// Requests the stream. Connecting, and the wait for the header of the response, have the timeouts of `client`.
    pub(super) async fn start(
        relays: &Relays,
        destination: &Destination,
        max_message: usize,
        trail: &Bytes,
    ) -> Result<Download, RelayEnd> {
        let config = relays.store.load();
        let conf = config.get::<client::conf::Current>();
        let [connect, send, header] =
            [conf.connect_timeout, conf.send_timeout, conf.header_timeout].map(Msec::duration);
        let nodelay = conf.tcp_nodelay;
        drop(config);
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(relays.dns.clone()))
            .http1_only()
            .tcp_nodelay(nodelay)
            .connect_timeout(connect)
            .tcp_user_timeout(client::send_time(send))
            .tcp_keepalive(limits::RELAY_KEEPALIVE)
            .pool_max_idle_per_host(0);
        let trusted = match destination.address.is_tls {
            true => relays.tls.load().client.config()?,
            false => tls::client::trusting_none().map_err(ClientTlsError::from)?,
        };
        let builder = builder.tls_backend_preconfigured((*trusted).clone());
        let http = builder.build().map_err(RelayError::HttpClient)?;
        let request = request(&http, destination, trail).build().map_err(failed)?;
        let sent = http.execute(proved(relays, request, trail));
        let response = match timeout(header, sent).await {
            Ok(response) => response.map_err(failed)?,
            Err(_) => return Err(RelayError::HeaderTimeout(header).into()),
        };
        match response.status().as_u16() {
            200 => {}
            status @ 400..=499 => return Err(RelayEnd::Refused(status)),
            status => return Err(RelayError::Status(status).into()),
        }
        Ok(Download { response, reader: flv::FlvReader::new(max_message), received: 0 })
    }

    /// Waits for more of the body and passes its tags to `take`.
    pub(super) async fn read(&mut self, mut take: impl FnMut(flv::FlvTag)) -> Result<(), RelayEnd> {
        let Some(chunk) = self.response.chunk().await.map_err(failed)? else { return Err(RelayEnd::Closed) };
        self.received += chunk.len() as u64;
        let mut input = &chunk[..];
        while let Some(tag) = self.reader.read(&mut input)? {
            take(tag);
        }
        Ok(())
    }

    /// Number of bytes of the body received so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }
}

fn request(client: &Client, destination: &Destination, trail: &Bytes) -> RequestBuilder {
    let address = &destination.address;
    let mut url = format!("{}://{}:{}", address.scheme(), address.host, address.port);
    push_value(&mut url, &destination.path);
    if !destination.pargs.is_empty() {
        url.push('?');
        push_value(&mut url, &destination.pargs);
    }
    let fields = [
        (HOST, &destination.domain),
        (USER_AGENT, &destination.flash_ver),
        (REFERER, &destination.page_url),
        (HeaderName::from_static(trail::HEADER), trail),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_empty()).fold(
        client.get(url),
        |request, (name, value)| {
            // A player's arguments may contain bytes that are invalid in a header; such a header is omitted.
            match HeaderValue::from_bytes(value) {
                Ok(value) => request.header(name, value),
                Err(_) => request,
            }
        },
    )
}

/// Adds a proof of the trail, if there is one.
fn proved(relays: &Relays, mut request: Request, trail: &Bytes) -> Request {
    if !request.headers().contains_key(trail::HEADER) {
        return request;
    }
    let target = match request.url().query() {
        Some(query) => format!("{}?{query}", request.url().path()),
        None => request.url().path().to_owned(),
    };
    let asked = trail_proof::ProofPurpose { verb: "GET", app: b"", name: target.as_bytes() };
    let proof = HeaderValue::from_maybe_shared(relays.trails.proof(trail, asked));
    request.headers_mut().insert(trail_proof::HEADER, proof.expect("digits and a hyphen"));
    request
}

fn failed(error: reqwest::Error) -> RelayError {
    RelayError::Http(error.without_url())
}
