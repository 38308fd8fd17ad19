//! The `ssl_ocsp_cache` directive.

use bstr::BString;

use crate::directive::number;
use crate::directive::{Args, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Least size of a cache: eight pages, as in nginx.
const LEAST: u64 = 8 * 4096;

/// Name and size in bytes of the cache of certificates' statuses; `None` for `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspCache(pub Option<(BString, u64)>);

impl Value for OcspCache {
    fn syntax() -> String {
        "off | shared:name:size".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<OcspCache, Problem> {
        let word = args.first();
        if word.bytes == b"off"[..] {
            return Ok(OcspCache(None));
        }
        let invalid =
            || Problem::new(sentence(&[b"invalid OCSP cache \"", &word.bytes, b"\""])).at(word.span);
        let shared = word.bytes.strip_prefix(b"shared:").ok_or_else(invalid)?;
        let colon = shared.iter().position(|byte| *byte == b':').filter(|at| *at > 0);
        let (name, size) = shared.split_at(colon.ok_or_else(invalid)?);
        let size = number::size(&size[1..]).ok_or_else(invalid)?;
        if size < LEAST {
            let text = sentence(&[b"OCSP cache \"", &word.bytes, b"\" is too small"]);
            return Err(Problem::new(text).at(word.span));
        }
        Ok(OcspCache(Some((name.into(), size))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn caches_are_read_as_nginx_reads_them() {
        let read: OcspCache = sample::value("ssl_ocsp_cache shared:a:1m;");
        assert_eq!(read, OcspCache(Some(("a".into(), 1 << 20))));
        assert_eq!(sample::value::<OcspCache>("ssl_ocsp_cache off;"), OcspCache(None));
        for bad in ["foo", "shared:a", "shared::1m", "shared:a:x", "shared:a:1"] {
            let (read, said) = sample::read::<OcspCache>(&format!("ssl_ocsp_cache {bad};"));
            assert!(read.is_none() && said[0].contains("OCSP cache"), "{bad} {said:?}");
        }
    }
}
