//! User and password of a request.

use bstr::{BString, ByteSlice};

use super::base64::decode;

/// User and password of an `Authorization: Basic` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user; never empty and without `:`.
    pub user: BString,
    /// The password.
    pub password: BString,
}

impl Credentials {
    /// Parses the value of an `Authorization` header. `None` stands for another scheme and for malformed values.
    pub fn parse(value: &[u8]) -> Option<Credentials> {
        let (scheme, rest) = value.split_at_checked(b"Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let encoded = rest.trim_start_with(|c| c == ' ');
        if encoded.is_empty() {
            return None;
        }
        let (user, password) = decode(encoded)?.split_once_str(":").map(|(u, p)| (u.into(), p.into()))?;
        let credentials = Credentials { user, password };
        (!credentials.user.is_empty()).then_some(credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_nginx_does() {
        let read = |value: &str| {
            Credentials::parse(value.as_bytes()).map(|c| (c.user.to_string(), c.password.to_string()))
        };
        let some = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read("Basic dTpw"), some("u", "p"));
        assert_eq!(read("bAsIc   dTpw"), some("u", "p"));
        assert_eq!(read("Basic dTpwOng="), some("u", "p:x"));
        assert_eq!(read("Basic dTpwOng"), some("u", "p:x"));
        assert_eq!(read("Basic dTpwOng=garbage"), some("u", "p:x"));
        assert_eq!(read("Basic dTo="), some("u", ""));
        // The bits behind the last byte need not be zero.
        assert_eq!(read("Basic dTp="), some("u", ""));
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Basic =",
            "Bearer dTpw",
            "Basic dTpwO",
            "Basic dXA=",
            "Basic OnA=",
            "Basic d!pw",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
