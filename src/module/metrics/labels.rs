//! Labels with names that peers choose.

use bstr::ByteSlice;

use crate::limits;

/// A name as the value of a label: valid UTF-8 without control characters, at most [`limits::METRICS_LABEL`] bytes long.
/// Different names may have the same label.
pub(super) fn label(name: &[u8]) -> String {
    let text = name.to_str_lossy();
    let mut label = String::new();
    for c in text.chars() {
        let c = if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { '?' } else { c };
        if label.len() + c.len_utf8() > limits::METRICS_LABEL {
            break;
        }
        label.push(c);
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_and_printable() {
        assert_eq!(label(b"a\"b\\c\n\x01\xff\x7f"), "a\"b\\c??\u{fffd}?");
        assert_eq!(label(&b"n".repeat(10_000)), "n".repeat(limits::METRICS_LABEL));
        let long = label("ü".repeat(10_000).as_bytes());
        assert!(long.len() <= limits::METRICS_LABEL && long.chars().all(|c| c == 'ü'));
    }
}
