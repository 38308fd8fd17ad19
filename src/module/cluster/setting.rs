//! Values of the cluster's directives.

use std::path::PathBuf;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use crate::directive::word::one_of;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::limits;
use crate::syntax::{Problem, Word, sentence};

/// Name of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClusterName(pub(super) BString);

/// Name of a server or zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeId(pub String);

/// Addresses of etcd: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdAddresses(pub Vec<String>);

/// Files of TLS to etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdTls {
    /// CA certificates.
    pub ca: Option<PathBuf>,
    /// Own certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// User of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdUser {
    /// Name.
    pub name: String,
    /// File with the password.
    pub password: PathBuf,
}

/// Addresses of a server for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Addresses with scheme and without path.
    pub addresses: Vec<String>,
    /// Zone whose servers prefer them.
    pub zone: Option<String>,
}

/// `off` or `after TIME`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takeover(pub Option<Duration>);

one_of! {
    /// New publishers while etcd cannot be reached.
    pub enum RegistryDown {
        /// They may publish.
        "accept" => Accept,
        /// They are refused.
        "refuse" => Refuse,
    }
}

impl Advertised {
    /// Addresses to pull from.
    pub fn rtmp(&self) -> impl Iterator<Item = &String> {
        self.addresses.iter().filter(|address| address.starts_with("rtmp"))
    }
}

impl Value for ClusterName {
    fn syntax() -> String {
        "name".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<ClusterName, Problem> {
        if !cfg!(feature = "cluster") {
            let problem = args.refuse("needs a pingosd that is built with the cluster feature");
            return Err(problem.help("cargo build --features cluster"));
        }
        Ok(ClusterName(name(args.first())?.into()))
    }
}

impl Value for NodeId {
    fn syntax() -> String {
        "name".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<NodeId, Problem> {
        name(args.first()).map(NodeId)
    }
}

impl Value for EtcdAddresses {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "http[s]://host:port ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<EtcdAddresses, Problem> {
        args.words
            .iter()
            .map(|word| address(word, &["http", "https"]))
            .collect::<Result<_, _>>()
            .map(EtcdAddresses)
    }
}

impl Value for EtcdTls {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "[ca=file] [cert=file key=file]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<EtcdTls, Problem> {
        let (mut ca, mut cert, mut key) = (None, None, None);
        for word in args.words {
            let (name, path) = word.bytes.split_once_str("=").ok_or_else(|| invalid(word))?;
            let field = match name {
                b"ca" => &mut ca,
                b"cert" => &mut cert,
                b"key" => &mut key,
                _ => return Err(invalid(word).help("accepted: ca=, cert=, key=")),
            };
            *field = Some(evaluation.under_prefix(path));
        }
        match (cert, key) {
            (None, None) => Ok(EtcdTls { ca, identity: None }),
            (Some(cert), Some(key)) => Ok(EtcdTls { ca, identity: Some((cert, key)) }),
            _ => Err(args.refuse("needs cert= and key= together")),
        }
    }
}

impl Value for EtcdUser {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "name file".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<EtcdUser, Problem> {
        let user = args.first().bytes.to_str().map_err(|_| invalid(args.first()))?.to_owned();
        let file = args.words.get(1).unwrap_or(args.name);
        Ok(EtcdUser { name: user, password: evaluation.under_prefix(&file.bytes) })
    }
}

impl Value for Advertised {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "rtmp[s]://host[:port] | http[s]://host[:port] ... [zone=name]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Advertised, Problem> {
        let mut advertised = Advertised { addresses: Vec::new(), zone: None };
        for word in args.words {
            match word.bytes.strip_prefix(b"zone=") {
                Some(zone) => advertised.zone = Some(plain(zone).ok_or_else(|| invalid(word))?),
                None => advertised.addresses.push(address(word, &["rtmp", "rtmps", "http", "https"])?),
            }
        }
        match advertised.addresses.len() {
            0 => Err(args.refuse("needs an address")),
            count if count > limits::CLUSTER_ADDRESSES => Err(args.refuse("has too many addresses")),
            _ => Ok(advertised),
        }
    }
}

impl Value for Takeover {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | after time".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Takeover, Problem> {
        match args.words {
            [word] if word.is("off") => Ok(Takeover(None)),
            [word, time] if word.is("after") => match number::msec(&time.bytes) {
                Some(msec) => Ok(Takeover(Some(Duration::from_millis(msec)))),
                None => Err(invalid(time).caption("a time such as 10s")),
            },
            _ => Err(args.refuse("invalid value").help("accepted: off, after TIME")),
        }
    }
}

/// A name that is a part of keys.
fn name(word: &Word) -> Result<String, Problem> {
    plain(&word.bytes)
        .ok_or_else(|| invalid(word).caption("letters, digits, \"-\", \"_\" and \".\", at most 64"))
}

fn plain(bytes: &[u8]) -> Option<String> {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    let fits = !bytes.is_empty() && bytes.len() <= 64 && bytes.iter().all(is_plain);
    fits.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// An address with one of these schemes, and without a path.
fn address(word: &Word, schemes: &[&str]) -> Result<String, Problem> {
    let text = word.bytes.to_str().map_err(|_| invalid(word))?.trim_end_matches('/');
    let (scheme, authority) = text.split_once("://").unwrap_or(("", ""));
    let scheme = scheme.to_ascii_lowercase();
    if !schemes.contains(&scheme.as_str()) {
        let accepted: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
        return Err(invalid(word).help(format!("accepted: {}", accepted.join(", "))));
    }
    let is_fit = !authority.is_empty()
        && text.len() <= limits::CLUSTER_ADDRESS_BYTES
        && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b));
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map(|(_, port)| port);
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if !is_fit || port.is_some_and(|port| !is_port(port)) {
        return Err(invalid(word).caption("SCHEME://HOST:PORT"));
    }
    Ok(format!("{scheme}://{authority}"))
}

fn invalid(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""])).at(word.span)
}
