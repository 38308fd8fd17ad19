//! What tells a repeated request from another one.

use std::sync::{Arc, OnceLock};

use super::variable::{Variable, Variables};
use crate::task::random;

/// 32 hexadecimal digits, drawn at random, so that they stay apart over restarts and servers. Drawn at the first use: most
/// requests send none.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<OnceLock<String>>);

impl RequestId {
    /// Of another request than all before. Clones are of the same request.
    #[allow(clippy::new_without_default, reason = "no two of them are equal, as defaults should be")]
    pub fn new() -> Self {
        RequestId(Arc::default())
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        self.0.get_or_init(|| format!("{:016x}{:016x}", random(), random()))
    }
}

/// Variables of a request: its own number, and those of what it is about.
pub(super) struct Numbered<'a> {
    pub(super) id: &'a RequestId,
    pub(super) rest: &'a dyn Variables,
}

impl Variables for Numbered<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::NotifyId => out.extend_from_slice(self.id.as_str().as_bytes()),
            other => self.rest.value(other, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::request::Escape;
    use crate::notify::variable::Template;

    struct Nothing;

    impl Variables for Nothing {
        fn value(&self, _variable: &Variable, _out: &mut Vec<u8>) {}
    }

    fn expanded(text: &[u8], id: &RequestId) -> Vec<u8> {
        let mut out = Vec::new();
        let template = Template::compile(text).expect("a template");
        template.expand(&Numbered { id, rest: &Nothing }, Escape::Minimal, &mut out);
        out
    }

    #[test]
    fn a_number_is_drawn_where_it_is_sent_and_stays_over_retries() {
        let id = RequestId::new();
        expanded(b"a=$name&b=$pargs", &id);
        assert!(id.0.get().is_none(), "drawn for a request that does not send it");
        let again = id.clone();
        let first = expanded(b"$notify_id", &id);
        assert_eq!(first.len(), 32);
        assert_eq!(expanded(b"$notify_id", &again), first);
        assert_ne!(RequestId::new().as_str().as_bytes(), first);
    }
}
