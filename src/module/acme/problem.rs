//! What issuers say of failures (RFC 7807, RFC 8555 section 6.7).

use std::fmt;

use serde::Deserialize;

use crate::log::shown::Shown;

const NAMESPACE: &str = "urn:ietf:params:acme:error:";
/// Bytes of an issuer's text in a log line.
const DETAIL: usize = 500;

/// A failure that an issuer reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    /// Status of the answer; 0 where it was no answer of its own.
    #[serde(skip)]
    status: u16,
    /// Its type: a URN.
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    subproblems: Vec<Subproblem>,
}

/// A failure with one identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Subproblem {
    detail: String,
    identifier: SubproblemIdentifier,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct SubproblemIdentifier {
    value: String,
}

/// What is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The account: nothing can be ordered with it.
    Account,
    /// The order: it is not repeated until the configuration changes.
    Order,
    /// It may be gone at the next attempt.
    Passing,
}

impl Problem {
    /// Of an answer's body; of another form, only with its beginning.
    pub(super) fn read(status: u16, body: &[u8]) -> Problem {
        let read = serde_json::from_slice(body).unwrap_or_else(|_| Problem {
            detail: String::from_utf8_lossy(&body[..body.len().min(DETAIL)]).into_owned(),
            ..Problem::default()
        });
        Problem { status, ..read }
    }

    /// Its type, without what all types begin with.
    pub(super) fn kind(&self) -> &str {
        self.kind.strip_prefix(NAMESPACE).unwrap_or(&self.kind)
    }

    /// What it is about: its type, or the status, and the identifier.
    pub(super) fn subject(&self) -> String {
        let name = self.subproblems.first().map_or("", |first| &first.identifier.value);
        match self.kind() {
            "" => format!("{} {name}", self.status),
            kind => format!("{kind} {name}"),
        }
    }

    /// Whether an order was refused because of the certificate that it says it replaces (RFC 9773 section 5).
    pub(super) fn refuses_replacement(&self) -> bool {
        matches!(self.kind(), "alreadyReplaced" | "malformed") || matches!(self.status, 404 | 409)
    }

    /// What is at fault, as nginx's module sees it.
    pub(super) fn fault(&self) -> Fault {
        match self.kind() {
            "accountDoesNotExist"
            | "badPublicKey"
            | "badSignatureAlgorithm"
            | "externalAccountRequired"
            | "invalidContact"
            | "unsupportedContact"
            | "userActionRequired" => Fault::Account,
            "badCSR"
            | "caa"
            | "invalidProfile"
            | "malformed"
            | "rejectedIdentifier"
            | "unsupportedIdentifier" => Fault::Order,
            _ => Fault::Passing,
        }
    }
}

/// The beginning of an issuer's text, escaped for the log.
pub(super) fn shown(text: &str) -> String {
    let end = (0..=text.len().min(DETAIL)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Shown::new(&text.as_bytes()[..end]).to_string()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            "" => write!(f, "status {}", self.status)?,
            kind => write!(f, "{}", shown(kind))?,
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", shown(&self.detail))?;
        }
        if let Some(first) = self.subproblems.first() {
            write!(f, " ({}: {})", shown(&first.identifier.value), shown(&first.detail))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_tell_what_is_at_fault() {
        let read = |kind: &str| {
            Problem::read(
                400,
                format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"a"}}"#).as_bytes(),
            )
        };
        assert_eq!(read("externalAccountRequired").fault(), Fault::Account);
        assert_eq!(read("rejectedIdentifier").fault(), Fault::Order);
        assert_eq!(read("connection").fault(), Fault::Passing);
        assert_eq!(read("rateLimited").to_string(), "rateLimited: a");
    }

    #[test]
    fn foreign_texts_stay_on_one_short_line() {
        let problem = Problem::read(502, b"<html>\n\"x\"");
        assert_eq!(problem.to_string(), "status 502: <html>\\x0A\\x22x\\x22");
        assert_eq!(Problem::read(503, b"").to_string(), "status 503");
        let long = format!(r#"{{"type":"a","detail":"{}\u00e4"}}"#, "b".repeat(2 * DETAIL));
        assert!(Problem::read(400, long.as_bytes()).to_string().len() < 2 * DETAIL);
        let with = r#"{"type":"x","detail":"a","subproblems":[{"detail":"b","identifier":{"type":"dns","value":"c"}}]}"#;
        assert_eq!(Problem::read(400, with.as_bytes()).to_string(), "x: a (c: b)");
    }
}
