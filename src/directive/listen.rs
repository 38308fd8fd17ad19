//! Parameters that the `listen` directives of rtmp and http share.

use super::address::{AddressError, ListenAddr, listen_addrs, literal_addrs};
use super::args::Args;
use super::context::Contexts;
use super::evaluate::Block;
use super::evaluation::{Evaluation, HostNames};
use super::number;
use super::server_name::{ServerName, ServerNames};
use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::source::{Span, Spanned};
use crate::syntax::suggest;
use crate::syntax::tree::Word;

/// TCP keep-alive of accepted connections; a part that is not given keeps the system's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Whether keep-alive is enabled.
    pub on: bool,
    /// Idle time before the first probe, in seconds.
    pub idle_seconds: Option<u64>,
    /// Interval between probes, in seconds.
    pub interval_seconds: Option<u64>,
    /// Number of unanswered probes after which the connection is closed.
    pub probes: Option<u64>,
}

/// Parameters after the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenOptions {
    /// Whether the server is the default for connections whose host matches no `server_name`.
    pub default_server: bool,
    /// Whether to open a separate socket even beside a wildcard of the same port.
    pub bind: bool,
    /// Length of the accept queue.
    pub backlog: Option<u64>,
    /// Receive buffer size in bytes.
    pub rcvbuf: Option<u64>,
    /// Send buffer size in bytes.
    pub sndbuf: Option<u64>,
    /// Whether to open one socket per worker (SO_REUSEPORT).
    pub reuseport: bool,
    /// Whether a connection is accepted only once data has arrived (TCP_DEFER_ACCEPT).
    pub deferred: bool,
    /// Length of the queue of TCP Fast Open.
    pub fastopen: Option<u64>,
    /// Whether an IPv6 wildcard socket refuses IPv4; by default it does.
    pub ipv6only: Option<bool>,
    /// Keep-alive of accepted connections.
    pub keepalive: Option<Keepalive>,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Whether connections use TLS.
    pub ssl: bool,
    /// Whether HTTP/2 is spoken; without TLS nothing else is, unless `http2_on` is set.
    pub http2: bool,
    /// Whether HTTP/2 is spoken besides HTTP/1.
    pub http2_on: bool,
    /// Whether the line sets socket options, which only one line of an address may do.
    pub makes_socket: bool,
    /// Set for a socket of one worker (`multi_listen`): whose connections it takes.
    pub stands_for: Option<StandsFor>,
}

/// A socket's share in a `listen` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandsFor {
    /// The `listen` address, whose servers answer.
    pub addr: ListenAddr,
    /// Number of the worker that serves the connections.
    pub worker: usize,
}

/// Sockets and names that a server block specifies.
#[derive(Debug)]
pub struct Addresses<const HOLDER: Contexts> {
    /// The `listen` lines, or the default one.
    pub listen: Vec<Spanned<Listen>>,
    /// Position of the statement that enables TLS, if any.
    pub encrypted: Option<Spanned<()>>,
    /// The server names, with their positions.
    pub names: Vec<Spanned<ServerName>>,
}

impl<const HOLDER: Contexts> Addresses<HOLDER> {
    /// Takes them from the lines of a block; `usual` is the address without any `listen`.
    pub fn new<'l>(
        block: &Block,
        listen: impl Iterator<Item = (&'l Listen, Span, Span)>,
        names: &[Spanned<ServerNames>],
        usual: ListenAddr,
    ) -> Self {
        let mut listen: Vec<Spanned<Listen>> =
            listen.map(|(value, span, place)| Spanned { value: value.clone(), span, place }).collect();
        if listen.is_empty() {
            let value = Listen { addrs: vec![usual], options: ListenOptions::default() };
            listen.push(Spanned { value, span: block.span, place: block.place });
        }
        let encrypted = listen.iter().find(|line| line.value.options.ssl);
        let encrypted = encrypted.map(|line| Spanned { value: (), span: line.span, place: line.place });
        let names = names.iter().flat_map(|line| {
            let (span, place) = (line.span, line.place);
            line.value.0.iter().map(move |name| Spanned { value: name.clone(), span, place })
        });
        Addresses { listen, encrypted, names: names.collect() }
    }

    /// The names without their positions.
    pub fn server_names(&self) -> Vec<ServerName> {
        self.names.iter().map(|name| name.value.clone()).collect()
    }
}

/// One `listen` line. A host name may yield several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The addresses.
    pub addrs: Vec<ListenAddr>,
    /// The parameters after the address.
    pub options: ListenOptions,
}

/// Which parameters a `listen` directive accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `listen` in a server of `http { }`.
    Http,
    /// `listen` in a server of `rtmp { }`.
    Rtmp,
}

impl Listen {
    /// Parses a `listen` directive.
    ///
    /// # Errors
    ///
    /// The address or a parameter is invalid.
    pub fn read(
        args: &Args<'_>,
        family: Family,
        default_port: u16,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<Listen, Problem> {
        let word = args.first();
        let found = match evaluation.bases.host_names {
            HostNames::Resolved => listen_addrs(&word.bytes, default_port),
            HostNames::Ignored => Ok(literal_addrs(&word.bytes, default_port).unwrap_or_default()),
        };
        let addrs = found.map_err(|reason| {
            let text = sentence(&[
                reason.to_string().as_bytes(),
                b" in \"",
                &word.bytes,
                b"\" of the \"",
                &args.name.bytes,
                b"\" directive",
            ]);
            let problem = Problem::new(text).at(word.span);
            match reason {
                AddressError::InvalidPort => problem.help("a port is a number from 1 to 65535"),
                _ => problem,
            }
        })?;
        let mut listen = Listen { addrs, options: ListenOptions::default() };
        for word in args.words.get(1..).unwrap_or_default() {
            listen.option(word, family, evaluation)?;
        }
        Ok(listen)
    }

    fn option(
        &mut self,
        word: &Word,
        family: Family,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<(), Problem> {
        let text: &[u8] = &word.bytes;
        let (name, value) = match text.iter().position(|b| *b == b'=') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let options = &mut self.options;
        let is_socket_option = !matches!(
            name,
            b"default_server" | b"default" | b"proxy_protocol" | b"ssl" | b"http2" | b"accept_filter"
        );
        // In rtmp, PingOS allows socket options on several lines of an address.
        options.makes_socket |= family == Family::Http && is_socket_option;
        // An address with socket options needs a socket of its own, as in nginx.
        options.bind |= is_socket_option;
        match (name, value) {
            (b"default_server" | b"default", None) => options.default_server = true,
            (b"bind", None) => {}
            (b"reuseport", None) => options.reuseport = true,
            (b"proxy_protocol", None) => options.proxy_protocol = true,
            (b"ssl", None) => options.ssl = true,
            (b"http2", None) if family == Family::Http => options.http2 = true,
            (b"deferred", None) => options.deferred = true,
            (b"fastopen", Some(value)) => {
                options.fastopen = Some(number::digits(value).ok_or_else(|| invalid(word, "fastopen"))?);
            }
            // FreeBSD's; nginx accepts it elsewhere with this message.
            (b"accept_filter", Some(_)) if family == Family::Http => {
                let shown: &[u8] = &word.bytes;
                let text = sentence(&[
                    b"accept filters \"",
                    shown,
                    b"\" are not supported on this platform, ignored",
                ]);
                evaluation.report(Problem::warning(text).at(word.span));
            }
            (b"backlog", Some(value)) => {
                let backlog = number::digits(value).filter(|n| *n > 0);
                options.backlog = Some(backlog.ok_or_else(|| invalid(word, "backlog"))?);
            }
            (b"rcvbuf", Some(value)) => options.rcvbuf = Some(size(value, word, "rcvbuf")?),
            (b"sndbuf", Some(value)) => options.sndbuf = Some(size(value, word, "sndbuf")?),
            // nginx compares the first letter of the value before it takes the word for this parameter.
            (b"ipv6only", Some(value)) if family == Family::Rtmp || value.starts_with(b"o") => {
                self.ipv6only(value, word, family, evaluation)?;
            }
            (b"so_keepalive", Some(value)) => options.keepalive = Some(keepalive(value, word)?),
            _ => return Err(unknown(word, family)),
        }
        Ok(())
    }

    fn ipv6only(
        &mut self,
        value: &[u8],
        word: &Word,
        family: Family,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<(), Problem> {
        let v6 = family == Family::Http
            || self.addrs.iter().any(|a| matches!(a, ListenAddr::Tcp(addr) if addr.is_ipv6()));
        if !v6 {
            let addr = self.addrs.first().map(ToString::to_string).unwrap_or_default();
            let text = format!("ipv6only is not supported on addr \"{addr}\", ignored");
            evaluation.report(Problem::warning(text).at(word.span));
            return Ok(());
        }
        let value = match value {
            b"on" => true,
            b"off" => false,
            _ => {
                let text = sentence(&[b"invalid ipv6only flags \"", value, b"\""]);
                return Err(Problem::new(text).at(word.span).help("accepted: on, off"));
            }
        };
        // On an IPv4 address of http it counts as a socket option without effect, as in nginx.
        self.options.ipv6only = Some(value);
        Ok(())
    }
}

impl Family {
    const fn words(self) -> &'static str {
        match self {
            Family::Http => {
                "default_server, ssl, http2, proxy_protocol, bind, reuseport, backlog=, rcvbuf=, sndbuf=, ipv6only=, \
                 so_keepalive=, deferred, fastopen="
            }
            Family::Rtmp => {
                "default_server, ssl, http2, proxy_protocol, bind, reuseport, backlog=, rcvbuf=, sndbuf=, \
                 ipv6only=, so_keepalive=, deferred, fastopen="
            }
        }
    }
}

fn unknown(word: &Word, family: Family) -> Problem {
    let text = match family {
        Family::Http => sentence(&[b"invalid parameter \"", &word.bytes, b"\""]),
        Family::Rtmp => sentence(&[b"the invalid \"", &word.bytes, b"\" parameter"]),
    };
    let problem = Problem::new(text).at(word.span);
    let typed: &[u8] = &word.bytes;
    let (name, value) = match typed.iter().position(|b| *b == b'=') {
        Some(at) => typed.split_at(at),
        None => (typed, &[][..]),
    };
    let known = family.words().split(", ").filter(|known| known.ends_with('=') != value.is_empty());
    match suggest::nearest(name, known.map(|known| known.trim_end_matches('='))) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("accepted: {}", family.words())),
    }
}

fn size(value: &[u8], word: &Word, name: &str) -> Result<u64, Problem> {
    number::size(value).ok_or_else(|| invalid(word, name))
}

/// nginx shows the whole word.
fn invalid(word: &Word, name: &str) -> Problem {
    let text = sentence(&[b"invalid ", name.as_bytes(), b" \"", &word.bytes, b"\""]);
    Problem::new(text).at(word.span)
}

/// Parses `on`, `off` or `[IDLE]:[INTERVAL]:[PROBES]`, of which at least one must be given and not be 0. Final colons may
/// be left out, as in nginx.
fn keepalive(value: &[u8], word: &Word) -> Result<Keepalive, Problem> {
    let bad = || {
        let text = sentence(&[b"invalid so_keepalive value: \"", value, b"\""]);
        Problem::new(text).at(word.span).help("accepted: on, off, or idle:interval:probes such as 30m::10")
    };
    match value {
        b"on" => return Ok(Keepalive { on: true, ..Keepalive::default() }),
        b"off" => return Ok(Keepalive::default()),
        _ => {}
    }
    let mut parts = value.splitn(3, |b| *b == b':');
    let mut next = |read: fn(&[u8]) -> Option<u64>| match parts.next() {
        None | Some([]) => Ok(None),
        Some(text) => read(text).map(|n| Some(n).filter(|n| *n > 0)).ok_or_else(bad),
    };
    let (idle_seconds, interval_seconds) = (next(number::sec)?, next(number::sec)?);
    let probes = next(number::digits)?;
    if (idle_seconds, interval_seconds, probes) == (None, None, None) {
        return Err(bad());
    }
    Ok(Keepalive { on: true, idle_seconds, interval_seconds, probes })
}
