//! Builds the model of `rtmp { }`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::build::Builder;
use super::model::{Application, Rtmp, RtmpListener, RtmpServer};
use super::socket::{ListenSocket, SocketCandidate, check_certificates, sockets};
use crate::directive::context::{APPLICATION, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::listen::Listen;
use crate::directive::slot::Layer;
use crate::directive::{ListenAddr, ListenOptions, Restricts, ServerName, Text, Values};
use crate::media::listen::DEFAULT_PORT;
use crate::media::server_conf;
use crate::net::ssl;
use crate::syntax::{Problem, Spanned};

/// Builds the model from one or several `rtmp { }` blocks.
pub(super) fn build_rtmp(builder: &mut Builder<'_>, blocks: &[&Block]) -> Rtmp {
    let candidates: Vec<SocketCandidate<'_, RtmpServer>> = blocks
        .iter()
        .flat_map(|rtmp| rtmp.inner(RTMP_SERVER).map(move |server| (*rtmp, server)))
        .map(|(rtmp, block)| {
            let names = names(block);
            let server = Arc::new(server(builder, rtmp, block, &names));
            SocketCandidate { server, block, names, listen: listen(block) }
        })
        .collect();
    let listeners = sockets(builder, &candidates).into_iter().map(listener).collect();
    // Settings of the whole server are taken from the last block.
    let last: Vec<&Block> = blocks.last().copied().into_iter().collect();
    Rtmp {
        listeners,
        servers: candidates.into_iter().map(|candidate| candidate.server).collect(),
        values: builder.values(&last, blocks),
    }
}

fn server(
    builder: &mut Builder<'_>,
    rtmp: &Block,
    block: &Block,
    names: &[Spanned<ServerName>],
) -> RtmpServer {
    let outer = [block, rtmp];
    let values: Values<RTMP_SERVER> = builder.values(&outer, &[]);
    let ssl = values.get::<ssl::conf::Conf>();
    let encrypted = listen(block).into_iter().find(|listen| listen.value.options.ssl);
    match encrypted {
        // PingOS's error message, although PingOS does not support RTMP over TLS.
        Some(listen) if ssl.certificate.is_empty() => {
            let problem = Problem::new("the invalid \"ssl\" parameter").at(listen.span).place(listen.place);
            let help = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
            builder.reports.add(block.order, problem.help(help));
        }
        encrypted => check_certificates(builder, block, encrypted.map(|listen| listen.span), ssl),
    }
    let base = Layer::new(builder.values(&outer, &[]));
    let applications =
        block.inner(APPLICATION).map(|app| Arc::new(application(builder, &[app, block, rtmp], &base)));
    RtmpServer {
        applications: applications.collect(),
        names: names.iter().map(|n| n.value.clone()).collect(),
        values,
        verifies_clients: Block::refusing(&outer, &[Restricts::Connections]).is_some(),
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

fn listener(socket: ListenSocket<RtmpServer>) -> RtmpListener {
    let ListenSocket { addr, options, pos, servers, specific } = socket;
    RtmpListener { addr, options, pos, servers, specific }
}

/// Names of a server, one by one.
fn names(block: &Block) -> Vec<Spanned<ServerName>> {
    let uses = block.scope::<server_conf::Scope>().map(|s| &s.server_name[..]).unwrap_or_default();
    uses.iter()
        .flat_map(|s| s.value.0.iter().map(|n| Spanned { value: n.clone(), span: s.span, place: s.place }))
        .collect()
}

/// `listen` lines of a server; the default port if there are none.
fn listen(block: &Block) -> Vec<Spanned<Listen>> {
    let uses = block.scope::<server_conf::Scope>().map(|s| &s.listen[..]).unwrap_or_default();
    if uses.is_empty() {
        let addrs = vec![ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into())];
        let value = Listen { addrs, options: ListenOptions::default() };
        return vec![Spanned { value, span: block.span, place: block.place }];
    }
    uses.iter().map(|s| Spanned { value: s.value.0.clone(), span: s.span, place: s.place }).collect()
}
