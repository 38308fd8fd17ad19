//! The value of `sticky`.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;

use super::cookie::{CookieExpiry, SAME_SITE, StickyCookie, is_same_site};
use super::sessions::SessionZone;
use crate::directive::{Args, Arity, Evaluation, Text, Value, number};
use crate::http::variable::{Template, Variable, VariableNames};
use crate::module::upstream::balance;
use crate::syntax::{Problem, Span, Word, sentence};

/// How requests are bound to servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// `cookie`
    #[expect(private_interfaces, reason = "what it holds is read in this folder only")]
    Cookie(Arc<StickyCookie>),
    /// `route`
    Route(Vec<Variable>),
    /// `learn`
    #[expect(private_interfaces, reason = "what it holds is read in this folder only")]
    Learn(Arc<Learn>),
}

/// `sticky learn`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Learn {
    /// Variables with the names of sessions that begin.
    pub(super) create: Vec<Variable>,
    /// Variables with the names of sessions that exist.
    pub(super) lookup: Vec<Variable>,
    pub(super) zone: SessionZone,
    /// Milliseconds without use after which a session is forgotten.
    pub(super) timeout: u64,
    /// Whether a session begins with the head of the response, otherwise with its end.
    pub(super) after_headers: bool,
}

/// Zones of `learn` with the names of their groups.
#[derive(Default)]
struct ZonesInUse(HashMap<BString, (BString, Span)>);

/// Smallest zone in bytes: eight pages, as in nginx.
const SMALLEST: u64 = 8 * 4096;
/// Milliseconds of a session, if none are given.
const TIMEOUT: u64 = 600_000;

impl Value for Sticky {
    const ARITY: Arity = Arity::from(2);

    fn syntax() -> String {
        "cookie name [expires=time | max] [domain=text] [httponly] [secure] [samesite=strict | lax | none] [path=path] | \
         route $variable ... | \
         learn create=$variable lookup=$variable zone=name:size [timeout=time] [header]"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Sticky, Problem> {
        balance::occupy(evaluation);
        let rest = args.words.get(1..).unwrap_or_default();
        match &args.first().bytes[..] {
            b"cookie" => cookie(args, rest, evaluation).map(|cookie| Sticky::Cookie(Arc::new(cookie))),
            b"route" => {
                let variables = rest.iter().map(|word| variable(word, &word.bytes, evaluation));
                variables.collect::<Result<_, _>>().map(Sticky::Route)
            }
            b"learn" => learn(args, rest, evaluation).map(|learn| Sticky::Learn(Arc::new(learn))),
            _ => Err(unknown(args.first()).help("accepted: cookie, route, learn")),
        }
    }
}

/// Reads `$name`, a part of a word.
fn variable(word: &Word, text: &[u8], evaluation: &mut Evaluation<'_>) -> Result<Variable, Problem> {
    let Some(name) = text.strip_prefix(b"$").filter(|name| !name.is_empty()) else {
        return Err(Problem::new(sentence(&[b"invalid variable name \"", text, b"\""])).at(word.span));
    };
    let name: BString = name.to_ascii_lowercase().into();
    evaluation.notes.of::<VariableNames>().used(&name, word.span);
    Ok(Variable::find(&name))
}

fn unknown(word: &Word) -> Problem {
    Problem::new(sentence(&[b"unknown parameter \"", &word.bytes, b"\""])).at(word.span)
}

/// Sets a parameter that stands once.
fn set<T>(to: &mut Option<T>, value: T, name: &str, args: &Args<'_>) -> Result<(), Problem> {
    match to.replace(value) {
        Some(_) => Err(args.refuse(&format!("parameter \"{name}\" is duplicate"))),
        None => Ok(()),
    }
}

fn cookie(args: &Args<'_>, words: &[Word], evaluation: &mut Evaluation<'_>) -> Result<StickyCookie, Problem> {
    let [name, words @ ..] = words else { return Err(args.refuse("empty cookie name")) };
    if name.bytes.is_empty() {
        return Err(args.refuse("empty cookie name"));
    }
    let mut cookie = StickyCookie { name: name.bytes.as_ref().into(), ..StickyCookie::default() };
    let (mut http_only, mut secure) = (None, None);
    for word in words {
        let value = |prefix: &str| word.bytes.strip_prefix(prefix.as_bytes());
        if let Some(text) = value("domain=") {
            if text.is_empty() {
                return Err(args.refuse("no value for \"domain\""));
            }
            set(&mut cookie.domain, Template::compile(word, text, evaluation)?, "domain", args)?;
        } else if let Some(text) = value("path=") {
            if text.is_empty() {
                return Err(args.refuse("no value for \"path\""));
            }
            set(&mut cookie.path, text.into(), "path", args)?;
        } else if let Some(text) = value("expires=") {
            let expires = match text {
                b"max" => Some(CookieExpiry::Max),
                text => number::sec(text).map(CookieExpiry::Seconds),
            };
            let expires = expires.ok_or_else(|| args.refuse("invalid \"expires\" parameter value"))?;
            set(&mut cookie.expires, expires, "expires", args)?;
        } else if let Some(text) = value("samesite=") {
            let template = Template::compile(word, text, evaluation)?;
            if template.literal().is_some() && !is_same_site(text) {
                let help = format!("accepted: {}", SAME_SITE.join(", "));
                return Err(args.refuse("invalid \"samesite\" parameter value").help(help));
            }
            set(&mut cookie.same_site, template, "samesite", args)?;
        } else if &word.bytes[..] == b"httponly" {
            set(&mut http_only, (), "httponly", args)?;
        } else if &word.bytes[..] == b"secure" {
            set(&mut secure, (), "secure", args)?;
        } else {
            return Err(unknown(word).help("accepted: expires, domain, httponly, secure, samesite, path"));
        }
    }
    (cookie.is_http_only, cookie.is_secure) = (http_only.is_some(), secure.is_some());
    Ok(cookie)
}

fn learn(args: &Args<'_>, words: &[Word], evaluation: &mut Evaluation<'_>) -> Result<Learn, Problem> {
    let (mut create, mut lookup) = (Vec::new(), Vec::new());
    let (mut zone, mut timeout, mut after_headers) = (None, None, false);
    for word in words {
        let value = |prefix: &str| word.bytes.strip_prefix(prefix.as_bytes());
        let missing = |name: &str| args.refuse(&format!("missing variable in the \"{name}\" parameter"));
        if let Some(text) = value("zone=") {
            if zone.is_some() {
                return Err(args.refuse("duplicate zone"));
            }
            zone = Some((session_zone(args, text)?, word.span));
        } else if let Some(text) = value("timeout=") {
            if timeout.is_some() {
                return Err(args.refuse("duplicate timeout"));
            }
            let msec = number::msec(text).filter(|msec| *msec > 0);
            timeout = Some(msec.ok_or_else(|| args.refuse("invalid timeout"))?);
        } else if let Some(text) = value("create=") {
            let text = Some(text).filter(|text| text.starts_with(b"$")).ok_or_else(|| missing("create"))?;
            create.push(variable(word, text, evaluation)?);
        } else if let Some(text) = value("lookup=") {
            let text = Some(text).filter(|text| text.starts_with(b"$")).ok_or_else(|| missing("lookup"))?;
            lookup.push(variable(word, text, evaluation)?);
        } else if &word.bytes[..] == b"header" {
            after_headers = true;
        } else if &word.bytes[..] == b"sync" {
            return Err(unknown(word).help("sessions are not synchronized between servers"));
        } else {
            return Err(unknown(word).help("accepted: create, lookup, zone, timeout, header"));
        }
    }
    let absent = |name: &str| args.refuse(&format!("\"{name}\" parameter is not specified"));
    if lookup.is_empty() {
        return Err(absent("lookup"));
    }
    if create.is_empty() {
        return Err(absent("create"));
    }
    let (zone, span) = zone.ok_or_else(|| absent("zone"))?;
    let group = evaluation.head::<Text>().map(|name| name.0.clone()).unwrap_or_default();
    let zones = &mut evaluation.notes.of::<ZonesInUse>().0;
    if let Some((other, first)) = zones.insert(zone.name.clone(), (group, span)) {
        let text =
            sentence(&[b"sticky zone \"", &zone.name, b"\" is already used in upstream \"", &other, b"\""]);
        return Err(Problem::new(text).at(span).label(first, "first given here"));
    }
    Ok(Learn { create, lookup, zone, timeout: timeout.unwrap_or(TIMEOUT), after_headers })
}

fn session_zone(args: &Args<'_>, text: &[u8]) -> Result<SessionZone, Problem> {
    let Some((name, size)) = bstr::ByteSlice::split_once_str(text, ":") else {
        return Err(args.refuse("zone size is not specified"));
    };
    if name.is_empty() {
        return Err(args.refuse("zone name is not specified"));
    }
    match number::size(size) {
        None => Err(args.refuse("invalid zone size")),
        Some(size) if size < SMALLEST => Err(args.refuse("zone is too small")),
        Some(size) => Ok(SessionZone { name: name.into(), size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn errors_are_those_of_nginx() {
        for (words, error) in [
            ("cookie ''", "\"sticky\" directive empty cookie name"),
            ("cookie a domain=", "\"sticky\" directive no value for \"domain\""),
            ("cookie a path=", "\"sticky\" directive no value for \"path\""),
            ("cookie a path=/ path=/", "\"sticky\" directive parameter \"path\" is duplicate"),
            ("cookie a secure secure", "\"sticky\" directive parameter \"secure\" is duplicate"),
            ("cookie a expires=x", "\"sticky\" directive invalid \"expires\" parameter value"),
            ("cookie a samesite=x", "\"sticky\" directive invalid \"samesite\" parameter value"),
            ("cookie a b", "unknown parameter \"b\""),
            ("route a", "invalid variable name \"a\""),
            ("route $", "invalid variable name \"$\""),
            ("learn header", "\"sticky\" directive \"lookup\" parameter is not specified"),
            ("learn lookup=$a", "\"sticky\" directive \"create\" parameter is not specified"),
            ("learn lookup=$a create=$b", "\"sticky\" directive \"zone\" parameter is not specified"),
            ("learn lookup=a", "\"sticky\" directive missing variable in the \"lookup\" parameter"),
            ("learn create=a", "\"sticky\" directive missing variable in the \"create\" parameter"),
            ("learn zone=a", "\"sticky\" directive zone size is not specified"),
            ("learn zone=:1m", "\"sticky\" directive zone name is not specified"),
            ("learn zone=a:x", "\"sticky\" directive invalid zone size"),
            ("learn zone=a:1k", "\"sticky\" directive zone is too small"),
            ("learn zone=a:1m zone=a:1m", "\"sticky\" directive duplicate zone"),
            ("learn timeout=0", "\"sticky\" directive invalid timeout"),
            ("learn timeout=1 timeout=1", "\"sticky\" directive duplicate timeout"),
            ("learn sync", "unknown parameter \"sync\""),
            ("other a", "unknown parameter \"other\""),
        ] {
            let (read, said) = sample::read::<Sticky>(&format!("sticky {words};"));
            assert!(read.is_none(), "{words}");
            assert_eq!(said, [error], "{words}");
        }
    }

    #[test]
    fn values_are_read() {
        let read = |words: &str| sample::value::<Sticky>(&format!("sticky {words};"));
        let Sticky::Cookie(cookie) = read("cookie a expires=max samesite=LAX httponly") else { panic!() };
        assert_eq!(
            (cookie.expires, cookie.is_http_only, cookie.is_secure),
            (Some(CookieExpiry::Max), true, false)
        );
        assert!(matches!(read("route $cookie_a $arg_b"), Sticky::Route(variables) if variables.len() == 2));
        let learn = read("learn create=$upstream_cookie_a create=$arg_a lookup=$cookie_a zone=z:1m");
        let Sticky::Learn(learn) = learn else { panic!() };
        assert_eq!((learn.create.len(), learn.timeout, learn.after_headers), (2, 600_000, false));
        assert_eq!(learn.zone, SessionZone { name: "z".into(), size: 1 << 20 });
    }
}
