//! Evaluation of `valid_referers` by nginx's rules.
//!
//! A host is searched among the exact names, then the longest leading and the longest trailing wildcard; a match
//! decides together with its path. Only an unknown host is compared with the regular expressions.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::directive::{Args, Arity, Evaluation, Pattern, ServerName, Undecided, Value};
use crate::http::host_mask::{HostMask, HostMasks};
use crate::syntax::{Problem, Word, sentence};

/// Minimum length of a referer with a scheme: that of `http://i.ru`.
const SHORTEST: usize = b"http://i.ru".len();
/// Maximum length of a valid host.
const LONGEST_HOST: usize = 256;

/// One `valid_referers` line.
#[derive(Clone, Debug, Default)]
pub struct ValidReferers(Vec<RefererSource>);

/// One argument.
#[derive(Clone, Debug)]
enum RefererSource {
    Blocked,
    Host(HostMask, BString),
    None,
    Regex(Pattern),
    ServerNames,
}

/// All lines in force in a block.
#[derive(Debug, Default)]
pub struct Referers {
    none: bool,
    blocked: bool,
    /// Hosts with the required prefix of the path.
    exact: HashMap<BString, BString>,
    leading: HashMap<BString, (BString, bool)>,
    trailing: HashMap<BString, BString>,
    server_names: Vec<Pattern>,
    regexes: Vec<Pattern>,
}

impl Value for ValidReferers {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "none | blocked | server_names | host[/path] | *.host[/path] | host.*[/path] | ~regex ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ValidReferers, Problem> {
        let sources: Vec<RefererSource> =
            args.words.iter().map(RefererSource::parse).collect::<Result<_, _>>()?;
        let taken = evaluation.block.of::<ReferredHosts>();
        for (source, word) in sources.iter().zip(args.words) {
            if let RefererSource::Host(host, _) = source
                && !taken.0.add(host)
            {
                return Err(conflicting(&host.spelled()).at(word.span));
            }
        }
        Ok(ValidReferers(sources))
    }
}

impl RefererSource {
    fn parse(word: &Word) -> Result<RefererSource, Problem> {
        let text: &[u8] = &word.bytes;
        let refuse = |what: &str, text: &[u8]| {
            Problem::new(sentence(&[what.as_bytes(), b" \"", text, b"\""])).at(word.span)
        };
        match text {
            b"" => return Err(refuse("invalid referer", text)),
            b"none" => return Ok(RefererSource::None),
            b"blocked" => return Ok(RefererSource::Blocked),
            b"server_names" => return Ok(RefererSource::ServerNames),
            b"~" => return Err(refuse("empty regex in", text)),
            [b'~', pattern @ ..] => return Pattern::compile(word, pattern, true).map(RefererSource::Regex),
            _ => {}
        }
        let (host, path) = text.split_at(text.find_byte(b'/').unwrap_or(text.len()));
        match HostMask::parse(host) {
            Some(found) => Ok(RefererSource::Host(found, path.into())),
            None => Err(refuse("invalid hostname or wildcard", host)
                .help("a star is allowed at one end, next to a dot: `*.example.com` or `www.example.*`")),
        }
    }
}

/// Hosts named by the lines of a block.
#[derive(Default)]
struct ReferredHosts(HostMasks);

fn conflicting(host: &[u8]) -> Problem {
    Problem::new(sentence(&[b"conflicting parameter \"", host, b"\""]))
}

impl Referers {
    /// From the lines of a block; `names` are the names of its server.
    ///
    /// # Errors
    ///
    /// The hosts conflict, or a pattern is invalid.
    pub fn new<'l>(
        lines: impl IntoIterator<Item = &'l ValidReferers>,
        names: &[ServerName],
    ) -> Result<Referers, Problem> {
        let mut referers = Referers::default();
        let mut taken = HostMasks::default();
        let mut with_names = false;
        for source in lines.into_iter().flat_map(|line| &line.0) {
            match source {
                RefererSource::Blocked => referers.blocked = true,
                RefererSource::None => referers.none = true,
                RefererSource::Regex(pattern) => referers.regexes.push(pattern.clone()),
                RefererSource::ServerNames => with_names = true,
                RefererSource::Host(host, path) => referers.add(host, path.clone(), &mut taken)?,
            }
        }
        if with_names {
            // A server without names has the empty name.
            let unnamed = [ServerName::Exact(BString::default())];
            for name in if names.is_empty() { &unnamed } else { names } {
                let host = match name {
                    ServerName::Exact(host) => HostMask::Exact(host.clone()),
                    ServerName::LeadingWildcard(tail) => HostMask::Leading(tail[1..].into()),
                    ServerName::TrailingWildcard(head) => HostMask::Trailing(head[..head.len() - 1].into()),
                    ServerName::Regex(pattern) => {
                        referers.server_names.push(pattern.clone());
                        continue;
                    }
                };
                referers.add(&host, BString::default(), &mut taken)?;
            }
        }
        if (referers.none || referers.blocked) && !referers.names_hosts() {
            let text = "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive without \
                        any valid referer";
            return Err(Problem::new(text));
        }
        Ok(referers)
    }

    fn add(&mut self, host: &HostMask, path: BString, taken: &mut HostMasks) -> Result<(), Problem> {
        if !taken.add(host) {
            return Err(conflicting(&host.spelled()));
        }
        match host.clone() {
            HostMask::Exact(host) => drop(self.exact.insert(host, path)),
            HostMask::Leading(host) => drop(self.leading.insert(host, (path, false))),
            HostMask::LeadingOrExact(host) => drop(self.leading.insert(host, (path, true))),
            HostMask::Trailing(host) => drop(self.trailing.insert(host, path)),
        }
        Ok(())
    }

    fn names_hosts(&self) -> bool {
        !self.exact.is_empty() || !self.leading.is_empty() || !self.trailing.is_empty()
    }

    /// Whether a request with this header is valid. Without any line every request is.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn permit(&self, referer: Option<&[u8]>) -> Result<bool, Undecided> {
        if !self.names_hosts() && self.server_names.is_empty() && self.regexes.is_empty() {
            return Ok(true);
        }
        let Some(referer) = referer else { return Ok(self.none) };
        let Some(rest) = without_scheme(referer) else { return Ok(self.blocked) };
        let (host, behind) = rest.split_at(rest.find_byteset("/:").unwrap_or(rest.len()));
        if host.len() > LONGEST_HOST {
            return Ok(false);
        }
        let host = host.to_ascii_lowercase();
        if let Some(path) = self.find(&host) {
            let at = behind.find_byte(b'/').unwrap_or(behind.len());
            return Ok(behind[at..].starts_with(path));
        }
        let names = self.server_names.iter().map(|pattern| (pattern, &host[..]));
        for (pattern, text) in names.chain(self.regexes.iter().map(|pattern| (pattern, rest))) {
            if pattern.is_match(text)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Required prefix of the path for a host.
    fn find(&self, host: &[u8]) -> Option<&BString> {
        if let Some(path) = self.exact.get(host.as_bstr()) {
            return Some(path);
        }
        if host.is_empty() {
            return None;
        }
        if let Some((path, true)) = self.leading.get(host.as_bstr()) {
            return Some(path);
        }
        // The first dot gives the longest suffix, the last dot the longest prefix.
        let mut tails = host.find_iter(".").map(|dot| &host[dot + 1..]);
        if let Some((path, _)) = tails.find_map(|tail| self.leading.get(tail.as_bstr())) {
            return Some(path);
        }
        host.rfind_iter(".").find_map(|dot| self.trailing.get(host[..dot].as_bstr()))
    }
}

/// Text after `http://` or `https://`.
fn without_scheme(referer: &[u8]) -> Option<&[u8]> {
    if referer.len() < SHORTEST {
        return None;
    }
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = referer.split_at(scheme.len());
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}
