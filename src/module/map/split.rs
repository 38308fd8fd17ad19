//! `split_clients`: a variable with values by the hash of a text.

use bstr::{BStr, BString, ByteSlice};

use super::ingredients::Ingredients;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::{Problem, sentence};

/// All requests, in hundredths of a percent.
const WHOLE: u64 = 10_000;

/// A variable with values by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitClients {
    /// Text to hash.
    pub source: Template,
    /// Variable name in lower case.
    pub name: BString,
    /// Values with the hash below which they are taken; `None` takes the rest.
    parts: Vec<(Option<u32>, BString)>,
}

impl Value for SplitClients {
    const ARITY: Arity = Arity::TWO;
    const BLOCK: bool = true;

    fn syntax() -> String {
        "text $variable { share% | * value; ... }".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SplitClients, Problem> {
        let [source, name] = args.words else { return Err(args.refuse("is incomplete")) };
        let mut split = SplitClients {
            source: Template::compile(source, &source.bytes, evaluation)?,
            name: VariableNames::definition(name, evaluation)?,
            parts: Vec::new(),
        };
        evaluation.notes.of::<Ingredients>().define(&split.name, split.source.variables().cloned());
        let (mut total, mut last) = (0_u64, 0_u64);
        for entry in args.body.into_iter().flatten() {
            let Some(words) = evaluation.free_entry(entry) else { continue };
            let problem = match words {
                [share, value] => match read_share(&share.bytes) {
                    Some(Some(share)) => {
                        total = total.saturating_add(share);
                        // Beyond the whole the block is refused below.
                        last += share.min(WHOLE) * u64::from(u32::MAX) / WHOLE;
                        split.parts.push((u32::try_from(last).ok(), value.text().to_owned()));
                        continue;
                    }
                    Some(None) => {
                        total = total.max(WHOLE);
                        split.parts.push((None, value.text().to_owned()));
                        continue;
                    }
                    None => Problem::new(sentence(&[b"invalid percent value \"", &share.bytes, b"\""]))
                        .at(share.span),
                },
                _ => Problem::new("invalid number of the split_clients parameters").at(entry.span()),
            };
            evaluation.report(problem.place(entry.terminator()));
        }
        if total > WHOLE {
            return Err(Problem::new("percent total is greater than 100%").at(args.span()));
        }
        Ok(split)
    }
}

impl SplitClients {
    /// The value for a text; empty if it falls into no part.
    pub fn find(&self, text: &[u8]) -> &BStr {
        let hash = murmur_hash2(text);
        let part = self.parts.iter().find(|(below, _)| below.is_none_or(|below| hash < below));
        part.map_or(BStr::new(b""), |(_, value)| value.as_bstr())
    }
}

/// Parses `*`, or a percentage with up to two decimals, into hundredths of a percent.
fn read_share(text: &[u8]) -> Option<Option<u64>> {
    if text == b"*" {
        return Some(None);
    }
    let number = text.strip_suffix(b"%")?;
    let (whole, decimals) = number.split_once_str(".").unwrap_or((number, b""));
    if decimals.len() > 2 || number.is_empty() {
        return None;
    }
    let digits = |text: &[u8]| if text.is_empty() { Some(0) } else { number::digits(text) };
    let hundredths = digits(decimals)? * if decimals.len() == 1 { 10 } else { 1 };
    let share = digits(whole)?.checked_mul(100)?.checked_add(hundredths)?;
    (share > 0).then_some(Some(share))
}

/// MurmurHash2 with seed zero.
fn murmur_hash2(text: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    // nginx counts the length in 32 bits.
    let mut hash = text.len() as u32;
    let (words, tail) = text.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ mixed.wrapping_mul(FACTOR);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    fn said(body: &str) -> Vec<String> {
        sample::read::<SplitClients>(&format!("split_clients $http_x $y {{ {body} }}")).1
    }

    #[test]
    fn shares_are_refused_in_the_words_of_nginx() {
        let total = "percent total is greater than 100%";
        for (body, want) in [
            ("* a; 5% b;", total),
            ("50% a; 50.01% b;", total),
            (".5% a; 5.% b; 150% d;", total),
            ("0% a;", "invalid percent value \"0%\""),
            ("1.255% a;", "invalid percent value \"1.255%\""),
            ("% a;", "invalid percent value \"%\""),
            (".% a;", "invalid percent value \".%\""),
            ("5 a;", "invalid percent value \"5\""),
        ] {
            assert_eq!(said(body), [want], "{body}");
        }
        assert!(said("50% a; * b; * c;").is_empty());
    }

    /// Values recorded from nginx 1.22.
    #[test]
    fn values_are_those_of_nginx() {
        let split: SplitClients =
            sample::value("split_clients $http_x $y { 0.5% one; 20% two; 33.33% three; 10% four; }");
        let recorded = include_str!("testdata/split_clients.txt");
        let mut seen = 0;
        for (text, value) in recorded.lines().filter_map(|line| line.split_once('=')) {
            assert_eq!(split.find(text.as_bytes()), value, "{text}");
            seen += 1;
        }
        assert!(seen > 150, "{seen}");
    }

    #[test]
    fn the_rest_takes_what_is_left() {
        let split: SplitClients = sample::value("split_clients $http_x $y { 1% a; * b; }");
        let found = (0..1000).filter(|n| split.find(format!("{n}").as_bytes()) == "b").count();
        assert!((970..1000).contains(&found), "{found}");
    }
}
