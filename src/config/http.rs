//! `http { }` of the model.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use nix::unistd::geteuid;

use super::build::Builder;
use super::locations::Locations;
use super::model::{Files, Handler, Http, HttpListener, HttpServer, Location};
use super::socket::{ListenSocket, SocketCandidate, check_certificates, sockets};
use super::steps::{steps, without_value};
use crate::directive::context::{HTTP_SERVER, LIMIT_EXCEPT, LOCATION, UPSTREAM};
use crate::directive::evaluate::Block;
use crate::directive::listen::Listen;
use crate::directive::{ListenAddr, ListenOptions, Restricts, ServerName};
use crate::http::core::methods::Methods;
use crate::http::directory::Directory;
use crate::http::location::LocationName;
use crate::http::variable::VariableNames;
use crate::http::{conf, listen as http_listen, server_conf};
use crate::module::referer::conf as referer_conf;
use crate::module::referer::valid::{Referers, ValidReferers};
use crate::module::{control, flv, hls2, stat, ts};
use crate::net::ssl;
use crate::syntax::{Problem, Span, Spanned, sentence};

/// The port of a server without `listen` that may not use port 80.
const UNPRIVILEGED_PORT: u16 = 8000;
/// Builds the model of `http { }`.
pub(super) fn build_http(builder: &mut Builder<'_>, http: &Block) -> Http {
    for upstream in http.inner(UPSTREAM).filter(|u| u.uses("server").is_none()) {
        builder.refuse(upstream, Problem::new("no servers are inside upstream"));
    }
    let mut groups: HashMap<BString, Span> = HashMap::new();
    for upstream in http.inner(UPSTREAM) {
        let Some(name) = upstream.head::<crate::directive::Text>() else { continue };
        let Some(first) = groups.insert(name.0.to_ascii_lowercase().into(), upstream.span) else { continue };
        let text = sentence(&[b"duplicate upstream \"", &name.0, b"\""]);
        builder.refuse(upstream, Problem::new(text).label(first, "first given here"));
    }
    let candidates: Vec<SocketCandidate<'_, HttpServer>> = http
        .inner(HTTP_SERVER)
        .map(|block| {
            let names = names(block);
            let server = Arc::new(server(builder, http, block, &names));
            let listen = listen(block, server.ssl.on.is_some_and(|on| on.0));
            SocketCandidate { server, block, names, listen }
        })
        .collect();
    let listeners = sockets(builder, &candidates).into_iter().map(listener).collect();
    Http { listeners, servers: candidates.into_iter().map(|candidate| candidate.server).collect() }
}

fn server(
    builder: &mut Builder<'_>,
    http: &Block,
    block: &Block,
    names: &[Spanned<ServerName>],
) -> HttpServer {
    let held: server_conf::ServerConf = builder.resolve(&[block, http]);
    let ssl: ssl::conf::Conf = builder.resolve(&[block, http]);
    let uses = block.scope::<server_conf::Scope>().map(|s| &s.listen[..]).unwrap_or_default();
    let encrypted = uses.iter().find(|listen| listen.value.0.options.ssl);
    let encrypted = encrypted.map(|listen| listen.span).or(ssl.on.filter(|on| on.0).map(|_| block.span));
    check_certificates(builder, block, encrypted, &ssl);
    let chain = [block, http];
    check_referers(builder, &chain);
    let conf: conf::Conf = builder.resolve(&chain);
    let name = LocationName::Prefix { prefix: BString::default(), stops_regex: false };
    let handler = guard(builder, &chain).unwrap_or_else(|| files(builder, &conf, &chain));
    let steps = match refuses_peers(builder, &chain) {
        Some(_) => Vec::new(),
        None => steps(builder, block, &mut |_, _| None),
    };
    for uses in names {
        let ServerName::Regex(pattern) = &uses.value else { continue };
        for problem in VariableNames::misnamed(pattern) {
            builder.reports.add(block.order, problem.at(uses.span).place(uses.place));
        }
    }
    let fallback = bare(builder, name, handler, conf, &chain);
    HttpServer {
        names: names.iter().map(|n| n.value.clone()).collect(),
        held,
        ssl,
        steps,
        without_value: without_value(http),
        locations: locations(builder, None, &chain),
        fallback: Arc::new(fallback),
        pos: builder.pos(block.place),
    }
}

/// The nearest `valid_referers` lines.
fn referers(chain: &[&Block]) -> Result<Referers, Problem> {
    let lines = chain.iter().find_map(|block| own_referers(block));
    let server = chain.iter().find(|block| block.context == HTTP_SERVER);
    let names: Vec<ServerName> =
        server.iter().flat_map(|server| names(server)).map(|name| name.value).collect();
    Referers::new(lines.unwrap_or_default().iter().map(|line| &line.value), &names)
}

/// The `valid_referers` lines of a block itself.
fn own_referers(block: &Block) -> Option<&[Spanned<ValidReferers>]> {
    block.scope::<referer_conf::Scope>().map(|scope| &scope.lines[..])
}

/// Complains of `valid_referers` lines of a block that do not fit together.
fn check_referers(builder: &mut Builder<'_>, chain: &[&Block]) {
    let Some(last) = own_referers(chain[0]).and_then(|lines| lines.last()) else { return };
    if let Err(problem) = referers(chain) {
        builder.reports.add(chain[0].order, problem.at(last.span).place(last.place));
    }
}

/// The locations of a level; `chain` is the block that holds them and those around it.
fn locations(builder: &mut Builder<'_>, outer: Option<&LocationName>, chain: &[&Block]) -> Locations {
    let mut locations = Locations::default();
    let mut seen: HashMap<(u8, BString), Span> = HashMap::new();
    let Some(holder) = chain.first() else { return locations };
    for block in holder.inner(LOCATION) {
        let Some(name) = block.head::<LocationName>() else { continue };
        if let Some(problem) = outer.and_then(|outer| misplaced(name, outer)) {
            builder.refuse(block, problem.label(holder.span, "inside this location"));
            continue;
        }
        let kind = match name {
            LocationName::Exact(_) => 0,
            LocationName::Prefix { .. } => 1,
            LocationName::Named(_) => 2,
            LocationName::Regex(_) => 3,
        };
        let first = seen.insert((kind, name.spelled().to_owned()), block.span);
        if let Some(first) = first.filter(|_| kind != 3) {
            let text = sentence(&[b"duplicate location \"", name.spelled(), b"\""]);
            builder.refuse(block, Problem::new(text).label(first, "first given here"));
            continue;
        }
        let mut inner = vec![block];
        inner.extend_from_slice(chain);
        locations.add(Arc::new(location(builder, name, &inner)));
    }
    locations
}

fn location(builder: &mut Builder<'_>, name: &LocationName, chain: &[&Block]) -> Location {
    check_referers(builder, chain);
    let conf: conf::Conf = builder.resolve(chain);
    let handler = handler(builder, &conf, chain);
    let mut inner = |builder: &mut Builder<'_>, block: &Block| {
        Some(Arc::new(part(builder, name, &handler, block, chain)))
    };
    let steps = match refuses_peers(builder, chain) {
        Some(_) => Vec::new(),
        None => steps(builder, chain[0], &mut inner),
    };
    let limit = chain[0].inner(LIMIT_EXCEPT).next();
    let limited = limit.and_then(|block| {
        let methods = block.head::<Methods>()?.0.clone();
        Some((methods, Arc::new(part(builder, name, &handler, block, chain))))
    });
    let nested = locations(builder, Some(name), chain);
    Location { steps, limited, nested, ..bare(builder, name.clone(), handler, conf, chain) }
}

/// A location without statements and locations of its own. `chain` is its block and those around it.
fn bare(
    builder: &mut Builder<'_>,
    name: LocationName,
    handler: Handler,
    conf: conf::Conf,
    chain: &[&Block],
) -> Location {
    Location {
        name,
        handler,
        steps: Vec::new(),
        limited: None,
        conf,
        headers: builder.resolve(chain),
        referers: referers(chain).unwrap_or_default(),
        nested: Locations::default(),
        pos: builder.pos(chain[0].place),
    }
}

/// The directive without a feature yet that decides which peers are served at all, such as those with a certificate:
/// nothing is answered, also by statements.
fn refuses_peers(builder: &mut Builder<'_>, chain: &[&Block]) -> Option<&'static str> {
    Block::refusing(chain, &[Restricts::Connections]).filter(|_| is_encrypted(builder, chain))
}

/// What counts in place of a location while an `if` or `limit_except` in it is met.
///
/// Other than in the original, who answers is the location's handler all the same.
fn part(
    builder: &mut Builder<'_>,
    name: &LocationName,
    handler: &Handler,
    block: &Block,
    outer: &[&Block],
) -> Location {
    let mut chain = vec![block];
    chain.extend_from_slice(outer);
    let conf: conf::Conf = builder.resolve(&chain);
    let handler = match guard(builder, &chain) {
        Some(refusing) => refusing,
        None if matches!(handler, Handler::Static(_)) => files(builder, &conf, &chain),
        None => handler.clone(),
    };
    bare(builder, name.clone(), handler, conf, &chain)
}

/// Who answers in a location once its statements are through; `return` is one of them.
fn handler(builder: &mut Builder<'_>, conf: &conf::Conf, chain: &[&Block]) -> Handler {
    let block = chain[0];
    if let Some(handler) = guard(builder, chain) {
        return handler;
    }
    let flv: flv::conf::Current = builder.resolve(chain);
    let ts: ts::conf::Current = builder.resolve(chain);
    let hls2: hls2::conf::Current = builder.resolve(chain);
    let stat: stat::conf::Current = builder.resolve(chain);
    let control: control::conf::Current = builder.resolve(chain);
    if let Some(live) = flv.flv_live.0 {
        return Handler::FlvLive(live);
    }
    if let Some(live) = ts.ts_live.0 {
        return Handler::TsLive(live);
    }
    if let Some(live) = hls2.hls2_live.0 {
        return Handler::Hls2Live(live);
    }
    // Outside a location these directives only choose what the handlers inside show.
    if let Some(parts) = stat.rtmp_stat.0.filter(|_| block.uses("rtmp_stat").is_some()) {
        return Handler::RtmpStat(parts, stat.stylesheet.0);
    }
    if let Some(parts) = control.rtmp_control.0.filter(|_| block.uses("rtmp_control").is_some()) {
        return Handler::RtmpControl(parts);
    }
    if stat.sys_stat.0.is_some() {
        return Handler::SysStat;
    }
    files(builder, conf, chain)
}

/// The handler that serves files: of `root` and `alias` the nearest counts. As in nginx, an inherited `alias` replaces
/// the prefix of the location that holds it.
fn files(builder: &mut Builder<'_>, conf: &conf::Conf, chain: &[&Block]) -> Handler {
    let says = |block: &&Block| block.uses("root").is_some() || block.uses("alias").is_some();
    if let Some(holder) = chain.iter().position(says) {
        let held: conf::Conf = builder.resolve(&chain[holder..]);
        let replaces = match chain[holder].head::<LocationName>() {
            Some(LocationName::Regex(_)) => None,
            name => Some(name.map_or(0, |name| name.spelled().len())),
        };
        match held.alias.0 {
            Some(Directory::Fixed(target)) => return Handler::Static(Files::Alias { target, replaces }),
            Some(Directory::Variable(_)) => return Handler::Unsupported("alias"),
            None => {}
        }
    }
    match &conf.root {
        Directory::Fixed(directory) => Handler::Static(Files::Root(directory.clone())),
        Directory::Variable(_) => Handler::Unsupported("root"),
    }
}

/// The handler of a location that a directive without effect yet should answer or protect.
fn guard(builder: &mut Builder<'_>, chain: &[&Block]) -> Option<Handler> {
    if let Some(name) = refuses_peers(builder, chain) {
        return Some(Handler::Unsupported(name));
    }
    Block::refusing(chain, &[Restricts::Answers, Restricts::Requests]).map(Handler::Unsupported)
}

/// Whether requests may come to the server in a chain over TLS. A port is encrypted for all of its servers if one of
/// them says so.
fn is_encrypted(builder: &mut Builder<'_>, chain: &[&Block]) -> bool {
    let Some(http) = chain.last() else { return false };
    let Some(server) = chain.iter().find(|block| block.context == HTTP_SERVER) else { return false };
    let lines: Vec<_> = http
        .inner(HTTP_SERVER)
        .flat_map(|block| {
            let ssl: ssl::conf::Conf = builder.resolve(&[block, http]);
            listen(block, ssl.on.is_some_and(|on| on.0))
        })
        .filter(|line| line.value.options.ssl)
        .flat_map(|line| line.value.addrs)
        .collect();
    listen(server, false).iter().flat_map(|line| &line.value.addrs).any(|addr| {
        lines.iter().any(|encrypted| match (addr, encrypted) {
            (ListenAddr::Tcp(addr), ListenAddr::Tcp(encrypted)) => addr.port() == encrypted.port(),
            _ => addr == encrypted,
        })
    })
}

/// Why a location may not stand inside another.
fn misplaced(name: &LocationName, outer: &LocationName) -> Option<Problem> {
    let (inner_uri, outer_uri) = (name.spelled(), outer.spelled());
    let text = match (name, outer) {
        (_, LocationName::Exact(_)) => sentence(&[
            b"location \"",
            inner_uri,
            b"\" cannot be inside the exact location \"",
            outer_uri,
            b"\"",
        ]),
        (_, LocationName::Named(_)) => sentence(&[
            b"location \"",
            inner_uri,
            b"\" cannot be inside the named location \"",
            outer_uri,
            b"\"",
        ]),
        (LocationName::Named(_), _) => {
            sentence(&[b"named location \"", inner_uri, b"\" can be on the server level only"])
        }
        (LocationName::Exact(_) | LocationName::Prefix { .. }, _)
            if !inner_uri.as_bytes().starts_with(outer_uri.as_bytes()) =>
        {
            sentence(&[b"location \"", inner_uri, b"\" is outside location \"", outer_uri, b"\""])
        }
        _ => return None,
    };
    Some(Problem::new(text))
}

fn listener(socket: ListenSocket<HttpServer>) -> HttpListener {
    let ListenSocket { addr, options, pos, servers, specific } = socket;
    HttpListener { addr, options, pos, servers, specific }
}

/// The names of a server, one by one.
fn names(block: &Block) -> Vec<Spanned<ServerName>> {
    let uses = block.scope::<server_conf::Scope>().map(|s| &s.server_name[..]).unwrap_or_default();
    uses.iter()
        .flat_map(|s| s.value.0.iter().map(|n| Spanned { value: n.clone(), span: s.span, place: s.place }))
        .collect()
}

/// The `listen` lines of a server; port 80 if there are none, or 8000 unless root. `ssl` encrypts them all.
fn listen(block: &Block, ssl: bool) -> Vec<Spanned<Listen>> {
    let uses = block.scope::<server_conf::Scope>().map(|s| &s.listen[..]).unwrap_or_default();
    let mut lines: Vec<Spanned<Listen>> =
        uses.iter().map(|s| Spanned { value: s.value.0.clone(), span: s.span, place: s.place }).collect();
    if lines.is_empty() {
        let port = if geteuid().is_root() { http_listen::DEFAULT_PORT } else { UNPRIVILEGED_PORT };
        let addrs = vec![ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, port).into())];
        let value = Listen { addrs, options: ListenOptions::default() };
        lines.push(Spanned { value, span: block.span, place: block.place });
    }
    for line in &mut lines {
        line.value.options.ssl |= ssl;
    }
    lines
}
