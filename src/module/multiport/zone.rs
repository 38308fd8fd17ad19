//! Values about individual worker processes; here there is only one process.

use std::net::SocketAddr;

use bstr::{BString, ByteSlice};

use crate::directive::address::{literal_addr, strip_unix};
use crate::directive::{Args, Arity, Evaluation, ListenAddr, Value, number};
use crate::syntax::{Problem, Word, sentence};

/// Default port.
const DEFAULT_PORT: u16 = 80;

/// `multi_listen`: a further socket for each worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiListen {
    /// Socket of the first worker; the worker's number is appended to the path or added to the port.
    pub base: ListenAddr,
    /// `listen` address whose connections it accepts.
    pub related: ListenAddr,
}

/// `stream_zone`: table of streams shared by worker processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamZone {
    /// Number of hash buckets.
    pub buckets: u64,
    /// Number of streams.
    pub streams: u64,
}

/// `broadcast`: where the workers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastTarget {
    /// Base of the workers' sockets, as in `multi_listen`.
    pub base: BString,
    /// Path of the subrequests, before the worker's address.
    pub uri: BString,
}

/// `broadcast_rewrite_prefix`: a prefix and what replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixPair {
    /// Text to look for.
    pub old: BString,
    /// Text that replaces it.
    pub new: BString,
}

/// Address of a worker's socket: its number is appended to the path of a unix socket or added to the port. `None` if
/// there is no such address.
pub fn worker_address(base: &[u8], worker: usize) -> Option<BString> {
    if strip_unix(base).is_some_and(|path| !path.is_empty()) {
        return Some(format!("{}.{worker}", base.as_bstr()).into());
    }
    let (host, port) = base.split_at(base.rfind_byte(b':').map_or(0, |colon| colon + 1));
    let port = number::digits(port)?.checked_add(u64::try_from(worker).ok()?)?;
    let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
    Some(format!("{}{port}", host.as_bstr()).into())
}

/// As [`worker_address`], of an address that was parsed.
pub fn worker_listen(base: &ListenAddr, worker: usize) -> Option<ListenAddr> {
    match base {
        ListenAddr::Unix(path) => {
            let mut path = path.clone().into_os_string();
            path.push(format!(".{worker}"));
            Some(ListenAddr::Unix(path.into()))
        }
        ListenAddr::Tcp(addr) => {
            let port = addr.port().checked_add(u16::try_from(worker).ok()?)?;
            Some(ListenAddr::Tcp(SocketAddr::new(addr.ip(), port)))
        }
    }
}

impl Value for BroadcastTarget {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "base-address uri".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<BroadcastTarget, Problem> {
        let [base, uri] = args.words else { return Err(args.refuse("takes an address and a URI")) };
        Ok(BroadcastTarget { base: base.text().to_owned(), uri: uri.text().to_owned() })
    }
}

impl Value for PrefixPair {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "old new".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<PrefixPair, Problem> {
        let [old, new] = args.words else { return Err(args.refuse("takes two texts")) };
        Ok(PrefixPair { old: old.text().to_owned(), new: new.text().to_owned() })
    }
}

impl Value for MultiListen {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "base-address address".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<MultiListen, Problem> {
        let [base, related] = args.words else { return Err(args.refuse("takes two addresses")) };
        Ok(MultiListen { base: address(base, "baseport")?, related: address(related, "relationport")? })
    }
}

impl Value for StreamZone {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "buckets=number streams=number".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<StreamZone, Problem> {
        let mut zone = StreamZone::default();
        for word in args.words {
            let (field, name, value) = match word.bytes.split_once_str("=") {
                Some((b"buckets", value)) => (&mut zone.buckets, "buckets", value),
                Some((b"streams", value)) => (&mut zone.streams, "streams", value),
                _ => {
                    let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                    return Err(Problem::new(text).at(word.span).help("accepted: buckets=, streams="));
                }
            };
            let count = number::digits(value).filter(|n| *n > 0);
            *field = count.ok_or_else(|| {
                let text = sentence(&[b"invalid ", name.as_bytes(), b" \"", &word.bytes, b"\""]);
                Problem::new(text).at(word.span_of(value)).caption("a number from 1")
            })?;
        }
        Ok(zone)
    }
}

fn address(word: &Word, role: &str) -> Result<ListenAddr, Problem> {
    literal_addr(&word.bytes, DEFAULT_PORT).map_err(|reason| {
        let text = sentence(&[
            reason.to_string().as_bytes(),
            b" in \"",
            &word.bytes,
            b"\" of the \"multi_listen ",
            role.as_bytes(),
            b"\" directive",
        ]);
        Problem::new(text).at(word.span).help("an address as `listen` takes it: port, host:port or unix:path")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_workers_have_the_addresses_that_broadcast_asks() {
        let parsed = |text: &str| literal_addr(text.as_bytes(), DEFAULT_PORT).unwrap();
        for base in ["unix:/tmp/http", "127.0.0.1:9000", "[::1]:9000", "9000"] {
            let asked = worker_address(base.as_bytes(), 3).unwrap();
            assert_eq!(worker_listen(&parsed(base), 3), Some(parsed(&asked.to_string())), "{base}");
        }
        assert_eq!(worker_listen(&parsed("127.0.0.1:65535"), 1), None);
        assert_eq!(worker_listen(&parsed("9000"), 70_000), None);
    }

    #[test]
    fn addresses_of_workers() {
        for (base, worker, address) in [
            ("unix:/tmp/http", 0, Some("unix:/tmp/http.0")),
            ("unix:/tmp/http", 12, Some("unix:/tmp/http.12")),
            ("9000", 2, Some("9002")),
            ("127.0.0.1:9000", 1, Some("127.0.0.1:9001")),
            ("[::1]:9000", 1, Some("[::1]:9001")),
            ("65535", 0, Some("65535")),
            ("65535", 1, None),
            ("99999999999999999999", 0, None),
            ("unix:", 0, None),
            ("/a", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(worker_address(base.as_bytes(), worker), address.map(Into::into), "{base} {worker}");
        }
    }
}
