//! Values parsed from text, for unit tests.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::args::Args;
use super::evaluation::{BaseDirectories, DetachedEvaluation};
use super::value::Value;
use crate::syntax::Vocabulary;
use crate::syntax::parser::Parser;

/// Names no directive.
struct Unknown;

impl Vocabulary for Unknown {
    fn is_simple(&self, _: &[u8]) -> bool {
        false
    }

    fn opens_block(&self, _: &[u8]) -> bool {
        false
    }
}

/// A value, and the sentences of all errors and warnings about it in their order.
pub fn read<V: Value>(statement: &str) -> (Option<V>, Vec<String>) {
    let mut parser = Parser::new(PathBuf::from("/"), &Unknown);
    parser.given(Path::new("sample.conf"), Bytes::copy_from_slice(statement.as_bytes()));
    let reading = parser.finish();
    assert!(!reading.reports.has_errors(), "{statement}");
    let node = reading.tree.body().into_iter().next().expect("one statement");
    let (name, words) = node.words().split_first().expect("a statement has a name");
    let body = node.opens_block().then(|| node.body());
    let args = Args { name, words, body, terminator: node.terminator() };
    let (mut detached, bases) = (DetachedEvaluation::default(), BaseDirectories::default());
    let parsed = if V::ARITY.fits(words.len()) {
        Some(V::parse(&args, &mut detached.evaluation(&reading.sources, &bases)))
    } else {
        None
    };
    let mut said: Vec<String> = detached
        .reports
        .into_sorted()
        .into_iter()
        .map(|diagnostic| diagnostic.sentence.to_string())
        .collect();
    match parsed {
        Some(Ok(value)) => (Some(value), said),
        Some(Err(problem)) => {
            said.push(problem.into_diagnostic().sentence.to_string());
            (None, said)
        }
        None => (None, vec!["invalid number of arguments".into()]),
    }
}

/// A value without errors or warnings.
pub fn value<V: Value>(statement: &str) -> V {
    let (value, said) = read(statement);
    assert!(said.is_empty(), "{statement}: {said:?}");
    value.expect("a value without problems")
}
