//! `gzip_disable`: user agents whose responses are not compressed.

use bstr::ByteSlice;

use crate::directive::{Args, Arity, Evaluation, Pattern, Undecided, Value};
use crate::syntax::Problem;

/// One `gzip_disable` line.
#[derive(Clone, Debug)]
pub struct GzipDisable {
    /// `msie6`.
    has_msie6: bool,
    patterns: Vec<Pattern>,
}

impl GzipDisable {
    /// Whether the line names a user agent.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn names(&self, agent: &[u8]) -> Result<bool, Undecided> {
        if self.has_msie6 && is_msie6(agent) {
            return Ok(true);
        }
        for pattern in &self.patterns {
            if pattern.is_match(agent)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a user agent is MSIE 4 to 6, but not its version of Windows XP SP2, which can decompress.
fn is_msie6(agent: &[u8]) -> bool {
    let Some(at) = agent.find("MSIE ") else { return false };
    match &agent[at + 5..] {
        [b'4' | b'5', b'.', _, ..] => true,
        [b'6', b'.', _, rest @ ..] => !rest.contains_str("SV1"),
        _ => false,
    }
}

impl Value for GzipDisable {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "msie6 | regex ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<GzipDisable, Problem> {
        let mut line = GzipDisable { has_msie6: false, patterns: Vec::new() };
        for word in args.words {
            match &word.bytes[..] {
                b"msie6" => line.has_msie6 = true,
                text => line.patterns.push(Pattern::compile(word, text, true)?),
            }
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_msie() {
        assert!(is_msie6(b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT)"));
        assert!(is_msie6(b"Mozilla/4.0 (compatible; MSIE 5.5)"));
        assert!(!is_msie6(b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)"));
        assert!(!is_msie6(b"Mozilla/4.0 (compatible; MSIE 7.0)"));
        assert!(!is_msie6(b"MSIE 6.") && !is_msie6(b"MSIE ") && !is_msie6(b""));
    }
}
