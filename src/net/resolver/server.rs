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
    /// Whether IPv6 addresses are queried.
    pub ipv6: bool,
}

impl Value for Resolver {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "address[:port] ... [valid=time] [ipv6=on|off]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Resolver, Problem> {
        let mut resolver = Resolver { ipv6: true, ..Resolver::default() };
        for word in args.words {
            let invalid = || {
                let text = sentence(&[b"invalid parameter: ", &word.bytes]);
                Problem::new(text).at(word.span)
            };
            if let Some(time) = word.bytes.strip_prefix(b"valid=") {
                resolver.valid = Some(number::sec(time).map(Sec).ok_or_else(invalid)?);
            } else if let Some(flag) = word.bytes.strip_prefix(b"ipv6=") {
                resolver.ipv6 = match flag {
                    b"on" => true,
                    b"off" => false,
                    _ => return Err(invalid().help("accepted: ipv6=on, ipv6=off")),
                };
            } else {
                match literal_addr(&word.bytes, PORT) {
                    // A name is resolved when it is needed.
                    Ok(ListenAddr::Tcp(_)) | Err(AddressError::HostNotFound) => {}
                    Ok(ListenAddr::Unix(_)) => return Err(invalid()),
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
        Ok(resolver)
    }
}
