//! `proxy_bind`: the local address of connections to backends.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use bstr::ByteSlice;

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::http::variable::{Template, Templates};
use crate::syntax::{Problem, sentence};

/// An address with variables, and perhaps `transparent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyBind(pub Vec<Template>);

impl Value for ProxyBind {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "address[:port] [transparent] | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ProxyBind, Problem> {
        let (address, how) = (args.first(), args.words.get(1));
        let is_off = address.is("off") && how.is_none();
        if !is_off && !address.bytes.contains(&b'$') && read(&address.bytes).is_none() {
            let text = sentence(&[b"invalid address \"", &address.bytes, b"\""]);
            return Err(Problem::new(text).at(address.span));
        }
        if let Some(how) = how.filter(|how| &how.bytes[..] != b"transparent") {
            let text = sentence(&[b"invalid parameter \"", &how.bytes, b"\""]);
            return Err(Problem::new(text).at(how.span).help("accepted: transparent"));
        }
        Templates::parse(args, evaluation).map(|words| ProxyBind(words.0))
    }
}

/// Reads an address with or without a port.
pub(super) fn read(text: &[u8]) -> Option<SocketAddr> {
    let text = text.to_str().ok()?;
    let with_port = SocketAddr::from_str(text).ok();
    with_port.or_else(|| IpAddr::from_str(text).ok().map(|ip| SocketAddr::new(ip, 0)))
}
