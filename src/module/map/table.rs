//! `map`: a variable with values by key.
//!
//! As in nginx, an exact key precedes a host name with a leading wildcard, which precedes one with a trailing wildcard,
//! which precedes the regular expressions in their order. Keys are compared without regard to case.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use super::ingredients::Ingredients;
use crate::directive::{Args, Arity, Evaluation, Match, Pattern, Undecided, Value};
use crate::http::host_mask::{HostMask, HostMasks};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::tree::Node;
use crate::syntax::{Problem, Word, sentence};

/// A variable with a table of values by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Key to look up.
    pub source: Template,
    /// Variable name in lower case.
    pub name: BString,
    /// Whether the value is computed at each use instead of once per request.
    pub is_volatile: bool,
    values: Vec<Template>,
    /// Index of the value of unknown keys.
    default: Option<usize>,
    /// Whether keys may be host names with wildcards; a dot at the end of the looked-up key is then ignored.
    hostnames: bool,
    exact: HashMap<BString, usize>,
    /// Values of `*.host` by host.
    leading: HashMap<BString, usize>,
    /// Values of `host.*` by host.
    trailing: HashMap<BString, usize>,
    patterns: Vec<(Pattern, usize)>,
}

/// What a key was found to mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped<'m> {
    /// The value; `None` is the empty text.
    pub value: Option<&'m Template>,
    /// The match that the groups in the value refer to, if a regular expression decided.
    pub matched: Option<Match>,
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
            name: VariableNames::definition(name, evaluation)?,
            is_volatile: false,
            values: Vec::new(),
            default: None,
            hostnames: false,
            exact: HashMap::new(),
            leading: HashMap::new(),
            trailing: HashMap::new(),
            patterns: Vec::new(),
        };
        let mut taken = HostMasks::default();
        for entry in args.body.into_iter().flatten() {
            if let Err(problem) = map.entry(entry, &mut taken, evaluation) {
                evaluation.report(problem.place(entry.terminator()));
            }
        }
        let of = std::iter::once(&map.source).chain(&map.values).flat_map(Template::variables).cloned();
        evaluation.notes.of::<Ingredients>().define(&map.name, of);
        Ok(map)
    }
}

impl Map {
    fn entry(
        &mut self,
        entry: Node<'_>,
        taken: &mut HostMasks,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<(), Problem> {
        let Some(words) = evaluation.free_entry(entry) else { return Ok(()) };
        let (key, value) = match words {
            [word] if &word.bytes[..] == b"hostnames" => {
                self.hostnames = true;
                return Ok(());
            }
            [word] if &word.bytes[..] == b"volatile" => {
                self.is_volatile = true;
                return Ok(());
            }
            [key, value] => (key, value),
            _ => {
                let text = "invalid number of the map parameters";
                return Err(Problem::new(text).at(entry.span()).help("an entry is a key and a value"));
            }
        };
        let value = Template::compile(value, &value.bytes, evaluation)?;
        // Neighbours often share a value.
        if self.values.last() != Some(&value) {
            self.values.push(value);
        }
        let index = self.values.len() - 1;
        match &key.bytes[..] {
            b"default" if self.default.is_some() => {
                Err(Problem::new("duplicate default map parameter").at(key.span))
            }
            b"default" => {
                self.default = Some(index);
                Ok(())
            }
            [b'~', regex @ ..] => {
                let (regex, is_caseless) = match regex {
                    [b'*', regex @ ..] => (regex, true),
                    regex => (regex, false),
                };
                let pattern = Pattern::compile(key, regex, is_caseless)?;
                VariableNames::define_groups(&pattern, key, evaluation)?;
                self.patterns.push((pattern, index));
                Ok(())
            }
            [b'\\', literal @ ..] => self.add(literal, key, index, taken),
            literal => self.add(literal, key, index, taken),
        }
    }

    /// Adds a key that is no regular expression.
    fn add(&mut self, text: &[u8], word: &Word, index: usize, taken: &mut HostMasks) -> Result<(), Problem> {
        let refuse =
            |what: &str| Problem::new(sentence(&[what.as_bytes(), b" \"", text, b"\""])).at(word.span);
        let key = if self.hostnames {
            HostMask::parse(text).ok_or_else(|| refuse("invalid hostname or wildcard"))?
        } else {
            HostMask::Exact(text.to_ascii_lowercase().into())
        };
        if !taken.add(&key) {
            return Err(refuse("conflicting parameter"));
        }
        match key {
            HostMask::Exact(key) => drop(self.exact.insert(key, index)),
            HostMask::Leading(host) => drop(self.leading.insert(host, index)),
            HostMask::LeadingOrExact(host) => {
                self.exact.insert(host.clone(), index);
                self.leading.insert(host, index);
            }
            HostMask::Trailing(host) => drop(self.trailing.insert(host, index)),
        }
        Ok(())
    }

    /// Looks up a key.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn find(&self, key: &[u8]) -> Result<Mapped<'_>, Undecided> {
        let key = match key {
            [host @ .., b'.'] if self.hostnames => host,
            key => key,
        };
        let found = |index: usize, matched| Mapped { value: self.values.get(index), matched };
        if let Some(index) = self.find_literal(key) {
            return Ok(found(index, None));
        }
        // An empty key is not compared with regular expressions.
        let patterns = if key.is_empty() { &[] } else { &self.patterns[..] };
        for (pattern, index) in patterns {
            if let Some(matched) = pattern.find(key)? {
                return Ok(found(*index, Some(matched)));
            }
        }
        Ok(self.otherwise())
    }

    /// What a key without an entry has.
    pub fn otherwise(&self) -> Mapped<'_> {
        Mapped { value: self.default.and_then(|index| self.values.get(index)), matched: None }
    }

    fn find_literal(&self, key: &[u8]) -> Option<usize> {
        let lower = key.to_ascii_lowercase();
        if let Some(index) = self.exact.get(lower.as_bstr()) {
            return Some(*index);
        }
        // The first dot gives the longest suffix, the last dot the longest prefix.
        let mut tails = lower.find_iter(".").map(|dot| &lower[dot + 1..]);
        let leading = tails.find_map(|tail| self.leading.get(tail.as_bstr()));
        let trailing = || lower.rfind_iter(".").find_map(|dot| self.trailing.get(lower[..dot].as_bstr()));
        leading.or_else(trailing).copied()
    }

    /// All values, for the variables that they use.
    pub fn values(&self) -> &[Template] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    fn map(body: &str) -> Map {
        sample::value(&format!("map $http_x $y {{ {body} }}"))
    }

    fn literal(map: &Map, key: &str) -> String {
        let found = map.find(key.as_bytes()).unwrap();
        found.value.map(|value| value.literal().unwrap().to_string()).unwrap_or_default()
    }

    fn said(body: &str) -> Vec<String> {
        sample::read::<Map>(&format!("map $http_x $y {{ {body} }}")).1
    }

    #[test]
    fn exact_keys_ignore_case_and_unknown_ones_have_the_default() {
        let map = map("Foo 1; \"\" empty; \\default 2; \\~x 3; default other; *.a.b 4;");
        let keys = ["foo", "FOO", "", "default", "~X", "*.a.b", "x.a.b", "foo."];
        let values = keys.map(|key| literal(&map, key));
        assert_eq!(values, ["1", "1", "empty", "2", "3", "4", "other", "other"]);
    }

    #[test]
    fn without_a_default_an_unknown_key_is_empty() {
        assert_eq!(map("a 1;").find(b"b").unwrap(), Mapped { value: None, matched: None });
    }

    #[test]
    fn longest_wildcard_wins_and_leading_precedes_trailing() {
        let map = map(
            "hostnames; default none; *.b.c 1; *.a.b.c 2; .d.e 3; www.* 4; www.x.* 5; *.y 6; ~^www 7; .y.z 8;",
        );
        for (host, want) in [
            ("x.b.c", "1"),
            ("x.a.b.c", "2"),
            ("b.c", "none"),
            (".b.c", "1"),
            ("a.b.c", "1"),
            ("d.e", "3"),
            ("D.E.", "3"),
            ("q.r.d.e", "3"),
            ("www.q", "4"),
            ("www.x.q", "5"),
            ("www.x", "4"),
            ("www.x.y", "6"),
            ("www.", "7"),
            ("www", "7"),
            ("y", "none"),
            ("", "none"),
        ] {
            assert_eq!(literal(&map, host), want, "{host}");
        }
    }

    #[test]
    fn regexes_are_tried_in_order_and_give_groups() {
        let map = map("~^a(?<tail>.*)$ $tail; ~*^A 2; ~ 3; b 4;");
        let found = map.find(b"abc").unwrap();
        assert_eq!(found.matched.unwrap().named, [("tail".into(), "bc".into())]);
        assert_eq!(literal(&map, "Abc"), "2");
        assert_eq!(literal(&map, "x"), "3");
        assert_eq!(literal(&map, "b"), "4");
        assert_eq!(literal(&map, ""), "");
    }

    #[test]
    fn conflicts_are_refused_in_the_words_of_nginx() {
        for (body, want) in [
            ("A 1; a 2;", "conflicting parameter \"a\""),
            ("\"\" x; \"\" y;", "conflicting parameter \"\""),
            ("hostnames; *.a.b 1; .a.b 2;", "conflicting parameter \".a.b\""),
            ("hostnames; .a.b 1; a.b 2;", "conflicting parameter \"a.b\""),
            ("hostnames; *a 1;", "invalid hostname or wildcard \"*a\""),
            ("hostnames; a..b 1;", "invalid hostname or wildcard \"a..b\""),
            ("default 1; default 2;", "duplicate default map parameter"),
            ("a b c;", "invalid number of the map parameters"),
            ("a;", "invalid number of the map parameters"),
        ] {
            assert_eq!(said(body), [want], "{body}");
        }
        for body in ["~a 1; ~a 2;", "*.a.b 1; hostnames; *.a.b 2;", "\\default 1; default 2;", "volatile 2;"]
        {
            assert!(said(body).is_empty(), "{body}");
        }
        assert!(map("volatile;").is_volatile);
    }

    #[test]
    fn large_tables_are_found_by_hash() {
        let body: String = (0..100_000).map(|n| format!("key{n} v{n};\n")).collect();
        let map = map(&body);
        for n in [0, 1, 50_000, 99_999] {
            assert_eq!(literal(&map, &format!("KEY{n}")), format!("v{n}"));
        }
    }
}
