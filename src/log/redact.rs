//! Secrets in query strings: their values do not reach the error log, whatever line they stand in.

use std::borrow::Cow;

/// Names of arguments, in lower case, whose values are secrets.
const SECRETS: &[&str] = &[
    "access_key",
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "auth_key",
    "authorization",
    "jwt",
    "key",
    "pass",
    "passwd",
    "password",
    "pwd",
    "secret",
    "session",
    "session_id",
    "sessionid",
    "sig",
    "sign",
    "signature",
    "token",
    "txsecret",
    "wssecret",
];

/// The text with `***` in place of the values of secret arguments (`?token=abc&a=b` becomes `?token=***&a=b`), and of names and
/// passwords in URLs (`http://user:password@host/` becomes `http://***@host/`).
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    match without_users(text) {
        None => without_arguments(text),
        Some(text) => Cow::Owned(without_arguments(&text).into_owned()),
    }
}

/// The text without the names and passwords of URLs; `None` if there are none.
fn without_users(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let authority = &text[start..];
        let length =
            authority.find(|c: char| ends_value(c) || matches!(c, '/' | '?')).unwrap_or(authority.len());
        if let Some(end) = authority[..length].rfind('@').filter(|_| start >= done) {
            out.push_str(&text[done..start]);
            out.push_str("***");
            done = start + end;
        }
    }
    (done > 0).then(|| out + &text[done..])
}

fn without_arguments(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices('=') {
        if at < done || !is_secret(&text[done..at]) {
            continue;
        }
        let value = &text[at + 1..];
        let length = value.find(ends_value).unwrap_or(value.len());
        if length > 0 {
            out.push_str(&text[done..=at]);
            out.push_str("***");
            done = at + 1 + length;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Whether a text ends with the name of a secret argument, behind what begins an argument.
fn is_secret(before: &str) -> bool {
    let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    let Some(start) = start else { return false };
    let begins = before[start..].starts_with(['?', '&', ';']);
    begins && SECRETS.iter().any(|name| before[start + 1..].eq_ignore_ascii_case(name))
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '&' | ';' | '#' | '"' | '\'' | ',' | '<' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_left_out_wherever_they_stand() {
        for (text, want) in [
            ("GET /s?token=abc HTTP/1.1", "GET /s?token=*** HTTP/1.1"),
            ("\"/s?a=b&Password=x=y;z&c=d\"", "\"/s?a=b&Password=***;z&c=d\""),
            ("?sign=1&key=2&n=3", "?sign=***&key=***&n=3"),
            ("GET /hls/s.m3u8?session=1-2t&tk=1 HTTP/1.1", "GET /hls/s.m3u8?session=***&tk=1 HTTP/1.1"),
            ("?token=&n=3", "?token=&n=3"),
            ("from http://u:p%40@h:1/?token=a to b://@c", "from http://***@h:1/?token=*** to b://***@c"),
            ("http://h/a@b \"https://h?a@b\" //u:p@h", "http://h/a@b \"https://h?a@b\" //u:p@h"),
            ("the key=3 and monkey?donkey=4", "the key=3 and monkey?donkey=4"),
            ("\"http://h/?wsSecret=caf\u{e9}\", x", "\"http://h/?wsSecret=***\", x"),
        ] {
            assert_eq!(redacted(text), want);
        }
        assert!(matches!(redacted("nothing to hide = 3"), Cow::Borrowed(_)));
    }
}
