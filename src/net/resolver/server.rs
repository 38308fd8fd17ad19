//! The `resolver` directive of events and http.

use bstr::BString;

use crate::directive::address::{AddressError, literal_addr};
use crate::directive::{Args, Arity, Evaluation, ListenAddr, Sec, Value, number};
use crate::syntax::{Problem, sentence};

/// Default port of name servers.
pub const PORT: u16 = 53;

/// Name servers and lifetime of their answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// The servers as written: addresses or names, optionally with a port.
    pub servers: Vec<BString>,
    /// Lifetime of answers, overriding their TTL.
    pub valid: Option<Sec>,
    /// Whether IPv4 addresses are queried.
    pub ipv4: bool,
    /// Whether IPv6 addresses are queried.
    pub ipv6: bool,
}

impl Value for Resolver {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "address[:port] ... [valid=time] [ipv4=on|off] [ipv6=on|off]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Resolver, Problem> {
        let mut resolver = Resolver { ipv4: true, ipv6: true, ..Resolver::default() };
        for word in args.words {
            let invalid = || {
                let text = sentence(&[b"invalid parameter: ", &word.bytes]);
                Problem::new(text).at(word.span)
            };
            if let Some(time) = word.bytes.strip_prefix(b"valid=") {
                resolver.valid = Some(number::sec(time).map(Sec).ok_or_else(invalid)?);
            } else if let Some(flag) = word.bytes.strip_prefix(b"ipv4=") {
                resolver.ipv4 = on_off(flag).ok_or_else(|| invalid().help("accepted: ipv4=on, ipv4=off"))?;
            } else if let Some(flag) = word.bytes.strip_prefix(b"ipv6=") {
                resolver.ipv6 = on_off(flag).ok_or_else(|| invalid().help("accepted: ipv6=on, ipv6=off"))?;
            } else {
                match literal_addr(&word.bytes, PORT) {
                    Ok(ListenAddr::Tcp(_)) => {}
                    Ok(ListenAddr::Unix(_)) => return Err(invalid()),
                    // A name is resolved when it is needed; this is none, but a parameter that does not exist.
                    Err(AddressError::HostNotFound) if !word.bytes.contains(&b'=') => {}
                    Err(reason) => {
                        let text = sentence(&[
                            reason.to_string().as_bytes(),
                            b" in resolver \"",
                            &word.bytes,
                            b"\"",
                        ]);
                        return Err(Problem::new(text).at(word.span));
                    }
                }
                resolver.servers.push(word.text().to_owned());
            }
        }
        if resolver.servers.is_empty() {
            return Err(Problem::new("no name servers defined").at(args.span()));
        }
        if !resolver.ipv4 && !resolver.ipv6 {
            let text = r#""ipv4" and "ipv6" cannot both be "off""#;
            return Err(Problem::new(text).at(args.span()));
        }
        Ok(resolver)
    }
}

fn on_off(flag: &[u8]) -> Option<bool> {
    match flag {
        b"on" => Some(true),
        b"off" => Some(false),
        _ => None,
    }
}
