//! Converts JSON in crossplane's format to a configuration.

use super::payload::{Directive, Payload, from_text};
use crate::cli::command::task::CommandError;
use crate::syntax::text;

/// Columns per nesting level.
const INDENT: usize = 4;

/// Prints the files of a payload as configurations; several files are preceded by a line with their name, as with `-T`.
pub(super) fn build(payload: &Payload) -> Result<Vec<u8>, CommandError> {
    let mut out = Vec::new();
    for file in &payload.config {
        if payload.config.len() > 1 {
            out.extend_from_slice(format!("# configuration file {}:\n", file.file).as_bytes());
        }
        build_block(&file.parsed, 0, &mut out)?;
        if !out.is_empty() {
            out.push(b'\n');
        }
    }
    Ok(out)
}

fn build_block(block: &[Directive], depth: usize, out: &mut Vec<u8>) -> Result<(), CommandError> {
    let mut line_before = 0;
    for (at, directive) in block.iter().enumerate() {
        let is_comment = directive.directive == "#";
        let on_same_line = is_comment && at > 0 && directive.line != 0 && directive.line == line_before;
        if on_same_line {
            out.push(b' ');
        } else {
            if !out.is_empty() && out.last() != Some(&b'\n') {
                out.push(b'\n');
            }
            out.resize(out.len() + depth * INDENT, b' ');
        }
        line_before = directive.line;
        if is_comment {
            let text = from_text(directive.comment.as_deref().unwrap_or_default());
            if text.contains(&b'\n') {
                return Err(CommandError::Text(b"a comment holds a line feed".to_vec()));
            }
            out.push(b'#');
            out.extend_from_slice(&text);
            continue;
        }
        word(&directive.directive, out)?;
        if directive.directive == "if" {
            condition(&directive.args, out)?;
        } else {
            for arg in &directive.args {
                out.push(b' ');
                word(arg, out)?;
            }
        }
        match &directive.block {
            None => out.push(b';'),
            Some(inner) if inner.is_empty() => out.extend_from_slice(b" {}"),
            Some(inner) => {
                out.extend_from_slice(b" {");
                build_block(inner, depth + 1, out)?;
                out.push(b'\n');
                out.resize(out.len() + depth * INDENT, b' ');
                out.push(b'}');
            }
        }
    }
    Ok(())
}

fn word(text: &str, out: &mut Vec<u8>) -> Result<(), CommandError> {
    let spelled = text::spell(&from_text(text));
    if !text::fits(&spelled) {
        return Err(CommandError::Text(b"a word is longer than a configuration allows".to_vec()));
    }
    out.extend_from_slice(&spelled);
    Ok(())
}

/// Arguments of `if` with parentheses.
fn condition(args: &[String], out: &mut Vec<u8>) -> Result<(), CommandError> {
    out.extend_from_slice(b" ");
    let Some((last, first)) = args.split_last() else {
        out.extend_from_slice(b"()");
        return Ok(());
    };
    let mut open = "(";
    for arg in first {
        word(&format!("{open}{arg}"), out)?;
        out.push(b' ');
        open = "";
    }
    // A quoted last word cannot contain the parenthesis, which becomes a separate word, as in `"b")`.
    let spelled = text::spell(&from_text(&format!("{open}{last}")));
    if spelled.first().is_some_and(|b| matches!(b, b'"' | b'\'')) {
        word(&format!("{open}{last}"), out)?;
        out.push(b')');
        return Ok(());
    }
    word(&format!("{open}{last})"), out)
}
