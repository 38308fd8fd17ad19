//! A number with its noun: `1 session`, `2 sessions`.

/// The number and the noun, with an `s` unless the number is 1.
pub fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_has_no_plural() {
        assert_eq!(
            [0, 1, 2].map(|number| counted(number, "session")),
            ["0 sessions", "1 session", "2 sessions"]
        );
    }
}
