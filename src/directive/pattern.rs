//! Regular expressions of configurations: PCRE2 over bytes, as in nginx.

mod dialect;

use std::fmt;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use pcre2::bytes::{Regex, RegexBuilder};

use crate::limits;
use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::tree::Word;

/// A compiled regular expression over bytes.
///
/// The cost of one match attempt is bounded ([`limits::PATTERN_STEPS`], [`limits::PATTERN_MEMORY`]). An attempt that
/// exceeds a bound is an error, never "no match".
#[derive(Clone)]
pub struct Pattern {
    regex: Arc<Regex>,
    source: BString,
    is_caseless: bool,
}

/// Result of a successful match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Texts of the groups, the whole match first; empty for a group that took no part in the match.
    pub groups: Vec<BString>,
    /// Names of the named groups, in lower case, with their texts.
    pub named: Vec<(BString, BString)>,
}

/// Error: the match attempt exceeded its bound of steps or memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a regular expression has reached its limit")
    }
}

impl std::error::Error for Undecided {}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// An error with PCRE's wording.
    pub fn compile(word: &Word, pattern: &[u8], is_caseless: bool) -> Result<Pattern, Problem> {
        let bounds = format!(
            "(*LIMIT_MATCH={})(*LIMIT_HEAP={})",
            limits::PATTERN_STEPS,
            limits::PATTERN_MEMORY / 1024
        );
        let text = bounds + &dialect::translate(pattern);
        let regex = RegexBuilder::new().caseless(is_caseless).build(&text).map_err(|error| {
            let reason = dialect::reason(&error.to_string());
            let text = sentence(&[b"pcre_compile() failed: ", reason.as_bytes(), b" in \"", pattern, b"\""]);
            Problem::new(text).at(word.span)
        })?;
        Ok(Pattern { regex: Arc::new(regex), source: pattern.into(), is_caseless })
    }

    /// Whether the pattern matches anywhere in the text.
    ///
    /// # Errors
    ///
    /// [`Undecided`].
    pub fn is_match(&self, text: &[u8]) -> Result<bool, Undecided> {
        self.regex.is_match(text).map_err(|_| Undecided)
    }

    /// Groups of the first match.
    ///
    /// # Errors
    ///
    /// [`Undecided`].
    pub fn find(&self, text: &[u8]) -> Result<Option<Match>, Undecided> {
        let Some(found) = self.regex.captures(text).map_err(|_| Undecided)? else { return Ok(None) };
        let groups: Vec<BString> = (0..found.len())
            .map(|at| found.get(at).map(|group| group.as_bytes().into()).unwrap_or_default())
            .collect();
        let names = self.regex.capture_names().iter().zip(&groups);
        let named = names
            .filter_map(|(name, text)| Some((name.as_ref()?.to_ascii_lowercase().into(), text.clone())))
            .collect();
        Ok(Some(Match { groups, named }))
    }

    /// Names of the named groups.
    pub fn group_names(&self) -> Vec<BString> {
        self.regex.capture_names().iter().flatten().map(|name| name.as_str().into()).collect()
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
        (&self.source, self.is_caseless) == (&other.source, other.is_caseless)
    }
}
