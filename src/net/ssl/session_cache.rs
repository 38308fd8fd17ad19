//! The `ssl_session_cache` directive.

use bstr::BString;

use crate::directive::number;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::limits;
use crate::syntax::{Problem, sentence};

/// Least size of a shared cache: eight pages, as in nginx.
const LEAST: u64 = 8 * 4096;

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCaches {
    /// `none`: clients are told that sessions may be resumed, and none is kept.
    pub is_none: bool,
    /// Number of sessions of `builtin`.
    pub builtin: Option<u64>,
    /// Name and size in bytes of `shared`.
    pub shared: Option<(BString, u64)>,
}

impl Value for SessionCaches {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | none | [builtin[:size]] [shared:name:size]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<SessionCaches, Problem> {
        let mut caches = SessionCaches { is_none: false, builtin: None, shared: None };
        for word in args.words {
            let invalid =
                || Problem::new(sentence(&[b"invalid session cache \"", &word.bytes, b"\""])).at(word.span);
            match &word.bytes[..] {
                b"off" => {}
                b"none" => caches.is_none = true,
                b"builtin" => caches.builtin = Some(limits::TLS_SESSIONS),
                text => {
                    if let Some(size) = text.strip_prefix(b"builtin:") {
                        caches.builtin = Some(number::size(size).ok_or_else(invalid)?);
                        continue;
                    }
                    let shared = text.strip_prefix(b"shared:").ok_or_else(invalid)?;
                    let colon = shared.iter().position(|byte| *byte == b':').filter(|at| *at > 0);
                    let (name, size) = shared.split_at(colon.ok_or_else(invalid)?);
                    let size = number::size(&size[1..]).ok_or_else(invalid)?;
                    if size < LEAST {
                        let text = sentence(&[b"session cache \"", &word.bytes, b"\" is too small"]);
                        return Err(Problem::new(text).at(word.span));
                    }
                    caches.shared = Some((name.into(), size));
                }
            }
        }
        Ok(caches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn caches_are_read_as_nginx_reads_them() {
        let read: SessionCaches = sample::value("ssl_session_cache builtin:10 shared:a:1m;");
        assert_eq!(
            read,
            SessionCaches { is_none: false, builtin: Some(10), shared: Some(("a".into(), 1 << 20)) }
        );
        for bad in ["foo", "shared:a", "shared::1m", "shared:a:x", "builtin:x", "shared:a:1"] {
            let (read, said) = sample::read::<SessionCaches>(&format!("ssl_session_cache {bad};"));
            assert!(read.is_none() && said[0].contains("session cache"), "{bad} {said:?}");
        }
    }
}
