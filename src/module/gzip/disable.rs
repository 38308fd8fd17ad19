//! `gzip_disable`: user agents whose responses are not compressed.

use crate::directive::{Args, Arity, Evaluation, Pattern, Undecided, Value};
use crate::http::browser::is_msie6;
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
