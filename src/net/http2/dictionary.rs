//! Dictionaries of HTTP's structured fields (RFC 8941 §3.2), read member by member. What does not parse is nothing at all.
//!
//! Strings, tokens and byte sequences are no longer than every reader has to accept, and members no more, so that reading a field
//! takes time in proportion to its length.

use crate::limits;

/// A value that a member has, as far as priorities need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// An integer.
    Integer(i64),
    /// `?0` or `?1`; a key without a value is true.
    Boolean(bool),
    /// A decimal, a string, a token, a byte sequence or a list.
    Other,
}

/// Reads a dictionary, whose members are given to `member` in their order; `None` if it is none. A key that comes again replaces
/// the value it had.
pub(super) fn read(text: &[u8], mut member: impl FnMut(&[u8], Value)) -> Option<()> {
    let mut rest = Rest(text);
    rest.skip(b" ");
    let mut members = 0;
    while !rest.0.is_empty() {
        members += 1;
        if members > limits::STRUCTURED_FIELD_MEMBERS {
            return None;
        }
        let key = rest.key()?;
        let value = match rest.takes(b'=') {
            true if rest.0.first() == Some(&b'(') => rest.list()?,
            true => rest.item()?,
            false => Value::Boolean(true),
        };
        rest.parameters()?;
        member(key, value);
        rest.skip(b" \t");
        if rest.0.is_empty() {
            return Some(());
        }
        if !rest.takes(b',') {
            return None;
        }
        rest.skip(b" \t");
        if rest.0.is_empty() {
            return None;
        }
    }
    Some(())
}

/// What was not read yet.
struct Rest<'t>(&'t [u8]);

impl<'t> Rest<'t> {
    fn skip(&mut self, spaces: &[u8]) {
        let _ = self.run(|byte| spaces.contains(&byte));
    }

    /// Whether this byte comes next, which is then read.
    fn takes(&mut self, byte: u8) -> bool {
        let comes = self.0.first() == Some(&byte);
        if comes {
            self.0 = &self.0[1..];
        }
        comes
    }

    /// The bytes up to the first one that is not wanted.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'t [u8] {
        let end = self.0.iter().position(|byte| !wanted(*byte)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn key(&mut self) -> Option<&'t [u8]> {
        let starts = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'*';
        self.0.first().filter(|byte| starts(byte))?;
        let goes_on = |byte: u8| starts(&byte) || byte.is_ascii_digit() || b"_-.".contains(&byte);
        Some(self.run(goes_on)).filter(|key| key.len() <= limits::STRUCTURED_FIELD_TOKEN)
    }

    fn parameters(&mut self) -> Option<()> {
        let mut number = 0;
        while self.takes(b';') {
            number += 1;
            if number > limits::STRUCTURED_FIELD_MEMBERS {
                return None;
            }
            self.skip(b" ");
            self.key()?;
            if self.takes(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn list(&mut self) -> Option<Value> {
        self.takes(b'(');
        for _ in 0..=limits::STRUCTURED_FIELD_MEMBERS {
            self.skip(b" ");
            if self.takes(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
        None
    }

    fn item(&mut self) -> Option<Value> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b':' => self.byte_sequence(),
            b'?' => {
                self.takes(b'?');
                let is_true = self.takes(b'1');
                (is_true || self.takes(b'0')).then_some(Value::Boolean(is_true))
            }
            first if first.is_ascii_alphabetic() || *first == b'*' => {
                let is_of_token =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
                (self.run(is_of_token).len() <= limits::STRUCTURED_FIELD_TOKEN).then_some(Value::Other)
            }
            _ => None,
        }
    }

    /// An integer of 15 digits, or a decimal of 12 digits and 3 behind the point.
    fn number(&mut self) -> Option<Value> {
        let is_negative = self.takes(b'-');
        let digits = self.run(|byte| byte.is_ascii_digit());
        if self.takes(b'.') {
            let fraction = self.run(|byte| byte.is_ascii_digit());
            let is_decimal = (1..=12).contains(&digits.len()) && (1..=3).contains(&fraction.len());
            return is_decimal.then_some(Value::Other);
        }
        if !(1..=15).contains(&digits.len()) {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        Some(Value::Integer(if is_negative { -number } else { number }))
    }

    fn string(&mut self) -> Option<Value> {
        self.takes(b'"');
        let mut length = 0;
        while !self.takes(b'"') {
            length += 1;
            if self.takes(b'\\') && !matches!(self.0.first(), Some(b'"' | b'\\')) {
                return None;
            }
            let (byte, rest) = self.0.split_first()?;
            if !matches!(byte, b' '..=b'~') || length > limits::STRUCTURED_FIELD_STRING {
                return None;
            }
            self.0 = rest;
        }
        Some(Value::Other)
    }

    /// Base64, with its padding or without.
    fn byte_sequence(&mut self) -> Option<Value> {
        self.takes(b':');
        let encoded = self.run(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)).len();
        let padding = self.run(|byte| byte == b'=').len();
        let is_padded = padding == 0 || (padding <= 2 && (encoded + padding).is_multiple_of(4));
        let is_whole = self.takes(b':') && encoded % 4 != 1 && is_padded;
        (is_whole && encoded + padding <= limits::STRUCTURED_FIELD_BYTES.div_ceil(3) * 4)
            .then_some(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Option<Vec<(String, Value)>> {
        let mut members = Vec::new();
        read(text.as_bytes(), |key, value| members.push((String::from_utf8_lossy(key).into(), value)))?;
        Some(members)
    }

    #[test]
    fn every_kind_of_value_is_read() {
        for (text, value) in [
            ("k", Value::Boolean(true)),
            ("k=?0", Value::Boolean(false)),
            ("k=?1", Value::Boolean(true)),
            ("k=-999999999999999", Value::Integer(-999_999_999_999_999)),
            ("k=007", Value::Integer(7)),
            ("k=123456789012.125", Value::Other),
            ("k=\"a \\\"b\\\\, c\"", Value::Other),
            ("k=*t/o:k!", Value::Other),
            ("k=:aGk=:", Value::Other),
            ("k=:aGk:", Value::Other),
            ("k=::", Value::Other),
            ("k=()", Value::Other),
            ("k=( a;b=1  \"c\" )", Value::Other),
        ] {
            let expected = ("k".to_owned(), value);
            for text in [text.to_owned(), format!("{text};a; b=?0;*c=\"d\""), format!("  {text}  ")] {
                assert_eq!(members(&text), Some(vec![expected.clone()]), "{text}");
            }
            let two = format!("a.b-c_d*1=5 \t,\t{text}");
            assert_eq!(members(&two), Some(vec![("a.b-c_d*1".to_owned(), Value::Integer(5)), expected]));
        }
        assert_eq!(members(""), Some(Vec::new()));
        assert_eq!(members("  "), Some(Vec::new()));
        let twice = vec![("u".to_owned(), Value::Integer(1)), ("u".to_owned(), Value::Integer(2))];
        assert_eq!(members("u=1,u=2"), Some(twice));
    }

    #[test]
    fn what_is_no_dictionary_is_nothing() {
        for text in [
            ",",
            "a,",
            "a, ",
            ",a",
            "a,,b",
            "a b",
            "\ta",
            "A",
            "1",
            "a=",
            "a= 1",
            "a =1",
            "a=@b",
            "a=?",
            "a=?2",
            "a=-",
            "a=1.",
            "a=.5",
            "a=1.2345",
            "a=1234567890123.5",
            "a=1234567890123456",
            "a=1.2.3",
            "a=\"b",
            "a=\"\\c\"",
            "a=\"\u{7f}\"",
            "a=\"b\\",
            "a=:a:",
            "a=:ab",
            "a=:ab===:",
            "a=:abc==:",
            "a=:a-b:",
            "a=(",
            "a=(b",
            "a=(b,c)",
            "a=(b\"c\")",
            "a=((b))",
            "a;",
            "a;B",
            "a;b=",
            "a;b=(c)",
            "a=b c",
            "é",
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }

    #[test]
    fn parts_are_bounded() {
        let many = |number: usize| (0..number).map(|n| format!("k{n}")).collect::<Vec<_>>();
        for (part, bound, made) in [
            (
                "members",
                limits::STRUCTURED_FIELD_MEMBERS,
                (&|n| many(n).join(", ")) as &dyn Fn(usize) -> String,
            ),
            ("parameters", limits::STRUCTURED_FIELD_MEMBERS, &|n| format!("a;{}", many(n).join(";"))),
            ("items", limits::STRUCTURED_FIELD_MEMBERS, &|n| format!("a=({})", many(n).join(" "))),
            ("string", limits::STRUCTURED_FIELD_STRING, &|n| format!("a=\"{}\"", "b".repeat(n))),
            ("token", limits::STRUCTURED_FIELD_TOKEN, &|n| format!("a={}", "b".repeat(n))),
            ("key", limits::STRUCTURED_FIELD_TOKEN, &|n| "b".repeat(n)),
        ] {
            assert!(members(&made(bound)).is_some(), "{part}");
            assert_eq!(members(&made(bound + 1)), None, "{part}");
        }
        let bytes = |encoded: usize| members(&format!("a=:{}:", "A".repeat(encoded)));
        assert!(bytes(21_848).is_some());
        assert_eq!(bytes(21_850), None);
    }

    #[test]
    fn any_text_is_read_or_is_nothing() {
        let mut seed = 1u64;
        let mut random = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % bound
        };
        let alphabet = b"au=,; \t\"\\:()?01-.*@=A\x7f\xff";
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..random(24)).map(|_| alphabet[random(alphabet.len())]).collect();
            let _ = read(&text, |key, _| assert!(!key.is_empty()));
        }
    }
}
