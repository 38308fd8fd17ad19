//! `rtmp { }` of the model.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bstr::BString;

use super::build::Builder;
use super::model::{Application, Recorder, Rtmp, RtmpListener, RtmpServer};
use super::socket::{Candidate, Socket, check_certificates, sockets};
use crate::directive::context::{APPLICATION, RECORDER, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::listen::Listen;
use crate::directive::{ListenAddr, ListenOptions, Resolve, Restricts, ServerName, Text};
use crate::media::listen::DEFAULT_PORT;
use crate::media::{conf, server_conf};
use crate::module::record::conf::RecordParts;
use crate::module::{exec, hls, hls2, record};
use crate::net::ssl;
use crate::syntax::{Problem, Spanned};

/// Builds the model of one or several `rtmp { }` blocks.
pub(super) fn build_rtmp(builder: &mut Builder<'_>, blocks: &[&Block]) -> Rtmp {
    let candidates: Vec<Candidate<'_, RtmpServer>> = blocks
        .iter()
        .flat_map(|rtmp| rtmp.inner(RTMP_SERVER).map(move |server| (*rtmp, server)))
        .map(|(rtmp, block)| {
            let names = names(block);
            let server = Arc::new(server(builder, rtmp, block, &names));
            Candidate { server, block, names, listen: listen(block) }
        })
        .collect();
    let listeners = sockets(builder, &candidates).into_iter().map(listener).collect();
    // Settings of the process are those of the last block.
    let last: Vec<&Block> = blocks.last().copied().into_iter().collect();
    Rtmp {
        listeners,
        servers: candidates.into_iter().map(|candidate| candidate.server).collect(),
        notify: builder.resolve(&last),
        relay: builder.resolve(&last),
        delivery: builder.resolve(&last),
        reload: builder.resolve(&last),
        exec: exec::Process::new(&exec_scopes(blocks)),
        max_connections: blocks.iter().find_map(|block| max_connections(block)),
    }
}

fn server(
    builder: &mut Builder<'_>,
    rtmp: &Block,
    block: &Block,
    names: &[Spanned<ServerName>],
) -> RtmpServer {
    let held: Arc<server_conf::ServerConf> = Arc::new(builder.resolve(&[block, rtmp]));
    let ssl: ssl::conf::Conf = builder.resolve(&[block, rtmp]);
    let encrypted = listen(block).into_iter().find(|listen| listen.value.options.ssl);
    match encrypted {
        // In the original's words, which knows no RTMP over TLS.
        Some(listen) if ssl.certificate.is_empty() => {
            let problem = Problem::new("the invalid \"ssl\" parameter").at(listen.span).place(listen.place);
            let help = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
            builder.reports.add(block.order, problem.help(help));
        }
        encrypted => check_certificates(builder, block, encrypted.map(|listen| listen.span), &ssl),
    }
    let outer = [block, rtmp];
    let defaults = Defaults { hls: builder.resolve(&outer), hls2: builder.resolve(&outer) };
    let mut unsaid = Unsaid::default();
    let applications = block
        .inner(APPLICATION)
        .map(|app| Arc::new(application(builder, &[app, block, rtmp], &defaults, &mut unsaid)));
    RtmpServer {
        applications: applications.collect(),
        names: names.iter().map(|n| n.value.clone()).collect(),
        serverid: held.serverid.0.clone(),
        held,
        ssl,
        verifies_clients: Block::refusing(&outer, &[Restricts::Connections]).is_some(),
        base: Arc::new(builder.resolve(&[block, rtmp])),
        pos: builder.pos(block.place),
    }
}

/// Values of a server from which its applications derive defaults.
struct Defaults {
    hls: hls::conf::Conf,
    hls2: hls2::conf::Conf,
}

fn application(
    builder: &mut Builder<'_>,
    blocks: &[&Block; 3],
    defaults: &Defaults,
    unsaid: &mut Unsaid,
) -> Application {
    let application = resolve_application(builder, blocks, defaults, unsaid);
    if application.hls.hls && application.hls.path.0.as_os_str().is_empty() {
        let text = "\"hls\" is on without \"hls_path\": no files are written";
        builder.refuse(blocks[0], Problem::warning(text));
    }
    application
}

fn resolve_application(
    builder: &mut Builder<'_>,
    blocks: &[&Block; 3],
    defaults: &Defaults,
    unsaid: &mut Unsaid,
) -> Application {
    Application {
        name: blocks[0].head::<Text>().map(|name| name.0.clone()).unwrap_or_default(),
        rtmp: unsaid.resolve(builder, blocks),
        live: unsaid.resolve(builder, blocks),
        gop: unsaid.resolve(builder, blocks),
        mpegts: unsaid.resolve(builder, blocks),
        hls: unsaid.derive(builder, blocks, |hls: hls::conf::Conf| hls.derived_from(&defaults.hls)),
        hls2: unsaid.derive(builder, blocks, |hls2: hls2::conf::Conf| hls2.derived_from(&defaults.hls2)),
        codec: unsaid.resolve(builder, blocks),
        delivery: unsaid.resolve(builder, blocks),
        access: unsaid.resolve(builder, blocks),
        notify: unsaid.resolve(builder, blocks),
        relay: unsaid.resolve(builder, blocks),
        recorders: recorders(builder, blocks),
        live_record: unsaid.resolve(builder, blocks),
        exec: Arc::new(commands(builder, blocks)),
        pos: builder.pos(blocks[0].place),
    }
}

/// Values of a server's applications that say nothing about a module: the same for all of them.
#[derive(Default)]
struct Unsaid(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Unsaid {
    fn resolve<C: Resolve + Send + Sync + 'static>(
        &mut self,
        builder: &mut Builder<'_>,
        blocks: &[&Block; 3],
    ) -> Arc<C> {
        self.derive(builder, blocks, |values| values)
    }

    /// As [`Unsaid::resolve`]; `finish` may depend on values of the server.
    fn derive<C: Resolve + Send + Sync + 'static>(
        &mut self,
        builder: &mut Builder<'_>,
        blocks: &[&Block; 3],
        finish: impl FnOnce(C) -> C,
    ) -> Arc<C> {
        if blocks[0].scope::<C::Scope>().is_some() {
            return Arc::new(finish(builder.resolve(blocks)));
        }
        let make = || Arc::new(finish(builder.resolve::<C>(blocks))) as Arc<dyn Any + Send + Sync>;
        let values = self.0.entry(TypeId::of::<C>()).or_insert_with(make);
        values.clone().downcast().expect("values are stored under their own type")
    }
}

/// The named recorders of an application, then its own.
fn recorders(builder: &mut Builder<'_>, blocks: &[&Block; 3]) -> Vec<Arc<Recorder>> {
    let [application, server, rtmp] = *blocks;
    let says = |block: &&Block| block.scope::<record::conf::Scope>().is_some();
    if !blocks.iter().any(says) && application.inner(RECORDER).next().is_none() {
        return Vec::new();
    }
    let mut recorders = Vec::new();
    for block in application.inner(RECORDER) {
        let name = block.head::<Text>().map(|name| name.0.clone()).unwrap_or_default();
        recorders.push(recorder(builder, name, &[block, application, server, rtmp]));
    }
    recorders.push(recorder(builder, Default::default(), blocks));
    let writes = |recorder: &Recorder| {
        recorder.conf.parts.0.is_some_and(|parts| parts.0 != 0 && !parts.has(RecordParts::OFF))
    };
    recorders.into_iter().filter(writes).map(Arc::new).collect()
}

fn recorder(builder: &mut Builder<'_>, name: BString, blocks: &[&Block]) -> Recorder {
    let record_done = commands(builder, blocks).record_done;
    Recorder { name, conf: builder.resolve(blocks), record_done }
}

fn commands(builder: &mut Builder<'_>, blocks: &[&Block]) -> exec::Commands {
    let scopes: Vec<_> = blocks.iter().map(|block| block.scope::<exec::conf::Scope>()).collect();
    match scopes.iter().any(Option::is_some) {
        true => exec::Commands::new(&scopes, &builder.resolve(blocks)),
        false => exec::Commands::default(),
    }
}

/// What blocks and all those inside say of commands.
fn exec_scopes<'b>(blocks: &[&'b Block]) -> Vec<&'b exec::conf::Scope> {
    let mut scopes = Vec::new();
    let mut open: Vec<&Block> = blocks.iter().rev().copied().collect();
    while let Some(block) = open.pop() {
        scopes.extend(block.scope::<exec::conf::Scope>());
        open.extend(block.children.iter().rev());
    }
    scopes
}

fn listener(socket: Socket<RtmpServer>) -> RtmpListener {
    let Socket { addr, options, pos, servers, specific } = socket;
    RtmpListener { addr, options, pos, servers, specific }
}

/// The names of a server, one by one.
fn names(block: &Block) -> Vec<Spanned<ServerName>> {
    let said = block.scope::<server_conf::Scope>().map(|s| &s.server_name[..]).unwrap_or_default();
    said.iter()
        .flat_map(|s| s.value.0.iter().map(|n| Spanned { value: n.clone(), span: s.span, place: s.place }))
        .collect()
}

/// The `listen` lines of a server; the default port if there are none.
fn listen(block: &Block) -> Vec<Spanned<Listen>> {
    let said = block.scope::<server_conf::Scope>().map(|s| &s.listen[..]).unwrap_or_default();
    if said.is_empty() {
        let addrs = vec![ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into())];
        let value = Listen { addrs, options: ListenOptions::default() };
        return vec![Spanned { value, span: block.span, place: block.place }];
    }
    said.iter().map(|s| Spanned { value: s.value.0.clone(), span: s.span, place: s.place }).collect()
}

/// The limit of connections, at whatever level it stands.
fn max_connections(block: &Block) -> Option<u64> {
    let here = block.scope::<conf::Scope>().and_then(|s| s.max_connections.as_ref()).map(|s| s.value);
    here.or_else(|| block.children.iter().find_map(max_connections))
}
