//! Blocks that define variables: `map`, `geo`, `split_clients`.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bstr::{BString, ByteSlice};

use crate::directive::{Args, Arity, Evaluation, Network, Pattern, Value};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::tree::Node;
use crate::syntax::{Problem, Span, Word, sentence};

/// A variable with a table of values by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Key to look up.
    pub source: Template,
    /// Variable name in lower case.
    pub name: BString,
    /// Keys and values in order; the key `default` stands for all other keys.
    pub entries: Vec<(BString, Template)>,
    /// Whether keys may be host names with wildcards.
    pub hostnames: bool,
}

/// A variable with a table of values by client address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geo {
    /// Variable name in lower case.
    pub name: BString,
    /// Keys and values in order.
    pub entries: Vec<(BString, BString)>,
}

/// A variable with values by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitClients {
    /// Text to hash.
    pub source: Template,
    /// Variable name in lower case.
    pub name: BString,
    /// Shares in hundredths of a percent, with values; `None` takes the rest.
    pub entries: Vec<(Option<u32>, BString)>,
}

impl Value for Map {
    const ARITY: Arity = Arity::TWO;
    const BLOCK: bool = true;

    fn syntax() -> String {
        "text $variable { key value; ... }".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Map, Problem> {
        let [source, name] = args.words else { return Err(args.refuse("is incomplete")) };
        let mut map = Map {
            source: Template::compile(source, &source.bytes, evaluation)?,
            name: VariableNames::definition_without_value(name, evaluation)?,
            entries: Vec::new(),
            hostnames: false,
        };
        let mut seen: HashMap<BString, Span> = HashMap::new();
        for entry in args.body.into_iter().flatten() {
            if let Err(problem) = map.entry(entry, &mut seen, evaluation) {
                evaluation.report(problem.place(entry.terminator()));
            }
        }
        Ok(map)
    }
}

impl Map {
    fn entry(
        &mut self,
        entry: Node<'_>,
        seen: &mut HashMap<BString, Span>,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<(), Problem> {
        let Some(words) = evaluation.free_entry(entry) else { return Ok(()) };
        let (key, value) = match words {
            [word] if &word.bytes[..] == b"hostnames" => {
                self.hostnames = true;
                return Ok(());
            }
            [word] if &word.bytes[..] == b"volatile" => return Ok(()),
            [key, value] => (key, value),
            _ => {
                let text = "invalid number of the map parameters";
                return Err(Problem::new(text).at(entry.span()).help("an entry is a key and a value"));
            }
        };
        if let Some(first) = seen.insert(key.text().to_owned(), key.span) {
            let text = match &key.bytes[..] {
                b"default" => "duplicate default map parameter".into(),
                key => sentence(&[b"conflicting parameter \"", key, b"\""]),
            };
            return Err(Problem::new(text).at(key.span).label(first, "first given here"));
        }
        if let Some(regex) = key.bytes.strip_prefix(b"~") {
            let (regex, caseless) = match regex.strip_prefix(b"*") {
                Some(regex) => (regex, true),
                None => (regex, false),
            };
            VariableNames::define_groups(&Pattern::compile(key, regex, caseless)?, key, evaluation)?;
        }
        let value = Template::compile(value, &value.bytes, evaluation)?;
        self.entries.push((key.text().to_owned(), value));
        Ok(())
    }
}

impl Value for Geo {
    const ARITY: Arity = Arity::between(1, 2);
    const BLOCK: bool = true;

    fn syntax() -> String {
        "[$address] $variable { network value; ... }".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Geo, Problem> {
        let name =
            VariableNames::definition_without_value(args.words.last().unwrap_or(args.name), evaluation)?;
        if let [source, _] = args.words {
            Template::compile(source, &source.bytes, evaluation)?;
        }
        let mut geo = Geo { name, entries: Vec::new() };
        let mut ranges = false;
        for entry in args.body.into_iter().flatten() {
            let Some(words) = evaluation.free_entry(entry) else { continue };
            let problem = match words {
                [word] if &word.bytes[..] == b"ranges" => {
                    ranges = true;
                    continue;
                }
                [word] if &word.bytes[..] == b"proxy_recursive" => continue,
                [key, _] if ranges && !is_range(&key.bytes) => {
                    Problem::new(sentence(&[b"invalid range \"", &key.bytes, b"\""]))
                        .at(key.span)
                        .help("written as 10.0.0.1-10.0.0.9, the lower address first")
                }
                [key, value] if ranges || is_network(key) => {
                    geo.entries.push((key.text().to_owned(), value.text().to_owned()));
                    continue;
                }
                [key, _] => Problem::new(sentence(&[b"invalid network \"", &key.bytes, b"\""])).at(key.span),
                _ => Problem::new("invalid number of the geo parameters").at(entry.span()),
            };
            evaluation.report(problem.place(entry.terminator()));
        }
        Ok(geo)
    }
}

impl Value for SplitClients {
    const ARITY: Arity = Arity::TWO;
    const BLOCK: bool = true;

    fn syntax() -> String {
        "text $variable { share% | * value; ... }".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SplitClients, Problem> {
        let [source, name] = args.words else { return Err(args.refuse("is incomplete")) };
        let source = Template::compile(source, &source.bytes, evaluation)?;
        let mut split = SplitClients {
            source,
            name: VariableNames::definition_without_value(name, evaluation)?,
            entries: Vec::new(),
        };
        let mut total: u32 = 0;
        for entry in args.body.into_iter().flatten() {
            let Some(words) = evaluation.free_entry(entry) else { continue };
            let problem = match words {
                [share, value] => match read_share(&share.bytes) {
                    Some(share) => {
                        total = total.saturating_add(share.unwrap_or(0));
                        split.entries.push((share, value.text().to_owned()));
                        continue;
                    }
                    None => Problem::new(sentence(&[b"invalid percent value \"", &share.bytes, b"\""]))
                        .at(share.span),
                },
                _ => Problem::new("invalid number of the split_clients parameters").at(entry.span()),
            };
            evaluation.report(problem.place(entry.terminator()));
        }
        if total > 10_000 {
            return Err(Problem::new("percent total is greater than 100%").at(args.span()));
        }
        Ok(split)
    }
}

/// Whether a key is a range of IPv4 addresses, or a word that replaces one.
fn is_range(key: &[u8]) -> bool {
    if matches!(key, b"default" | b"delete" | b"proxy") {
        return true;
    }
    let address = |text: &[u8]| text.to_str().ok()?.parse::<Ipv4Addr>().ok();
    let ends = key.split_once_str("-").and_then(|(from, to)| Some((address(from)?, address(to)?)));
    ends.is_some_and(|(from, to)| from <= to)
}

fn is_network(key: &Word) -> bool {
    matches!(&key.bytes[..], b"default" | b"delete" | b"proxy") || Network::parse(&key.bytes).is_some()
}

/// Parses `*`, or a percentage with up to two decimals.
fn read_share(text: &[u8]) -> Option<Option<u32>> {
    if text == b"*" {
        return Some(None);
    }
    let number = text.strip_suffix(b"%")?;
    let (whole, decimals) = number.split_once_str(".").unwrap_or((number, b""));
    let digits = |text: &[u8]| crate::directive::number::digits(text).and_then(|n| u32::try_from(n).ok());
    let decimals = match decimals.len() {
        0 => 0,
        1 => digits(decimals)? * 10,
        2 => digits(decimals)?,
        _ => return None,
    };
    let share = digits(whole)?.checked_mul(100)?.checked_add(decimals)?;
    (1..=10_000).contains(&share).then_some(Some(share))
}
