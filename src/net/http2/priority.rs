//! Priorities of responses (RFC 9218): how urgent one is, and whether its client uses it piece by piece.

use sfparse::{Parser, Value};

/// Urgency of a response for which neither side names another one.
const USUAL: u8 = 3;
/// The least urgent.
const LEAST: i64 = 7;

/// Priority of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// From 0, the most urgent, to 7.
    pub urgency: u8,
    /// Whether a part of it is of use to the client.
    pub is_incremental: bool,
}

impl Default for Priority {
    fn default() -> Self {
        Priority { urgency: USUAL, is_incremental: false }
    }
}

/// What the value of a `Priority` field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamedPriority {
    urgency: Option<u8>,
    is_incremental: Option<bool>,
}

impl NamedPriority {
    /// Reads the value of a field, a dictionary of structured fields (RFC 9651 §3.2); `None` if it is not well-formed. As the RFC of
    /// priorities says, unknown parameters and values of another kind are as if they were not there.
    pub fn read(text: &[u8]) -> Option<NamedPriority> {
        let mut named = NamedPriority::default();
        let mut members = Parser::new(text);
        while let Some(member) = members.parse_dict().ok()? {
            match member {
                ("u", Value::Integer(urgency)) => {
                    named.urgency = (0..=LEAST).contains(&urgency).then_some(urgency.unsigned_abs() as u8);
                }
                ("u", _) => named.urgency = None,
                ("i", Value::Bool(is_incremental)) => named.is_incremental = Some(is_incremental),
                ("i", _) => named.is_incremental = None,
                _ => {}
            }
        }
        Some(named)
    }

    /// The priority, in which what is not named is as in `other`.
    pub fn over(self, other: Priority) -> Priority {
        Priority {
            urgency: self.urgency.unwrap_or(other.urgency),
            is_incremental: self.is_incremental.unwrap_or(other.is_incremental),
        }
    }
}

/// The priority that these lines of a `Priority` field name together.
pub fn of_lines<'l>(mut lines: impl Iterator<Item = &'l [u8]>) -> Option<NamedPriority> {
    let first = lines.next()?;
    match lines.next() {
        None => NamedPriority::read(first),
        Some(second) => {
            let all: Vec<&[u8]> = [first, second].into_iter().chain(lines).collect();
            NamedPriority::read(&all.join(&b", "[..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(u8, bool)> {
        let priority = NamedPriority::read(text.as_bytes())?.over(Priority::default());
        Some((priority.urgency, priority.is_incremental))
    }

    #[test]
    fn the_last_value_of_the_right_kind_counts() {
        for (text, priority) in [
            ("", (3, false)),
            ("u=0", (0, false)),
            ("u=7, i", (7, true)),
            ("i=?0, u=5", (5, false)),
            ("i, i=?0", (3, false)),
            ("u=8", (3, false)),
            ("u=-1", (3, false)),
            ("u=0, u=9", (3, false)),
            ("u=0, u=?1", (3, false)),
            ("u=1.0", (3, false)),
            ("u", (3, false)),
            ("i=1", (3, false)),
            ("i, i=yes", (3, false)),
            ("x=1;u=0, y=\"u=0\", u=2", (2, false)),
        ] {
            assert_eq!(read(text), Some(priority), "{text}");
        }
    }

    #[test]
    fn members_of_every_kind_are_passed_over() {
        for member in [
            "k",
            "k=?0",
            "k=-999999999999999",
            "k=007",
            "k=123456789012.125",
            "k=\"a \\\"b\\\\, u=0\"",
            "k=*t/o:k!",
            "k=:aGk=:",
            "k=:aGk:",
            "k=::",
            "k=()",
            "k=( a;u=1  \"u=0\" )",
            "a.b-c_d*1=5",
        ] {
            for text in [member.to_owned(), format!("{member};a; b=?0;*c=\"d\""), format!("  {member}")] {
                assert_eq!(read(&format!("{text} \t,\tu=5  ")), Some((5, false)), "{text}");
                assert_eq!(read(&text), Some((3, false)), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_dictionary_names_nothing() {
        for text in [
            "u=0, ",
            ",",
            "a,",
            "a, ",
            ",a",
            "a,,b",
            "a b",
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
            assert_eq!(read(text), None, "{text}");
            assert_eq!(read(&format!("u=0, {text}")), None, "{text}");
        }
    }

    #[test]
    fn any_text_is_read_or_names_nothing() {
        let mut seed = 1u64;
        let mut random = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % bound
        };
        let alphabet = b"iu=,; \t\"\\:()?01-.*@%=A\x7f\xff";
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..random(24)).map(|_| alphabet[random(alphabet.len())]).collect();
            let _ = NamedPriority::read(&text);
        }
    }

    #[test]
    fn what_one_side_does_not_name_is_left_to_the_other() {
        let of_client = NamedPriority::read(b"u=5, i").unwrap().over(Priority::default());
        let merged = |text: &str| NamedPriority::read(text.as_bytes()).unwrap().over(of_client);
        assert_eq!(merged("u=1"), Priority { urgency: 1, is_incremental: true });
        assert_eq!(merged("i=?0"), Priority { urgency: 5, is_incremental: false });
        assert_eq!(merged("a"), of_client);
    }

    #[test]
    fn lines_of_a_field_are_one_value() {
        let of = |lines: &[&'static [u8]]| of_lines(lines.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[b"u=1"]), NamedPriority::read(b"u=1"));
        assert_eq!(of(&[b"u=1", b"i", b"a"]), NamedPriority::read(b"u=1, i"));
        assert_eq!(of(&[b"u=1", b"I"]), None);
    }
}
