//! Regular expressions in configurations.

use std::fmt;

use bstr::{BStr, BString, ByteSlice};

use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::tree::Word;

/// Steps after which a pattern with look-around or back-references gives up on one text.
const MAX_BACKTRACKING: usize = 100_000;

/// A compiled regular expression over bytes.
///
/// Patterns run in linear time; only those with look-around or back-references use a backtracking engine,
/// which is bounded and sees text that is not UTF-8 as not matching.
#[derive(Clone)]
pub struct Pattern {
    engine: Engine,
    source: BString,
}

#[derive(Clone)]
enum Engine {
    Linear(regex::bytes::Regex),
    Backtracking(fancy_regex::Regex),
}

impl Pattern {
    /// Compiles a pattern; the complaint is worded like PCRE's.
    pub fn compile(word: &Word, pattern: &[u8], caseless: bool) -> Result<Pattern, Problem> {
        let refuse = |reason: &str| {
            let text = sentence(&[b"pcre_compile() failed: ", reason.as_bytes(), b" in \"", pattern, b"\""]);
            Problem::new(text).at(word.span)
        };
        let text = pattern.to_str().map_err(|_| refuse("the pattern is not UTF-8"))?;
        let linear = regex::bytes::RegexBuilder::new(text).unicode(false).case_insensitive(caseless).build();
        let engine = match linear {
            Ok(regex) => Engine::Linear(regex),
            Err(reason) => fancy_regex::RegexBuilder::new(text)
                .case_insensitive(caseless)
                .backtrack_limit(MAX_BACKTRACKING)
                .build()
                .map(Engine::Backtracking)
                .map_err(|_| refuse(&pcre_reason(&reason.to_string())))?,
        };
        Ok(Pattern { engine, source: pattern.into() })
    }

    /// Whether the text matches anywhere.
    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.engine {
            Engine::Linear(regex) => regex.is_match(text),
            Engine::Backtracking(regex) => text.to_str().is_ok_and(|t| regex.is_match(t).unwrap_or(false)),
        }
    }

    /// The texts of the groups, the whole match first; `None` without a match.
    pub fn captures(&self, text: &[u8]) -> Option<Vec<BString>> {
        match &self.engine {
            Engine::Linear(regex) => {
                let found = regex.captures(text)?;
                Some(found.iter().map(|g| g.map(|g| g.as_bytes().into()).unwrap_or_default()).collect())
            }
            Engine::Backtracking(regex) => {
                let found = regex.captures(text.to_str().ok()?).ok()??;
                Some(found.iter().map(|g| g.map(|g| g.as_str().into()).unwrap_or_default()).collect())
            }
        }
    }

    /// The names and texts of the named groups; empty without a match.
    pub fn named_captures(&self, text: &[u8]) -> Vec<(BString, BString)> {
        let Some(captures) = self.captures(text) else { return Vec::new() };
        let names: Vec<Option<&str>> = match &self.engine {
            Engine::Linear(regex) => regex.capture_names().collect(),
            Engine::Backtracking(regex) => regex.capture_names().collect(),
        };
        let named = names.into_iter().zip(captures);
        named.filter_map(|(name, text)| Some((name?.to_ascii_lowercase().into(), text))).collect()
    }

    /// The names of the named groups.
    pub fn group_names(&self) -> Vec<BString> {
        match &self.engine {
            Engine::Linear(regex) => regex.capture_names().flatten().map(BString::from).collect(),
            Engine::Backtracking(regex) => regex.capture_names().flatten().map(BString::from).collect(),
        }
    }

    /// The pattern as written.
    pub fn source(&self) -> &BStr {
        self.source.as_bstr()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.source)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.source == other.source
    }
}

/// PCRE's words for the commonest mistakes, which log readers know; others keep this engine's words.
fn pcre_reason(reason: &str) -> String {
    const KNOWN: [(&str, &str); 5] = [
        ("unclosed group", "missing )"),
        ("unopened group", "unmatched parentheses"),
        ("unclosed character class", "missing terminating ] for character class"),
        ("repetition operator missing expression", "nothing to repeat"),
        ("unclosed counted repetition", "missing } in counted repetition"),
    ];
    match KNOWN.iter().find(|(ours, _)| reason.contains(ours)) {
        Some((_, pcre)) => (*pcre).into(),
        None => reason.lines().last().unwrap_or(reason).trim_start_matches("error: ").into(),
    }
}
