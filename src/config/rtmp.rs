//! Builds the model of `rtmp { }`.

use std::sync::Arc;

use super::builder::Builder;
use super::model::{Application, Rtmp, RtmpServer};
use super::socket::{SocketCandidate, sockets};
use crate::directive::context::{APPLICATION, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::listen::Addresses;
use crate::directive::slot::Layer;
use crate::directive::{Text, Values};

/// Builds the model from one or several `rtmp { }` blocks.
pub(super) fn build_rtmp(builder: &mut Builder<'_>, blocks: &[&Block]) -> Rtmp {
    let candidates: Vec<SocketCandidate<'_, RtmpServer>> = blocks
        .iter()
        .flat_map(|rtmp| rtmp.inner(RTMP_SERVER).map(move |server| (*rtmp, server)))
        .map(|(rtmp, block)| SocketCandidate { server: Arc::new(server(builder, rtmp, block)), block })
        .collect();
    let listeners = sockets(builder, &candidates);
    // Settings of the whole server are taken from the last block.
    let last: Vec<&Block> = blocks.last().copied().into_iter().collect();
    Rtmp {
        listeners,
        servers: candidates.into_iter().map(|candidate| candidate.server).collect(),
        values: builder.values(&last, blocks),
    }
}

fn server(builder: &mut Builder<'_>, rtmp: &Block, block: &Block) -> RtmpServer {
    let outer = [block, rtmp];
    let values: Values<RTMP_SERVER> = builder.values(&outer, &[]);
    let base = Layer::new(builder.values(&outer, &[]));
    let applications =
        block.inner(APPLICATION).map(|app| Arc::new(application(builder, &[app, block, rtmp], &base)));
    RtmpServer {
        applications: applications.collect(),
        names: values.get::<Addresses<RTMP_SERVER>>().server_names(),
        values,
        base: base.values().clone(),
        pos: builder.pos(block.place),
    }
}

fn application(builder: &mut Builder<'_>, blocks: &[&Block; 3], base: &Layer<APPLICATION>) -> Application {
    Application {
        name: blocks[0].head::<Text>().map(|name| name.0.clone()).unwrap_or_default(),
        values: builder.inner_values(base, blocks),
        pos: builder.pos(blocks[0].place),
    }
}
