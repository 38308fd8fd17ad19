//! Zones of `limit_conn` and `limit_req`: definitions and uses.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::directive::conclusion::Whole;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, Span, Word, sentence};

/// Minimum size of a zone in bytes: eight pages.
const SMALLEST: u64 = 8 * 4096;
/// Maximum number of connections per key.
const MOST_CONNECTIONS: u64 = 65_535;

/// `KEY zone=NAME:SIZE [rate=N r/s|r/m]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone<const WORDS: usize> {
    /// Key by which requests are counted.
    pub key: Template,
    /// Name of the zone.
    pub name: BString,
    /// Requests per minute.
    pub per_minute: u64,
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
    /// Number of requests above the rate that may be delayed.
    pub burst: u64,
}

/// Zones defined and used in `http { }`.
#[derive(Default)]
pub struct Zones {
    defined: HashMap<BString, Span>,
    used: Vec<(BString, Span)>,
}

/// Zones for which a block has limits.
#[derive(Default)]
struct Limited(HashMap<BString, Span>);

/// Reports zones that are used but not defined.
pub fn are_defined(whole: &mut Whole<'_>) -> Vec<Problem> {
    whole.notes.of::<Zones>().unknown()
}

impl Zones {
    fn unknown(&self) -> Vec<Problem> {
        let unknown = self.used.iter().filter(|(name, _)| !self.defined.contains_key(name));
        let complaint = |(name, span): &(BString, Span)| {
            let text = sentence(&[b"zero size shared memory zone \"", name, b"\""]);
            let help = "zones are defined by `limit_conn_zone` and `limit_req_zone` in http";
            Problem::new(text).at(*span).place(*span).help(help)
        };
        unknown.map(complaint).collect()
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
        let mut zone = Zone { key, name: BString::default(), per_minute: 60 };
        for word in args.words.get(1..).unwrap_or_default() {
            match word.bytes.split_once_str("=") {
                Some((b"zone", value)) => zone.name = name(value, word)?,
                Some((b"rate", value)) if WORDS > 2 => zone.per_minute = rate(value, word)?,
                _ => return Err(about("invalid parameter", word)),
            }
        }
        if zone.name.is_empty() {
            return Err(without_zone(args));
        }
        let first = evaluation.notes.of::<Zones>().defined.insert(zone.name.clone(), args.span());
        if let Some(first) = first {
            let text = sentence(&[&args.name.bytes, b" \"", &zone.name, b"\" is already bound to a key"]);
            return Err(Problem::new(text).at(args.span()).label(first, "first given here"));
        }
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
        limited(zone.text(), zone.span, args, evaluation)?;
        Ok(LimitConn { zone: zone.text().to_owned(), most })
    }
}

impl Value for LimitReq {
    const ARITY: Arity = Arity::between(1, 3);

    fn syntax() -> String {
        "zone=name [burst=number] [nodelay | delay=number]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LimitReq, Problem> {
        let mut limit = LimitReq { zone: BString::default(), burst: 0 };
        let mut span = args.span();
        for word in args.words {
            let positive =
                |value, what| number::digits(value).filter(|n| *n > 0).ok_or_else(|| about(what, word));
            match word.bytes.split_once_str("=") {
                Some((b"zone", value)) => (limit.zone, span) = (value.into(), word.span_of(value)),
                Some((b"burst", value)) => limit.burst = positive(value, "invalid burst value")?,
                Some((b"delay", value)) => drop(positive(value, "invalid delay value")?),
                None if &word.bytes[..] == b"nodelay" => {}
                _ => {
                    let problem = about("invalid parameter", word);
                    return Err(problem.help("accepted: zone=, burst=, nodelay, delay="));
                }
            }
        }
        if limit.zone.is_empty() {
            return Err(without_zone(args));
        }
        limited(limit.zone.as_bstr(), span, args, evaluation)?;
        Ok(limit)
    }
}

/// Records that the block uses a zone, which it may do once.
fn limited(
    zone: &bstr::BStr,
    span: Span,
    args: &Args<'_>,
    evaluation: &mut Evaluation<'_>,
) -> Result<(), Problem> {
    if let Some(first) =
        evaluation.block.of::<Limited>().0.insert([&args.name.bytes[..], zone].concat().into(), args.span())
    {
        return Err(args.refuse("is duplicate").label(first, "first given here"));
    }
    evaluation.notes.of::<Zones>().used.push((zone.to_owned(), span));
    Ok(())
}

fn name(value: &[u8], word: &Word) -> Result<BString, Problem> {
    let (name, size) = value.split_once_str(":").ok_or_else(|| about("invalid zone size", word))?;
    let size = number::size(size).ok_or_else(|| about("invalid zone size", word))?;
    if size < SMALLEST {
        let text = sentence(&[b"zone \"", &word.bytes, b"\" is too small"]);
        return Err(Problem::new(text).at(word.span).help("a zone has at least 32k"));
    }
    Ok(name.into())
}

fn rate(value: &[u8], word: &Word) -> Result<u64, Problem> {
    let invalid = || about("invalid rate", word).help("written as 10r/s or 30r/m");
    let (digits, scale) = match value {
        [digits @ .., b'r', b'/', b's'] => (digits, 60),
        [digits @ .., b'r', b'/', b'm'] => (digits, 1),
        digits => (digits, 60),
    };
    let rate = number::digits(digits).filter(|n| *n > 0).ok_or_else(invalid)?;
    rate.checked_mul(scale).ok_or_else(invalid)
}

fn without_zone(args: &Args<'_>) -> Problem {
    Problem::new(sentence(&[b"\"", &args.name.bytes, b"\" must have \"zone\" parameter"])).at(args.span())
}

fn about(what: &str, word: &Word) -> Problem {
    Problem::new(sentence(&[what.as_bytes(), b" \"", &word.bytes, b"\""])).at(word.span)
}
