//! Servers of a group.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use bstr::ByteSlice;

use super::balance::{self, Supports, UpstreamBalance};
use crate::directive::address::strip_unix;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::upstream::peers::{Server, ServerPlace};
use crate::http::variable::Template;
use crate::syntax::{Problem, Word, sentence, suggest};

/// Parameters after an address.
const PARAMETERS: [&str; 11] = [
    "weight",
    "max_conns",
    "max_fails",
    "fail_timeout",
    "slow_start",
    "backup",
    "down",
    "drain",
    "route",
    "resolve",
    "service",
];

/// Maximum length of a route in bytes, as in nginx.
const ROUTE: usize = 32;

/// One server of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamServer(pub Server);

/// `hash`: requests with the same key go to the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashBalance {
    /// The key.
    pub key: Template,
    /// Whether most keys keep their server when the group changes.
    pub consistent: bool,
}

impl Value for UpstreamServer {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "address [weight=number] [max_conns=number] [max_fails=number] [fail_timeout=time] [slow_start=time] \
         [backup] [down] [drain] [route=string] [resolve] [service=name]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<UpstreamServer, Problem> {
        let place = place(args.first())?;
        let mut server = Server::plain(args.first().text().to_owned(), place);
        let mut service = None;
        for word in args.words.get(1..).unwrap_or_default() {
            let count = |value| number::digits(value).ok_or_else(|| invalid(word).caption("a number"));
            match word.bytes.split_once_str("=") {
                Some((b"weight", b"0")) => return Err(invalid(word).caption("at least 1")),
                Some((b"weight", value)) => {
                    server.weight = u32::try_from(count(value)?).unwrap_or(u32::MAX);
                }
                Some((b"max_conns", value)) => server.max_conns = count(value)?,
                Some((b"max_fails", value)) => server.max_fails = count(value)?,
                Some((b"fail_timeout", value)) => {
                    server.fail_timeout = number::sec(value).ok_or_else(|| invalid(word))?;
                }
                Some((b"slow_start", value)) => {
                    if evaluation.block.of::<UpstreamBalance>().without_slow_start {
                        return Err(unsupported(word));
                    }
                    server.slow_start = number::msec(value).ok_or_else(|| invalid(word))?;
                }
                Some((b"route", b"")) => return Err(invalid(word).caption("the route is missing")),
                Some((b"route", value)) if value.len() > ROUTE => {
                    return Err(invalid(word).caption(format!("at most {ROUTE} bytes")));
                }
                Some((b"route", value)) => server.route = value.into(),
                None if &word.bytes[..] == b"backup" => {
                    if evaluation.block.of::<UpstreamBalance>().without_backup {
                        return Err(unsupported(word));
                    }
                    server.backup = true;
                }
                None if &word.bytes[..] == b"down" => server.down = true,
                None if &word.bytes[..] == b"drain" => server.drain = true,
                None if &word.bytes[..] == b"resolve" => server.resolve = true,
                Some((b"service", b"")) => return Err(invalid(word).caption("the service is missing")),
                Some((b"service", value)) => service = Some(value),
                _ => return Err(unknown(word)),
            }
        }
        if let Some(service) = service {
            server.place = of_service(args.first(), service, &server)?;
        }
        Ok(UpstreamServer(server))
    }
}

impl Value for HashBalance {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "key [consistent]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HashBalance, Problem> {
        let key = Template::compile(args.first(), &args.first().bytes, evaluation)?;
        balance::note(args, evaluation, Supports::NEITHER);
        match args.words.get(1) {
            None => Ok(HashBalance { key, consistent: false }),
            Some(word) if &word.bytes[..] == b"consistent" => Ok(HashBalance { key, consistent: true }),
            Some(word) => Err(invalid(word).help("accepted: consistent")),
        }
    }

    fn may_repeat(&self) -> bool {
        true
    }
}

/// Port of a server without one.
const PORT: u16 = 80;

/// Where an address is; names are looked up when they are needed.
fn place(word: &Word) -> Result<ServerPlace, Problem> {
    let refuse = |reason: &[u8]| {
        let text = sentence(&[reason, b" in upstream \"", &word.bytes, b"\""]);
        Problem::new(text).at(word.span)
    };
    if let Some(path) = strip_unix(&word.bytes) {
        if path.is_empty() {
            return Err(refuse(b"no path in the unix domain socket"));
        }
        return Ok(ServerPlace::Unix(OsStr::from_bytes(path).into()));
    }
    let (host, port) = match word.bytes.strip_prefix(b"[") {
        Some(rest) => match rest.split_once_str("]:") {
            Some((host, port)) => (host, Some(port)),
            None => (rest.strip_suffix(b"]").unwrap_or(rest), None),
        },
        None => match word.bytes.split_once_str(":") {
            Some((host, port)) => (host, Some(port)),
            None => (&word.bytes[..], None),
        },
    };
    let port = match port {
        None => PORT,
        Some(port) => {
            let number = number::digits(port).and_then(|port| u16::try_from(port).ok());
            number.filter(|port| *port > 0).ok_or_else(|| refuse(b"invalid port"))?
        }
    };
    if host.is_empty() {
        return Err(refuse(b"no host"));
    }
    if host.find_byteset(b"/?").is_some() {
        return Err(refuse(b"invalid host"));
    }
    let address = host.to_str().ok().and_then(|host| host.parse::<IpAddr>().ok());
    Ok(match address {
        Some(ip) => ServerPlace::Address(SocketAddr::new(ip, port)),
        None if word.bytes.starts_with(b"[") => return Err(refuse(b"invalid IPv6 address")),
        None => ServerPlace::Name(host.into(), port),
    })
}

/// Where the hosts of a service are, which DNS tells.
fn of_service(word: &Word, service: &[u8], server: &Server) -> Result<ServerPlace, Problem> {
    let refuse = |reason: &[u8]| {
        let text = sentence(&[b"service upstream \"", &word.bytes, b"\" ", reason]);
        Err(Problem::new(text).at(word.span))
    };
    let ServerPlace::Name(host, _) = &server.place else { return refuse(b"requires domain name") };
    if host.len() < word.bytes.len() {
        return refuse(b"may not have port");
    }
    if !server.resolve {
        return refuse(b"requires \"resolve\" parameter");
    }
    let name = match service.contains(&b'.') {
        true => [service, b".", host].concat(),
        false => [b"_", service, b"._tcp.", host].concat(),
    };
    Ok(ServerPlace::Service(name.into()))
}

/// Error about an unknown parameter of a server.
fn unknown(word: &Word) -> Problem {
    let name = word.bytes.split_once_str("=").map_or(&word.bytes[..], |(name, _)| name);
    match suggest::nearest(name, PARAMETERS.into_iter()) {
        Some(near) => invalid(word).help(format!("did you mean `{near}`?")),
        None => invalid(word).help(format!("accepted: {}", PARAMETERS.join(", "))),
    }
}

/// Error about a parameter that the method of the group has no use for.
fn unsupported(word: &Word) -> Problem {
    let text = sentence(&[b"balancing method does not support parameter \"", &word.bytes, b"\""]);
    Problem::new(text).at(word.span)
}

fn invalid(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""])).at(word.span)
}
