//! Builds the model of `http { }`.

use std::sync::Arc;

use super::builder::Builder;
use super::model::{Http, HttpServer};
use super::socket::{SocketCandidate, sockets};
use crate::directive::Values;
use crate::directive::context::{HTTP, HTTP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::listen::Addresses;

/// Builds the model of `http { }`.
pub(super) fn build_http(builder: &mut Builder<'_>, http: &Block) -> Http {
    let values = Arc::new(builder.values(&[http], &[]));
    let candidates: Vec<SocketCandidate<'_, HttpServer>> = http
        .inner(HTTP_SERVER)
        .map(|block| SocketCandidate { server: Arc::new(server(builder, (http, &values), block)), block })
        .collect();
    let listeners = sockets(builder, &candidates);
    Http { listeners, servers: candidates.into_iter().map(|candidate| candidate.server).collect(), values }
}

fn server(
    builder: &mut Builder<'_>,
    (http, around): (&Block, &Arc<Values<HTTP>>),
    block: &Block,
) -> HttpServer {
    let values: Values<HTTP_SERVER> = builder.values(&[block, http], &[]);
    let names = values.get::<Addresses<HTTP_SERVER>>().server_names();
    HttpServer { names, values, http: around.clone(), pos: builder.pos(block.place) }
}
