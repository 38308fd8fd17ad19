//! Sharing of sockets: which servers answer on which address.

use std::collections::HashMap;
use std::sync::Arc;

use super::builder::Builder;
use super::model::{HttpServer, Listener, RtmpServer, SharedAddress};
use super::names::NameTable;
use crate::directive::context::{HTTP_SERVER, RTMP_SERVER};
use crate::directive::evaluate::Block;
use crate::directive::listen::{Addresses, Listen};
use crate::directive::{ListenAddr, ListenOptions, ServerName};
use crate::syntax::{Pos, Problem, Span, Spanned};

/// A server to be assigned to sockets.
pub(super) struct SocketCandidate<'b, T> {
    /// The server.
    pub server: Arc<T>,
    /// Its block, for diagnostics.
    pub block: &'b Block,
}

/// Properties of a server that determine its sockets.
pub(super) trait ListeningServer {
    /// Its `listen` lines.
    fn listen(&self) -> &[Spanned<Listen>];

    /// Its names.
    fn names(&self) -> &[Spanned<ServerName>];
}

impl ListeningServer for RtmpServer {
    fn listen(&self) -> &[Spanned<Listen>] {
        &self.get::<Addresses<RTMP_SERVER>>().listen
    }

    fn names(&self) -> &[Spanned<ServerName>] {
        &self.get::<Addresses<RTMP_SERVER>>().names
    }
}

impl ListeningServer for HttpServer {
    fn listen(&self) -> &[Spanned<Listen>] {
        &self.get::<Addresses<HTTP_SERVER>>().listen
    }

    fn names(&self) -> &[Spanned<ServerName>] {
        &self.get::<Addresses<HTTP_SERVER>>().names
    }
}

/// An address whose servers are being collected.
struct SocketAddress<T> {
    addr: ListenAddr,
    options: ListenOptions,
    pos: Pos,
    /// Default server, with the position of its `default_server` parameter.
    default: Option<(Arc<T>, Span)>,
    servers: Vec<usize>,
}

/// Groups servers by address.
///
/// An address whose port a wildcard also listens on shares the wildcard's socket, as in nginx: the system would not
/// allow both.
pub(super) fn sockets<T: ListeningServer>(
    builder: &mut Builder<'_>,
    candidates: &[SocketCandidate<'_, T>],
) -> Vec<Listener<T>> {
    let addresses = gather(builder, candidates);
    let mut sockets: Vec<Listener<T>> = Vec::new();
    let mut shared: Vec<SharedAddress<T>> = Vec::new();
    let wildcards: Vec<ListenAddr> =
        addresses.iter().filter(|a| a.addr.is_wildcard()).map(|a| a.addr.clone()).collect();
    for address in addresses {
        let SocketAddress { addr, options, pos, default, servers } = address;
        let first = servers.first().copied().unwrap_or_default();
        let default = default.map(|(server, _)| server);
        let mut table = NameTable::new(default.unwrap_or_else(|| Arc::clone(&candidates[first].server)));
        let mut sharing: Vec<&SocketCandidate<'_, T>> = Vec::with_capacity(servers.len());
        for index in servers {
            sharing.push(&candidates[index]);
            add_names(builder, &mut table, &sharing, &addr);
        }
        let covered = !options.bind && wildcards.iter().any(|w| *w != addr && covers(w, &addr));
        if covered {
            shared.push(SharedAddress { addr, options, servers: table });
        } else {
            sockets.push(Listener { addr, options, pos, servers: table, specific: Vec::new() });
        }
    }
    for address in shared {
        if let Some(socket) = sockets.iter_mut().find(|s| covers(&s.addr, &address.addr)) {
            socket.specific.push(address);
        }
    }
    sockets
}

fn gather<T: ListeningServer>(
    builder: &mut Builder<'_>,
    candidates: &[SocketCandidate<'_, T>],
) -> Vec<SocketAddress<T>> {
    let mut addresses: Vec<SocketAddress<T>> = Vec::new();
    let mut known: HashMap<ListenAddr, usize> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        for listen in candidate.server.listen() {
            for addr in &listen.value.addrs {
                let options = &listen.value.options;
                let at = *known.entry(addr.clone()).or_insert(addresses.len());
                if at == addresses.len() {
                    addresses.push(SocketAddress {
                        addr: addr.clone(),
                        options: options.clone(),
                        pos: builder.pos(listen.place),
                        default: None,
                        servers: Vec::new(),
                    });
                }
                let address = &mut addresses[at];
                if address.servers.last() == Some(&index) {
                    let first = candidate
                        .server
                        .listen()
                        .iter()
                        .find(|l| l.value.addrs.contains(addr))
                        .map(|l| l.span);
                    let text = format!("a duplicate listen {addr}");
                    refuse(builder, candidate, listen.span, listen.place, text, first);
                    continue;
                }
                address.servers.push(index);
                let first = candidates[..index].iter().flat_map(|c| c.server.listen());
                let mut first =
                    first.filter(|l| l.value.options.makes_socket && l.value.addrs.contains(addr));
                if options.makes_socket
                    && let Some(first) = first.next()
                {
                    let text = format!("duplicate listen options for {addr}");
                    let first = Some(first.span);
                    refuse(builder, candidate, listen.span, listen.place, text, first);
                    continue;
                }
                if options.default_server {
                    if let Some((_, first)) = &address.default {
                        let text = format!("a duplicate default server for {addr}");
                        let first = Some(*first);
                        refuse(builder, candidate, listen.span, listen.place, text, first);
                        continue;
                    }
                    address.default = Some((Arc::clone(&candidate.server), listen.span));
                }
                merge(&mut address.options, options);
            }
        }
    }
    addresses
}

/// Merges options, which any line of an address may set.
fn merge(all: &mut ListenOptions, one: &ListenOptions) {
    all.bind |= one.bind;
    all.backlog = all.backlog.or(one.backlog);
    all.rcvbuf = all.rcvbuf.or(one.rcvbuf);
    all.sndbuf = all.sndbuf.or(one.sndbuf);
    all.reuseport |= one.reuseport;
    all.deferred |= one.deferred;
    all.fastopen = all.fastopen.or(one.fastopen);
    all.ipv6only = all.ipv6only.or(one.ipv6only);
    all.keepalive = all.keepalive.or(one.keepalive);
    all.proxy_protocol |= one.proxy_protocol;
    all.ssl |= one.ssl;
    all.http2 |= one.http2;
    all.http2_on |= one.http2_on;
}

/// Adds the names of the last of the servers that share an address.
fn add_names<T: ListeningServer>(
    builder: &mut Builder<'_>,
    table: &mut NameTable<T>,
    sharing: &[&SocketCandidate<'_, T>],
    addr: &ListenAddr,
) {
    let Some(candidate) = sharing.last() else { return };
    let names: Vec<ServerName> = candidate.server.names().iter().map(|n| n.value.clone()).collect();
    // A server without names has the empty name, as in nginx; several of them do not conflict.
    for name in table.add(&candidate.server, &names) {
        let mut uses = sharing.iter().flat_map(|c| c.server.names()).filter(|n| n.value.spelled() == name);
        let first = uses.next().map(|n| n.span);
        let own = candidate.server.names().iter().rfind(|n| n.value.spelled() == name);
        let (span, place) =
            own.map_or((candidate.block.span, candidate.block.place), |own| (own.span, own.place));
        let text = format!("conflicting server name \"{name}\" on {addr}, ignored");
        let mut problem = Problem::warning(text).at(span).place(place);
        if let Some(first) = first.filter(|first| *first != span) {
            problem = problem.label(first, "first given here");
        }
        builder.reports().add(candidate.block.order, problem);
    }
}

fn refuse<T>(
    builder: &mut Builder<'_>,
    candidate: &SocketCandidate<'_, T>,
    span: Span,
    place: Span,
    text: String,
    first: Option<Span>,
) {
    let problem = Problem::new(text).at(span).place(place);
    let problem = match first {
        Some(first) => problem.label(first, "first given here"),
        None => problem,
    };
    builder.reports().add(candidate.block.order, problem);
}

/// Whether a wildcard socket accepts the connections of an address.
pub(super) fn covers(wildcard: &ListenAddr, addr: &ListenAddr) -> bool {
    let (ListenAddr::Tcp(wildcard), ListenAddr::Tcp(addr)) = (wildcard, addr) else { return false };
    wildcard.ip().is_unspecified() && wildcard.port() == addr.port() && wildcard.is_ipv4() == addr.is_ipv4()
}
