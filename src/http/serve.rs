//! Accepted connections: the choice between HTTP/1 and HTTP/2.

use std::sync::Arc;

use super::connection;
use super::exchange::HttpService;
use super::http2::{self, Chosen};
use crate::directive::ListenAddr;
use crate::media::workers::Worker;
use crate::net::socket::Socket;

/// Serves an accepted connection until its end. With `lacks_tls`, the client was to begin with a TLS handshake and has not:
/// its request is refused.
pub async fn serve(
    service: Arc<HttpService>,
    worker: Worker,
    listen: ListenAddr,
    socket: Socket,
    lacks_tls: bool,
) {
    let Ok(peer) = socket.peer() else { return };
    // Servers for this specific address may share the wildcard's socket.
    let listen = socket.local(listen);
    match http2::choose(&service, &listen, &socket, lacks_tls).await {
        Chosen::Http1(before) => {
            connection::serve(service, worker, listen, (socket, peer), lacks_tls, before).await;
        }
        Chosen::Http2(before) => {
            Box::pin(http2::serve(service, worker, listen, (socket, peer), before)).await;
        }
        Chosen::None => {}
    }
}
