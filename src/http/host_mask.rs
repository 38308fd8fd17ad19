//! Names of hosts in tables, possibly with a star at one end, as `map` and `valid_referers` take them.

use std::collections::HashSet;

use bstr::{BString, ByteSlice};

use crate::syntax::sentence;

/// A host in lower case, possibly with a wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostMask {
    /// The host alone.
    Exact(BString),
    /// `*.host`.
    Leading(BString),
    /// `.host`: includes the host itself.
    LeadingOrExact(BString),
    /// `host.*`.
    Trailing(BString),
}

/// The hosts of a table, which must not repeat.
#[derive(Debug, Default)]
pub struct HostMasks(HashSet<HostMask>);

impl HostMask {
    /// Reads a host; `None` if it is none. A star is allowed at one end, next to a dot.
    pub fn parse(text: &[u8]) -> Option<HostMask> {
        let stars = text.find_iter("*").count();
        if stars > 1 || text.contains_str("..") || text.contains(&0) {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        Some(match lower.as_slice() {
            [b'.', host @ ..] if !host.is_empty() => HostMask::LeadingOrExact(host.into()),
            [b'*', b'.', host @ ..] if !host.is_empty() => HostMask::Leading(host.into()),
            [host @ .., b'.', b'*'] if !host.is_empty() => HostMask::Trailing(host.into()),
            _ if stars > 0 => return None,
            host => HostMask::Exact(host.into()),
        })
    }

    /// As it is written in a configuration.
    pub fn spelled(&self) -> BString {
        match self {
            HostMask::Exact(host) => host.clone(),
            HostMask::Leading(host) => sentence(&[b"*.", host]),
            HostMask::LeadingOrExact(host) => sentence(&[b".", host]),
            HostMask::Trailing(host) => sentence(&[host, b".*"]),
        }
    }
}

impl HostMasks {
    /// Adds a host; whether it is new. `.host` stands for the host itself and for `*.host`.
    pub fn add(&mut self, host: &HostMask) -> bool {
        match host {
            HostMask::LeadingOrExact(name) => {
                let exact = self.0.insert(HostMask::Exact(name.clone()));
                self.0.insert(HostMask::Leading(name.clone())) && exact
            }
            host => self.0.insert(host.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_allowed_at_one_end_next_to_a_dot() {
        for (text, spelled) in
            [("A.b", "a.b"), ("*.A", "*.a"), (".a", ".a"), ("a.*", "a.*"), (".", "."), ("", "")]
        {
            assert_eq!(HostMask::parse(text.as_bytes()).unwrap().spelled(), spelled, "{text}");
        }
        for text in ["*", "*a", "a*", "a.*.b", "*.a.*", "a..b", "a\0", "*."] {
            assert_eq!(HostMask::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_dot_in_front_stands_for_two_hosts() {
        let mut hosts = HostMasks::default();
        let mut add = |text: &str| hosts.add(&HostMask::parse(text.as_bytes()).unwrap());
        assert!(add(".a") && !add("a") && !add("*.a"));
        assert!(add("*.b") && !add(".b"));
        assert!(add("c") && !add(".c") && add("c.*"));
    }
}
