//! One `push` or `pull` line.

use bstr::{BString, ByteSlice};

use crate::directive::address::{AddressError, strip_unix};
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::syntax::{Problem, Span, Word, sentence};

/// Schemes of relay addresses.
const SCHEMES: [&str; 4] = ["rtmp", "rtmps", "http", "https"];

/// Addresses and arguments of a relay. Missing arguments are taken from the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RelayTarget {
    /// Addresses; the later ones are alternatives.
    pub urls: Vec<BString>,
    /// `domain=`: host in the tcUrl.
    pub domain: Option<BString>,
    /// `app=`
    pub app: Option<BString>,
    /// `name=`
    pub name: Option<BString>,
    /// `pargs=`: query string of the stream.
    pub pargs: Option<BString>,
    /// `referer=`: pageUrl.
    pub referer: Option<BString>,
    /// `user_agent=`: flashVer.
    pub user_agent: Option<BString>,
}

/// The first `pull` line with an address in the block.
#[derive(Default)]
struct FirstPull(Option<Span>);

impl Value for RelayTarget {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "rtmp[s]://host[:port][/app[/name]][?query] | http[s]://host[:port][/location][/name][?query] ... [domain=host] [app=name] [name=stream] [pargs=query] [referer=url] \
         [user_agent=text]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<RelayTarget, Problem> {
        let mut relay = RelayTarget::default();
        for word in args.words {
            relay.read(word, args, evaluation)?;
        }
        if &args.name.bytes[..] == b"pull" && !relay.urls.is_empty() {
            let FirstPull(pulled) = evaluation.block.of::<FirstPull>();
            if let Some(first) = *pulled {
                let problem = args.refuse("is duplicate").label(first, "first given here");
                return Err(problem.help("an application pulls from one origin"));
            }
            *pulled = Some(args.span());
        }
        Ok(relay)
    }
}

impl RelayTarget {
    fn read(&mut self, word: &Word, args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<(), Problem> {
        let refuse = |text: &str| Problem::new(args.refuse(text).into_diagnostic().sentence).at(word.span);
        if let Some((scheme, rest)) = word.bytes.split_once_str("://")
            && SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()))
        {
            check_host(rest).map_err(|why| refuse(&why.to_string()))?;
            // Other than host and port, this is what a relay checks in an address.
            if rest.iter().any(|b| *b <= b' ' || *b == 0x7F) {
                return Err(refuse("a blank or control byte in the address").help("write it as %20"));
            }
            if &args.name.bytes[..] == b"push" && scheme.eq_ignore_ascii_case(b"https") {
                return Err(
                    refuse("only RTMP can be pushed to").help("accepted: rtmp:// and rtmps:// addresses")
                );
            }
            if &args.name.bytes[..] == b"push" && scheme.eq_ignore_ascii_case(b"http") {
                let text = sentence(&[
                    b"\"push\" to \"",
                    word.text(),
                    b"\" never works, only RTMP can be pushed to",
                ]);
                evaluation.report(Problem::warning(text).at(word.span));
            }
            self.urls.push(word.text().to_owned());
            return Ok(());
        }
        let field = word.bytes.split_once_str("=").and_then(|(name, value)| {
            let field = match name.to_ascii_lowercase().as_slice() {
                b"domain" => &mut self.domain,
                b"app" => &mut self.app,
                b"name" => &mut self.name,
                b"pargs" => &mut self.pargs,
                b"referer" => &mut self.referer,
                b"user_agent" => &mut self.user_agent,
                _ => return None,
            };
            Some((field, value))
        });
        let Some((field, value)) = field else {
            return Err(refuse("unsupported parameter format").help(
                "accepted: rtmp://, rtmps://, http:// or https:// addresses, domain=, app=, name=, pargs=, referer=, user_agent=",
            ));
        };
        *field = Some(value.into());
        Ok(())
    }
}

/// Reason why a relay cannot use an address.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum RelayHostError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("unix addresses are not supported")]
    Unix,
}

/// Checks host and port of an address.
fn check_host(rest: &[u8]) -> Result<(), RelayHostError> {
    if strip_unix(rest).is_some() {
        return Err(RelayHostError::Unix);
    }
    let authority = rest.split(|b| *b == b'/').next().unwrap_or_default();
    let (host, port) = match (authority.first(), authority.rfind_byte(b':')) {
        (Some(b'['), _) => match authority.find_byte(b']') {
            Some(close) => (&authority[..=close], authority[close + 1..].strip_prefix(b":")),
            None => return Err(AddressError::InvalidHost.into()),
        },
        (_, Some(colon)) => (&authority[..colon], Some(&authority[colon + 1..])),
        (_, None) => (authority, None),
    };
    let valid = |port: &[u8]| number::digits(port).is_some_and(|p| (1..=65535).contains(&p));
    if port.is_some_and(|port| !valid(port)) {
        return Err(AddressError::InvalidPort.into());
    }
    if host.is_empty() { Err(AddressError::NoHost.into()) } else { Ok(()) }
}
