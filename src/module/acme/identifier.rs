//! What a certificate is ordered for: host names and addresses.

use std::fmt;
use std::net::IpAddr;

use crate::directive::ServerName;

/// Maximum length of a host name (RFC 1035 section 2.3.4).
const NAME: usize = 253;
/// Maximum length of a label.
const LABEL: usize = 63;

/// An identifier of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identifier {
    /// A host name in lower case.
    Dns(String),
    /// An address (RFC 8738).
    Ip(IpAddr),
}

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdentifierError {
    /// It is neither a host name nor an address.
    #[error("invalid server name: \"{0}\" is no host name")]
    Invalid(String),
    /// Wildcards need a challenge that does not exist here.
    #[error("invalid server name: \"{0}\" has a wildcard, for which no certificate can be ordered")]
    Wildcard(String),
}

impl Identifier {
    /// Reads a word of `acme_certificate`. A leading dot stands for the name with and without `www.`.
    pub(super) fn parse(text: &[u8]) -> Result<Vec<Identifier>, IdentifierError> {
        let shown = || String::from_utf8_lossy(text).into_owned();
        let name = std::str::from_utf8(text).map_err(|_| IdentifierError::Invalid(shown()))?;
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![Identifier::Ip(address)]);
        }
        if name.contains('*') {
            return Err(IdentifierError::Wildcard(shown()));
        }
        let name = name.to_ascii_lowercase();
        let (host, has_dot) = match name.strip_prefix('.') {
            Some(host) => (host, true),
            None => (&*name, false),
        };
        let full = if has_dot { format!("www.{host}") } else { host.to_owned() };
        if !is_host(&full) {
            return Err(IdentifierError::Invalid(shown()));
        }
        let mut found = vec![Identifier::Dns(full)];
        if has_dot {
            found.push(Identifier::Dns(host.to_owned()));
        }
        Ok(found)
    }

    /// Those of the names of a server, and the regular expressions among the names, which are none.
    pub(super) fn of_names(names: &[ServerName]) -> Result<(Vec<Identifier>, Vec<String>), IdentifierError> {
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        for name in names {
            match name {
                ServerName::Exact(name) if name.is_empty() => {}
                ServerName::Exact(name) => found.extend(Identifier::parse(name)?),
                // `.example` was read as two names.
                ServerName::LeadingWildcard(tail)
                    if names.iter().any(|other| matches!(other, ServerName::Exact(name) if tail.strip_prefix(b".") == Some(name))) =>
                {
                    found.extend(Identifier::parse(tail)?.into_iter().take(1));
                }
                ServerName::Regex(_) => left_out.push(name.spelled().to_string()),
                ServerName::LeadingWildcard(_) | ServerName::TrailingWildcard(_) => {
                    return Err(IdentifierError::Wildcard(name.spelled().to_string()));
                }
            }
        }
        Ok((found, left_out))
    }

    /// Its type in the protocol.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Identifier::Dns(_) => "dns",
            Identifier::Ip(_) => "ip",
        }
    }

    /// Name that the issuer asks for in a handshake: for addresses, that of reverse lookups (RFC 8738 section 6).
    pub(super) fn handshake_name(&self) -> String {
        match self {
            Identifier::Dns(name) => name.clone(),
            Identifier::Ip(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            Identifier::Ip(IpAddr::V6(address)) => {
                let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
                digits.map(|digit| format!("{digit:x}.")).collect::<String>() + "ip6.arpa"
            }
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identifier::Dns(name) => f.write_str(name),
            Identifier::Ip(address) => address.fmt(f),
        }
    }
}

/// Whether a name may stand in a certificate, and so in the name of a file.
fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LABEL).contains(&label.len())
            && label.bytes().all(inner)
            && label.bytes().any(|byte| byte.is_ascii_alphanumeric())
    };
    name.len() <= NAME && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(word: &str) -> Result<Vec<String>, IdentifierError> {
        Identifier::parse(word.as_bytes()).map(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn host_names_and_addresses_are_identifiers() {
        assert_eq!(texts("A.Example").unwrap(), ["a.example"]);
        assert_eq!(texts(".a.example").unwrap(), ["www.a.example", "a.example"]);
        assert_eq!(texts("192.0.2.1").unwrap(), ["192.0.2.1"]);
        assert_eq!(texts("2001:DB8::0:1").unwrap(), ["2001:db8::1"]);
        for bad in
            ["", ".", "a..b", "a.", "_", "a/b", "..", "a\u{e4}", "a b", &"a".repeat(64), &"a.".repeat(127)]
        {
            assert!(matches!(texts(bad), Err(IdentifierError::Invalid(_))), "{bad}");
        }
        for bad in ["*.example", "www.*", "*"] {
            assert!(matches!(texts(bad), Err(IdentifierError::Wildcard(_))), "{bad}");
        }
    }

    #[test]
    fn handshakes_ask_for_addresses_by_their_reverse_names() {
        let name = |word: &str| Identifier::parse(word.as_bytes()).unwrap()[0].handshake_name();
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let long = name("2001:db8::1");
        assert!(long.starts_with("1.0.0.0.") && long.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{long}");
    }

    #[test]
    fn names_of_servers_are_identifiers() {
        let exact = |name: &str| ServerName::Exact(name.into());
        let wild = |name: &str| ServerName::LeadingWildcard(name.into());
        let names = [exact("a.example"), exact(""), exact("b.example"), wild(".b.example")];
        let (found, _) = Identifier::of_names(&names).unwrap();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a.example", "b.example", "www.b.example"]);
        assert!(Identifier::of_names(&[wild(".c.example")]).is_err());
    }
}
