//! `proxy_redirect` and `proxy_cookie_*`: addresses of backends in their responses.

use bstr::{BString, ByteSlice};

use super::target::{PassSoFar, ProxyTarget};
use crate::directive::{Args, Arity, Evaluation, Match, Pattern, Value};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::{Problem, Word, sentence};

/// Expands a template, with the groups of a match.
pub(super) type Expand<'e> = &'e dyn Fn(&Template, Option<&Match>) -> Vec<u8>;

/// What a text is compared with.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A text with variables.
    Text(Template),
    /// A regular expression.
    Regex(Pattern),
}

impl Wanted {
    fn parse(word: &Word, always_caseless: bool, evaluation: &mut Evaluation<'_>) -> Result<Wanted, Problem> {
        let Some(pattern) = word.bytes.strip_prefix(b"~") else {
            return Template::compile(word, &word.bytes, evaluation).map(Wanted::Text);
        };
        let (pattern, is_caseless) = match pattern.strip_prefix(b"*") {
            Some(pattern) if !always_caseless => (pattern, true),
            _ => (pattern, always_caseless),
        };
        let pattern = Pattern::compile(word, pattern, is_caseless)?;
        VariableNames::define_groups(&pattern, word, evaluation)?;
        Ok(Wanted::Regex(pattern))
    }
}

/// A line of `proxy_redirect`.
#[derive(Clone, Debug)]
pub enum ProxyRedirect {
    /// Nothing is rewritten.
    Off,
    /// The URL of `proxy_pass` becomes the location's name.
    Default,
    /// A text at the beginning, or a match, is replaced.
    Rule(Wanted, Template),
}

/// A line of `proxy_cookie_domain`.
#[derive(Clone, Debug)]
pub struct CookieDomain(pub Option<(Wanted, Template)>);

/// A line of `proxy_cookie_path`.
#[derive(Clone, Debug)]
pub struct CookiePath(pub Option<(Wanted, Template)>);

/// A line of `proxy_cookie_flags`.
#[derive(Clone, Debug)]
pub struct CookieFlags(pub Option<(Wanted, Vec<FlagWord>)>);

/// A flag as it is written.
#[derive(Clone, Debug)]
pub enum FlagWord {
    /// Without variables.
    Fixed(CookieFlag),
    /// With variables.
    Variable(Template),
}

/// A flag of cookies, set or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieFlag {
    /// `secure`
    Secure(bool),
    /// `httponly`
    HttpOnly(bool),
    /// `samesite` with its value; `None` removes it.
    SameSite(Option<&'static str>),
}

/// Words of flags.
const FLAGS: [(&str, CookieFlag); 8] = [
    ("secure", CookieFlag::Secure(true)),
    ("nosecure", CookieFlag::Secure(false)),
    ("httponly", CookieFlag::HttpOnly(true)),
    ("nohttponly", CookieFlag::HttpOnly(false)),
    ("samesite=strict", CookieFlag::SameSite(Some("Strict"))),
    ("samesite=lax", CookieFlag::SameSite(Some("Lax"))),
    ("samesite=none", CookieFlag::SameSite(Some("None"))),
    ("nosamesite", CookieFlag::SameSite(None)),
];

fn flag_of(word: &[u8]) -> Option<CookieFlag> {
    FLAGS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, flag)| *flag)
}

fn invalid(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""])).at(word.span)
}

impl Value for ProxyRedirect {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "default | off | redirect replacement".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ProxyRedirect, Problem> {
        args.check_off(evaluation, matches!(args.words, [word] if word.is("off")))?;
        match args.words {
            [word] if word.is("off") => Ok(ProxyRedirect::Off),
            [word] if word.is("default") => {
                let is_written = !evaluation.is_of_default();
                match evaluation.block.of::<PassSoFar>() {
                    PassSoFar::Fixed => {}
                    _ if !is_written => {}
                    PassSoFar::None => {
                        let text =
                            "\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive";
                        return Err(Problem::new(text).at(word.span));
                    }
                    PassSoFar::Variable => {
                        let text = "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables";
                        return Err(Problem::new(text).at(word.span));
                    }
                }
                Ok(ProxyRedirect::Default)
            }
            [wanted, replacement] => Ok(ProxyRedirect::Rule(
                Wanted::parse(wanted, false, evaluation)?,
                Template::compile(replacement, &replacement.bytes, evaluation)?,
            )),
            _ => Err(invalid(args.first())),
        }
    }
}

/// A rule of cookies with one replacement.
fn cookie_rule(
    args: &Args<'_>,
    is_domain: bool,
    evaluation: &mut Evaluation<'_>,
) -> Result<Option<(Wanted, Template)>, Problem> {
    args.check_off(evaluation, matches!(args.words, [word] if word.is("off")))?;
    match args.words {
        [word] if word.is("off") => Ok(None),
        [wanted, replacement] => {
            let mut text = &replacement.bytes[..];
            // As in nginx, a dot at the beginning of a replacement is dropped, unless a regex chooses it.
            if is_domain && !wanted.bytes.starts_with(b"~") {
                text = text.strip_prefix(b".").unwrap_or(text);
            }
            Ok(Some((
                Wanted::parse(wanted, is_domain, evaluation)?,
                Template::compile(replacement, text, evaluation)?,
            )))
        }
        _ => Err(invalid(args.first())),
    }
}

impl Value for CookieDomain {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | domain replacement".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CookieDomain, Problem> {
        cookie_rule(args, true, evaluation).map(CookieDomain)
    }
}

impl Value for CookiePath {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | path replacement".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CookiePath, Problem> {
        cookie_rule(args, false, evaluation).map(CookiePath)
    }
}

impl Value for CookieFlags {
    const ARITY: Arity = Arity::between(1, 5);

    fn syntax() -> String {
        "off | cookie [flag ...]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<CookieFlags, Problem> {
        let (first, flags) = args.words.split_first().ok_or_else(|| args.refuse("is incomplete"))?;
        let is_off = first.is("off") && flags.is_empty();
        args.check_off(evaluation, is_off)?;
        if is_off {
            return Ok(CookieFlags(None));
        }
        if flags.is_empty() {
            return Err(invalid(first));
        }
        let mut words = Vec::with_capacity(flags.len());
        for word in flags {
            let template = Template::compile(word, &word.bytes, evaluation)?;
            words.push(match flag_of(&word.bytes) {
                Some(flag) => FlagWord::Fixed(flag),
                None if template.variables().next().is_some() => FlagWord::Variable(template),
                None => {
                    let text = sentence(&[b"unknown flag \"", &word.bytes, b"\""]);
                    return Err(Problem::new(text).at(word.span));
                }
            });
        }
        Ok(CookieFlags(Some((Wanted::parse(first, true, evaluation)?, words))))
    }
}

/// Rewrites an address from position `from` on. `None` if no line applies.
pub(super) fn redirect(
    lines: &[ProxyRedirect],
    value: &[u8],
    from: usize,
    target: Option<(&ProxyTarget, &[u8])>,
    expand: Expand<'_>,
) -> Option<Vec<u8>> {
    let (before, address) = value.split_at(from);
    let replaced = lines.iter().find_map(|line| match line {
        ProxyRedirect::Off => None,
        ProxyRedirect::Default => {
            let (target, location) = target?;
            match target.uri.is_empty() {
                false => Some([location, address.strip_prefix(&target.url[..])?].concat()),
                true => {
                    let rest = address.strip_prefix(&target.url[..])?.strip_prefix(b"/")?;
                    Some([b"/", rest].concat())
                }
            }
        }
        ProxyRedirect::Rule(Wanted::Text(text), replacement) => {
            let rest = address.strip_prefix(&expand(text, None)[..])?;
            Some([&expand(replacement, None)[..], rest].concat())
        }
        ProxyRedirect::Rule(Wanted::Regex(pattern), replacement) => {
            let found = pattern.find(address).ok()??;
            Some(expand(replacement, Some(&found)))
        }
    })?;
    Some([before, &replaced].concat())
}

/// Rewrites a `Set-Cookie` header. `None` if it stays. `refuse` is told of values of variables that are no flags.
pub(super) fn cookie(
    value: &[u8],
    domains: &[CookieDomain],
    paths: &[CookiePath],
    flags: &[CookieFlags],
    expand: Expand<'_>,
    refuse: &dyn Fn(&[u8]),
) -> Option<Vec<u8>> {
    let mut attributes: Vec<(BString, Option<BString>)> = value
        .split(|b| *b == b';')
        .map(|part| {
            let part = part.trim_start_with(|c| c == ' ');
            match part.split_once_str("=") {
                Some((name, value)) => (name.into(), Some(value.into())),
                None => (part.into(), None),
            }
        })
        .collect();
    // As in nginx, what is no pair is no cookie.
    if attributes.first().is_none_or(|(_, value)| value.is_none()) {
        return None;
    }
    let mut is_changed = false;
    for (name, value) in attributes.iter_mut().skip(1) {
        let Some(text) = value else { continue };
        let new = match () {
            () if name.eq_ignore_ascii_case(b"domain") => {
                domains.iter().find_map(|line| domain(line.0.as_ref()?, text, expand))
            }
            () if name.eq_ignore_ascii_case(b"path") => {
                paths.iter().find_map(|line| path(line.0.as_ref()?, text, expand))
            }
            () => None,
        };
        if let Some(new) = new {
            (*value, is_changed) = (Some(new.into()), true);
        }
    }
    let name = attributes.first().map(|(name, _)| name.clone()).unwrap_or_default();
    let wanted = flags.iter().filter_map(|line| line.0.as_ref()).find(|(wanted, _)| match wanted {
        Wanted::Text(text) => expand(text, None).eq_ignore_ascii_case(&name),
        Wanted::Regex(pattern) => pattern.is_match(&name).unwrap_or(false),
    });
    if let Some((_, flags)) = wanted {
        // As in nginx, the last flag of each attribute counts, and what is added has this order.
        let (mut secure, mut http_only, mut same_site) = (None, None, None);
        for word in flags {
            let flag = match word {
                FlagWord::Fixed(flag) => Some(*flag),
                FlagWord::Variable(template) => {
                    let text = expand(template, None);
                    let flag = flag_of(&text);
                    if flag.is_none() && !text.is_empty() {
                        refuse(&text);
                    }
                    flag
                }
            };
            match flag {
                Some(CookieFlag::Secure(_)) => secure = flag,
                Some(CookieFlag::HttpOnly(_)) => http_only = flag,
                Some(CookieFlag::SameSite(_)) => same_site = flag,
                None => {}
            }
        }
        let flags = [secure, http_only, same_site];
        flags.into_iter().flatten().for_each(|flag| set_flag(&mut attributes, flag));
        is_changed = true;
    }
    if !is_changed {
        return None;
    }
    let parts = attributes.iter().map(|(name, value)| match value {
        Some(value) => [&name[..], b"=", value].concat(),
        None => name.to_vec(),
    });
    Some(bstr::join("; ", parts.collect::<Vec<_>>()))
}

fn domain((wanted, replacement): &(Wanted, Template), value: &[u8], expand: Expand<'_>) -> Option<Vec<u8>> {
    match wanted {
        Wanted::Text(text) => {
            let text = expand(text, None);
            let bare = |text: &[u8]| text.strip_prefix(b".").unwrap_or(text).to_ascii_lowercase();
            // As in nginx, a dot at the beginning stays.
            let dot = if value.starts_with(b".") { &b"."[..] } else { b"" };
            (bare(&text) == bare(value)).then(|| [dot, &expand(replacement, None)[..]].concat())
        }
        Wanted::Regex(pattern) => {
            let found = pattern.find(value).ok()??;
            Some(expand(replacement, Some(&found)))
        }
    }
}

fn path((wanted, replacement): &(Wanted, Template), value: &[u8], expand: Expand<'_>) -> Option<Vec<u8>> {
    match wanted {
        Wanted::Text(text) => {
            let rest = value.strip_prefix(&expand(text, None)[..])?;
            Some([&expand(replacement, None)[..], rest].concat())
        }
        Wanted::Regex(pattern) => {
            let found = pattern.find(value).ok()??;
            Some(expand(replacement, Some(&found)))
        }
    }
}

fn set_flag(attributes: &mut Vec<(BString, Option<BString>)>, flag: CookieFlag) {
    let (name, value, is_set) = match flag {
        CookieFlag::Secure(set) => ("Secure", None, set),
        CookieFlag::HttpOnly(set) => ("HttpOnly", None, set),
        CookieFlag::SameSite(value) => ("SameSite", value, value.is_some()),
    };
    let at = attributes.iter().skip(1).position(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
    let new = (BString::from(name), value.map(BString::from));
    match at.map(|at| at + 1) {
        Some(at) if !is_set => drop(attributes.remove(at)),
        Some(at) if value.is_some() => attributes[at] = new,
        Some(_) => {}
        None if is_set => attributes.push(new),
        None => {}
    }
}
