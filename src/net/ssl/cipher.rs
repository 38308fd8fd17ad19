//! The `ssl_ciphers` directive.

use crate::directive::{Args, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Supported cipher suites of TLS 1.2 by OpenSSL's names, preferred ones first.
pub const SUITES: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

/// A cipher list in OpenSSL's syntax, reduced to supported suites, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphers(pub Vec<&'static str>);

impl Value for Ciphers {
    fn syntax() -> String {
        "suite[:suite...]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Ciphers, Problem> {
        let word = args.first();
        let mut chosen: Vec<&'static str> = Vec::new();
        let mut barred: Vec<&[u8]> = Vec::new();
        let mut unknown: Vec<&[u8]> = Vec::new();
        for item in word.bytes.split(|b| matches!(b, b':' | b',' | b' ')).filter(|item| !item.is_empty()) {
            let known = SUITES.iter().find(|suite| suite.as_bytes() == item);
            match (known, item) {
                (Some(suite), _) => chosen.push(suite),
                (None, [b'!' | b'-', name @ ..]) => barred.push(name),
                (None, [b'+' | b'@', ..]) => {}
                (None, name) if name.contains(&b'-') || name.starts_with(b"TLS_") => unknown.push(name),
                // Group names such as HIGH or EECDH+AESGCM.
                (None, _) => chosen.extend(SUITES),
            }
        }
        for name in unknown.iter().filter(|name| !name.starts_with(b"TLS_")) {
            let text = sentence(&[b"cipher suite \"", name, b"\" does not exist here, it is left out"]);
            evaluation.report(Problem::warning(text).at(word.span));
        }
        let mut suites: Vec<&'static str> = Vec::new();
        for suite in chosen {
            if !suites.contains(&suite) && !barred.contains(&suite.as_bytes()) {
                suites.push(suite);
            }
        }
        if suites.is_empty() && unknown.is_empty() {
            return Err(args.refuse("names no cipher suite"));
        }
        // If only obsolete suites are listed, all supported ones are used.
        Ok(Ciphers(if suites.is_empty() { SUITES.to_vec() } else { suites }))
    }
}
