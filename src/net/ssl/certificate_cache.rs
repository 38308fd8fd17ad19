//! The value of `ssl_certificate_cache`.

use std::time::Duration;

use bstr::ByteSlice;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::syntax::{Problem, sentence};

/// How certificates that depend on clients are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateCache {
    /// Each handshake reads them.
    Off,
    /// They are kept.
    On {
        /// Maximum number of files.
        most: u64,
        /// Time without use after which one is dropped.
        inactive: Duration,
        /// Time after which one is read again.
        valid: Duration,
    },
}

/// Seconds of `inactive` and `valid` where they are not given, as in nginx.
const TIMES: (u64, u64) = (10, 60);

impl Value for CertificateCache {
    const ARITY: Arity = Arity::between(1, 3);

    fn syntax() -> String {
        "off | max=number [inactive=time] [valid=time]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<CertificateCache, Problem> {
        let (mut most, (mut inactive, mut valid)) = (None, TIMES);
        for word in args.words {
            let invalid =
                || Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""])).at(word.span);
            match word.bytes.split_once_str("=") {
                Some((b"max", value)) => {
                    most = Some(number::digits(value).filter(|most| *most > 0).ok_or_else(invalid)?);
                }
                Some((b"inactive", value)) => inactive = number::sec(value).ok_or_else(invalid)?,
                Some((b"valid", value)) => valid = number::sec(value).ok_or_else(invalid)?,
                None if &word.bytes[..] == b"off" && args.words.len() == 1 => {
                    return Ok(CertificateCache::Off);
                }
                _ => return Err(invalid()),
            }
        }
        let most = most.ok_or_else(|| args.refuse("must have the \"max\" parameter"))?;
        let (inactive, valid) = (Duration::from_secs(inactive), Duration::from_secs(valid));
        Ok(CertificateCache::On { most, inactive, valid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn values_are_nginx_s() {
        let on = |most, inactive, valid| {
            let (inactive, valid) = (Duration::from_secs(inactive), Duration::from_secs(valid));
            CertificateCache::On { most, inactive, valid }
        };
        for (text, value) in [
            ("off", CertificateCache::Off),
            ("max=100", on(100, 10, 60)),
            ("max=1 inactive=1m valid=2h", on(1, 60, 7200)),
        ] {
            assert_eq!(sample::value::<CertificateCache>(&format!("ssl_certificate_cache {text};")), value);
        }
        for bad in ["inactive=1m", "max=0", "max=x", "off max=1", "max=1 valid=x", "on"] {
            let (read, said) = sample::read::<CertificateCache>(&format!("ssl_certificate_cache {bad};"));
            assert!(read.is_none() && !said.is_empty(), "{bad}");
        }
    }
}
