//! The `ssl_ecdh_curve` directive.

use bstr::ByteSlice;

use crate::directive::{Args, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Supported curves by OpenSSL's names, preferred ones first; each with its other name.
pub const CURVES: [(&str, &str); 3] = [("X25519", "x25519"), ("prime256v1", "P-256"), ("secp384r1", "P-384")];
/// Curves of OpenSSL that are not supported.
const ABSENT: [&str; 7] =
    ["secp521r1", "P-521", "X448", "x448", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"];

/// Curves of key exchanges in order of preference, as positions in [`CURVES`].
///
/// Unlike in nginx, a list may contain curves that are not supported: a warning names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curves(pub Vec<usize>);

impl Value for Curves {
    fn syntax() -> String {
        "auto|curve[:curve...]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Curves, Problem> {
        let word = args.first();
        if &word.bytes[..] == b"auto" {
            return Ok(Curves((0..CURVES.len()).collect()));
        }
        let mut chosen = Vec::new();
        for name in word.bytes.split(|byte| *byte == b':') {
            let is = |known: &str| known.as_bytes() == name;
            match CURVES.iter().position(|(first, second)| is(first) || is(second)) {
                Some(curve) if chosen.contains(&curve) => {}
                Some(curve) => chosen.push(curve),
                None if ABSENT.iter().any(|known| is(known)) => {
                    let text = sentence(&[b"curve \"", name, b"\" does not exist here, it is left out"]);
                    evaluation.report(Problem::warning(text).at(word.span));
                }
                None => {
                    let text = sentence(&[b"SSL_CTX_set1_curves_list(\"", &word.bytes, b"\") failed"]);
                    let help = format!("the curve \"{}\" is unknown", name.as_bstr());
                    return Err(Problem::new(text).at(word.span).help(help));
                }
            }
        }
        // Connections must not use curves that the list excludes.
        if chosen.is_empty() {
            Err(args.refuse("names no curve that exists here"))
        } else {
            Ok(Curves(chosen))
        }
    }
}
