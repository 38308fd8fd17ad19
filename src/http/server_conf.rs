//! Directives of HTTP servers.

use std::net::Ipv4Addr;

use nix::unistd::geteuid;

use super::http2;
use super::listen::{DEFAULT_PORT, ListenHttp};
use super::location::LocationName;
use super::variable::VariableNames;
use crate::directive::context::{Contexts, HTTP, HTTP_SERVER, LOCATION, MAIN};
use crate::directive::evaluate::{Block, resolve};
use crate::directive::listen::Addresses;
use crate::directive::table::directives;
use crate::directive::uses_modules::UsesModules;
use crate::directive::{BlockLevel, Evaluation, ListenAddr, Msec, Present, ServerName, ServerNames, Slot};
use crate::net::ssl;
use crate::syntax::Spanned;

directives! {
    /// HTTP servers.
    module "http server";
    blocks {
        /// Block of all HTTP settings.
        "http" => UsesModules as single, opens HTTP, in MAIN;
        /// A virtual server: addresses, names and locations.
        "server" => Present, opens HTTP_SERVER, in HTTP;
        /// Settings of paths. An exact location takes precedence, then the longest prefix if it has `^~`, then the
        /// first matching regular expression, then the first predicate that holds, then the longest prefix. A predicate
        /// is a variable, which holds while it is neither empty nor 0: `location $wants_json { ... }`.
        ///
        /// Differs from PingOS: it has no predicates, which are as in nginx since 1.31.5.
        "location" => LocationName, opens LOCATION, in HTTP_SERVER | LOCATION;
    }
    held as ServerConf {
        session {
            /// Address on which HTTP connections are accepted. A server without `listen` uses port 80, or 8000 unless
            /// started as root.
            /// A range of ports (`8000-8003`) is a socket per port. Unix sockets have mode 0666. With
            /// `proxy_protocol`, connections begin with a PROXY header, version 1 or 2, before TLS; without a valid
            /// one within `client_header_timeout` they are closed. `$remote_addr` stays the load balancer's, as in
            /// nginx. `reuseport` opens a socket per worker, among which the system distributes the connections.
            /// With `http2`, HTTP/2 is spoken: with TLS besides HTTP/1, without TLS instead of it, as in nginx before 1.25.1; see
            /// the directive `http2`. `deferred` accepts connections once they have sent data. `fastopen` is the length of the queue of
            /// TCP Fast Open, `backlog` that of the accept queue (511 by default). An IPv6 wildcard leaves IPv4 to
            /// other sockets unless `ipv6only=off`. A reload changes these parameters of open sockets, except
            /// `ipv6only`, without closing them; what `reuseport` has opened stays open.
            ///
            /// Differs from PingOS: `http2` is refused by the usual build of PingOS.
            ///
            /// Example: `listen 443 ssl http2;`
            "listen" => listen: Vec<ListenHttp>, in HTTP_SERVER;
            /// Names that select this server among the servers of an address.
            ///
            /// Example: `server_name www.example.com;`
            "server_name" => server_name: Vec<ServerNames>, in HTTP_SERVER;
            /// Time for the whole head of a request. A client that takes longer gets status 408, and its connection
            /// is closed.
            ///
            /// Example: `client_header_timeout 10s;`
            "client_header_timeout" => client_header_timeout: Msec = "60s", in HTTP | HTTP_SERVER;
        }
    }
    made {
        Addresses<HTTP_SERVER>;
    }
}

/// Default port of a server that may not use port 80.
const UNPRIVILEGED_PORT: u16 = 8000;

/// The default port is 80, or 8000 unless root. `ssl` enables TLS on all sockets of the server.
impl Slot for Addresses<HTTP_SERVER> {
    const HOLDERS: Contexts = HTTP_SERVER;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Self {
        let addresses = addresses(level.blocks, evaluation);
        for name in &addresses.names {
            let ServerName::Regex(pattern) = &name.value else { continue };
            for problem in VariableNames::misnamed(pattern) {
                evaluation.report_in(level.blocks[0], problem.at(name.span).place(name.place));
            }
            evaluation.notes.of::<VariableNames>().groups_of(pattern);
        }
        addresses
    }
}

/// Addresses of a server; its block is the first of `blocks`.
pub(super) fn addresses(blocks: &[&Block], evaluation: &mut Evaluation<'_>) -> Addresses<HTTP_SERVER> {
    let block = blocks[0];
    let scope = block.scope::<Scope>();
    let listen = scope.map(|scope| &scope.listen[..]).unwrap_or_default();
    let names = scope.map(|scope| &scope.server_name[..]).unwrap_or_default();
    let port = if geteuid().is_root() { DEFAULT_PORT } else { UNPRIVILEGED_PORT };
    let usual = ListenAddr::Tcp((Ipv4Addr::UNSPECIFIED, port).into());
    let lines = listen.iter().map(|line| (&line.value.0, line.span, line.place));
    let mut addresses = Addresses::new(block, lines, names, usual);
    if resolve::<http2::conf::Current>(blocks, evaluation).http2 {
        addresses.listen.iter_mut().for_each(|line| line.value.options.http2_on = true);
    }
    if resolve::<ssl::conf::Conf>(blocks, evaluation).on.is_some_and(|on| on.0) {
        addresses.listen.iter_mut().for_each(|line| line.value.options.ssl = true);
        let whole = Spanned { value: (), span: block.span, place: block.place };
        addresses.encrypted.get_or_insert(whole);
    }
    addresses
}

/// Names of the server that contains a block; `blocks` are the block and its enclosing blocks.
pub fn server_names(blocks: &[&Block]) -> Vec<ServerName> {
    let server = blocks.iter().find(|block| block.context == HTTP_SERVER);
    let scope = server.and_then(|server| server.scope::<Scope>());
    scope.iter().flat_map(|scope| &scope.server_name).flat_map(|line| line.value.0.clone()).collect()
}
