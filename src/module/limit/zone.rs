//! Zones of `limit_conn` and `limit_req`: definitions and uses.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use super::share::ZoneIdentity;
use crate::directive::conclusion::WholeConfig;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, Span, Word, sentence};

/// Minimum size of a zone in bytes: eight pages.
const SMALLEST: u64 = 8 * 4096;
/// Maximum number of connections per key.
const MOST_CONNECTIONS: u64 = 65_535;

/// `KEY zone=NAME:SIZE [rate=N r/s|r/m]`: two words for connections, three for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone<const WORDS: usize> {
    /// Key by which requests are counted.
    pub key: Template,
    /// The key as written.
    pub key_text: BString,
    /// Name of the zone.
    pub name: BString,
    /// Size in bytes.
    pub size: u64,
    /// Requests per second in thousandths.
    pub rate: u64,
}

/// `ZONE N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitConn {
    /// The zone.
    pub zone: BString,
    /// Maximum number of concurrent connections.
    pub most: u64,
}

/// `zone=NAME [burst=N] [nodelay|delay=N]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitReq {
    /// The zone.
    pub zone: BString,
    /// Excess in thousandths of a request above which requests are refused.
    pub burst: u64,
    /// Excess in thousandths of a request above which requests are delayed.
    pub delay: u64,
}

/// What a zone counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Connections,
    Requests,
}

/// Zones defined and used in `http { }`.
#[derive(Default)]
pub struct ZoneNotes {
    defined: HashMap<BString, Defined>,
    used: HashMap<BString, (Counted, Span)>,
}

/// A definition of a zone.
struct Defined {
    counted: Counted,
    key: BString,
    size: u64,
    span: Span,
}

/// Zones for which a block has limits.
#[derive(Default)]
struct Limited(HashMap<BString, Span>);

/// Reports zones that are used but not defined.
pub fn are_defined(whole: &mut WholeConfig<'_>) -> Vec<Problem> {
    whole.notes.of::<ZoneNotes>().unknown()
}

impl ZoneNotes {
    fn unknown(&self) -> Vec<Problem> {
        let mut unknown: Vec<_> =
            self.used.iter().filter(|(name, _)| !self.defined.contains_key(*name)).collect();
        unknown.sort_by_key(|(_, (_, span))| (span.start, span.end));
        let complaint = |(name, (_, span)): (&BString, &(Counted, Span))| {
            let text = sentence(&[b"zero size shared memory zone \"", name, b"\""]);
            let help = "zones are defined by `limit_conn_zone` and `limit_req_zone` in http";
            Problem::new(text).at(*span).place(*span).help(help)
        };
        unknown.into_iter().map(complaint).collect()
    }

    fn define(&mut self, name: &BString, zone: Defined, directive: &Word) -> Result<(), Problem> {
        if let Some(known) = self.defined.get(name) {
            let at = |text| Problem::new(text).at(zone.span).label(known.span, "first given here");
            if known.counted != zone.counted {
                return Err(at(other_use(name)));
            }
            if known.size != zone.size {
                let (size, other) = (zone.size.to_string(), known.size.to_string());
                return Err(at(sentence(&[
                    b"the size ",
                    size.as_bytes(),
                    b" of shared memory zone \"",
                    name,
                    b"\" conflicts with already declared size ",
                    other.as_bytes(),
                ])));
            }
            return Err(at(sentence(&[
                &directive.bytes,
                b" \"",
                name,
                b"\" is already bound to key \"",
                &known.key,
                b"\"",
            ])));
        }
        if let Some((counted, span)) = self.used.get(name)
            && *counted != zone.counted
        {
            return Err(Problem::new(other_use(name)).at(zone.span).label(*span, "used here"));
        }
        self.defined.insert(name.clone(), zone);
        Ok(())
    }

    fn take(&mut self, name: &bstr::BStr, counted: Counted, span: Span) -> Result<(), Problem> {
        let known = self.defined.get(name).map(|zone| (zone.counted, zone.span));
        if let Some((other, first)) = known.or_else(|| self.used.get(name).copied())
            && other != counted
        {
            return Err(Problem::new(other_use(name)).at(span).label(first, "first given here"));
        }
        self.used.entry(name.to_owned()).or_insert((counted, span));
        Ok(())
    }
}

fn other_use(name: &[u8]) -> BString {
    sentence(&[b"the shared memory zone \"", name, b"\" is already declared for a different use"])
}

impl<const WORDS: usize> Zone<WORDS> {
    /// What the zone is known by.
    pub fn identity(&self) -> ZoneIdentity {
        ZoneIdentity { name: self.name.clone(), size: self.size, key: self.key_text.clone() }
    }
}

impl<const WORDS: usize> Value for Zone<WORDS> {
    const ARITY: Arity = Arity::between(WORDS, WORDS);

    fn syntax() -> String {
        let rate = if WORDS > 2 { " rate=number r/s | r/m" } else { "" };
        format!("key zone=name:size{rate}")
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Zone<WORDS>, Problem> {
        let key = Template::compile(args.first(), &args.first().bytes, evaluation)?;
        let key_text = args.first().text().to_owned();
        let mut zone = Zone { key, key_text, name: BString::default(), size: 0, rate: 1000 };
        for word in args.words.get(1..).unwrap_or_default() {
            match word.bytes.split_once_str("=") {
                Some((b"zone", value)) => (zone.name, zone.size) = name(value, word)?,
                Some((b"rate", value)) if WORDS > 2 => zone.rate = rate(value, word)?,
                _ => return Err(about("invalid parameter", word)),
            }
        }
        if zone.name.is_empty() {
            return Err(without_zone(args));
        }
        let counted = if WORDS > 2 { Counted::Requests } else { Counted::Connections };
        let defined = Defined { counted, key: zone.key_text.clone(), size: zone.size, span: args.span() };
        evaluation.notes.of::<ZoneNotes>().define(&zone.name, defined, args.name)?;
        Ok(zone)
    }
}

impl Value for LimitConn {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "zone number".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LimitConn, Problem> {
        let [zone, number] = args.words else { return Err(args.refuse("is incomplete")) };
        let most = number::digits(&number.bytes).filter(|n| *n > 0);
        let most = most.ok_or_else(|| about("invalid number of connections", number))?;
        if most > MOST_CONNECTIONS {
            return Err(Problem::new("connection limit must be less 65536").at(number.span));
        }
        limited(zone.text(), Counted::Connections, zone.span, args, evaluation)?;
        Ok(LimitConn { zone: zone.text().to_owned(), most })
    }
}

impl Value for LimitReq {
    const ARITY: Arity = Arity::between(1, 3);

    fn syntax() -> String {
        "zone=name [burst=number] [nodelay | delay=number]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LimitReq, Problem> {
        let mut limit = LimitReq { zone: BString::default(), burst: 0, delay: 0 };
        let mut span = args.span();
        for word in args.words {
            let positive =
                |value, what| number::digits(value).filter(|n| *n > 0).ok_or_else(|| about(what, word));
            match word.bytes.split_once_str("=") {
                Some((b"zone", value)) => (limit.zone, span) = (value.into(), word.span_of(value)),
                Some((b"burst", value)) => {
                    limit.burst = positive(value, "invalid burst value")?.saturating_mul(1000);
                }
                Some((b"delay", value)) => {
                    limit.delay = positive(value, "invalid delay value")?.saturating_mul(1000);
                }
                None if &word.bytes[..] == b"nodelay" => limit.delay = u64::MAX,
                _ => {
                    let problem = about("invalid parameter", word);
                    return Err(problem.help("accepted: zone=, burst=, nodelay, delay="));
                }
            }
        }
        if limit.zone.is_empty() {
            return Err(without_zone(args));
        }
        limited(limit.zone.as_bstr(), Counted::Requests, span, args, evaluation)?;
        Ok(limit)
    }
}

/// Records that the block uses a zone, which it may do once.
fn limited(
    zone: &bstr::BStr,
    counted: Counted,
    span: Span,
    args: &Args<'_>,
    evaluation: &mut Evaluation<'_>,
) -> Result<(), Problem> {
    if let Some(first) =
        evaluation.block.of::<Limited>().0.insert([&args.name.bytes[..], zone].concat().into(), args.span())
    {
        return Err(args.refuse("is duplicate").label(first, "first given here"));
    }
    evaluation.notes.of::<ZoneNotes>().take(zone, counted, span)
}

/// Name and size.
fn name(value: &[u8], word: &Word) -> Result<(BString, u64), Problem> {
    let (name, size) = value.split_once_str(":").ok_or_else(|| about("invalid zone size", word))?;
    let size = number::size(size).ok_or_else(|| about("invalid zone size", word))?;
    if size < SMALLEST {
        let text = sentence(&[b"zone \"", &word.bytes, b"\" is too small"]);
        return Err(Problem::new(text).at(word.span).help("a zone has at least 32k"));
    }
    Ok((name.into(), size))
}

/// Requests per second in thousandths; like nginx, without rounding up.
fn rate(value: &[u8], word: &Word) -> Result<u64, Problem> {
    let invalid = || about("invalid rate", word).help("written as 10r/s or 30r/m");
    let (digits, scale) = match value {
        [digits @ .., b'r', b'/', b's'] => (digits, 1),
        [digits @ .., b'r', b'/', b'm'] => (digits, 60),
        digits => (digits, 1),
    };
    let rate = number::digits(digits).filter(|n| *n > 0).ok_or_else(invalid)?;
    rate.checked_mul(1000).map(|rate| rate / scale).ok_or_else(invalid)
}

fn without_zone(args: &Args<'_>) -> Problem {
    Problem::new(sentence(&[b"\"", &args.name.bytes, b"\" must have \"zone\" parameter"])).at(args.span())
}

fn about(what: &str, word: &Word) -> Problem {
    Problem::new(sentence(&[what.as_bytes(), b" \"", &word.bytes, b"\""])).at(word.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn rates_are_thousandths_of_requests_per_second() {
        for (rate, want) in [("10r/s", 10_000), ("1r/m", 16), ("90r/m", 1500), ("3", 3000)] {
            let zone: Zone<3> = sample::value(&format!("limit_req_zone $http_x zone=a:1m rate={rate};"));
            assert_eq!((zone.rate, zone.size, zone.key_text), (want, 1 << 20, "$http_x".into()), "{rate}");
        }
    }

    #[test]
    fn bursts_and_delays_are_thousandths_of_requests() {
        let limit = |text: &str| {
            let limit: LimitReq = sample::value(&format!("limit_req zone=a {text};"));
            (limit.burst, limit.delay)
        };
        assert_eq!(limit("burst=5 delay=3"), (5000, 3000));
        assert_eq!(limit("burst=5 nodelay"), (5000, u64::MAX));
        assert_eq!(limit("burst=9223372036854775807"), (u64::MAX, 0));
    }
}
