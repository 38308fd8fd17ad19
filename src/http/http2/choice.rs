//! Choice of the protocol of a connection.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::directive::ListenAddr;
use crate::http::exchange::HttpService;
use crate::http::server_conf::ServerConf;
use crate::net::http2::{ALPN_HTTP2, PREFACE};
use crate::net::socket::Socket;

/// Protocol of a connection, with the bytes that were read to find out.
pub(in crate::http) enum Chosen {
    /// HTTP/1.
    Http1(BytesMut),
    /// HTTP/2.
    Http2(Bytes),
    /// The connection has ended.
    None,
}

/// Values of the configuration for an address.
struct Offer {
    /// Without TLS, HTTP/2 is spoken only.
    is_only: bool,
    /// Time for the first bytes.
    patience: Option<Duration>,
}

/// Chooses the protocol: as the client has in its TLS handshake, or without TLS by its first bytes. Where HTTP/2 is not
/// offered, nothing is read.
pub(in crate::http) async fn choose(
    service: &HttpService,
    listen: &ListenAddr,
    socket: &Socket,
    lacks_tls: bool,
) -> Chosen {
    let Some(offer) = offer(service, listen).filter(|_| !lacks_tls) else {
        return Chosen::Http1(BytesMut::new());
    };
    if socket.is_tls() {
        return match socket.alpn() {
            Some(protocol) if protocol == ALPN_HTTP2 => Chosen::Http2(Bytes::new()),
            _ => Chosen::Http1(BytesMut::new()),
        };
    }
    if offer.is_only {
        return Chosen::Http2(Bytes::new());
    }
    // Boxed, because other connections need no room for it.
    Box::pin(async {
        tokio::select! {
            chosen = by_preface(socket, offer.patience) => chosen,
            () = service.lifetime.shutdown.cancelled() => Chosen::None,
        }
    })
    .await
}

fn offer(service: &HttpService, listen: &ListenAddr) -> Option<Offer> {
    let config = service.store.borrow();
    let http = config.http.as_ref()?;
    let (_, options) = http.address_at(listen)?;
    if !options.http2 && !options.http2_on {
        return None;
    }
    let server = http.servers_at(listen)?.default_server();
    Some(Offer {
        is_only: !options.http2_on,
        patience: server.get::<ServerConf>().client_header_timeout.nonzero(),
    })
}

/// Reads as much as shows whether the client begins with HTTP/2.
async fn by_preface(socket: &Socket, patience: Option<Duration>) -> Chosen {
    let mut read = BytesMut::new();
    let reading = async {
        loop {
            if read[..] != PREFACE[..read.len()] {
                return Chosen::Http1(std::mem::take(&mut read));
            }
            if read.len() == PREFACE.len() {
                return Chosen::Http2(std::mem::take(&mut read).freeze());
            }
            let missing = PREFACE.len() - read.len();
            match socket.read_some(&mut read, missing) {
                Ok(0) if read.is_empty() => return Chosen::None,
                // What there is of a request is logged.
                Ok(0) => return Chosen::Http1(std::mem::take(&mut read)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.readable().await.is_err() {
                        return Chosen::None;
                    }
                }
                Err(_) => return Chosen::None,
            }
        }
    };
    match patience {
        None => reading.await,
        Some(patience) => tokio::time::timeout(patience, reading).await.unwrap_or(Chosen::None),
    }
}
