//! Identifiers: reading the cookie, making a new identifier, and writing the cookie, as nginx does it.
//!
//! An identifier has four parts of four bytes: the service, the time, the process and a number. Version 2 writes them most
//! significant byte first, version 1 least significant byte first. One whose last part is zero counts as absent.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::{BStr, BString};

use super::settings::{UserIdExpires, UserIdFlags, UserIdMode};
use crate::http::base64::decode;
use crate::http::date::cookie_date;
use crate::http::variable::is_true;
use crate::syntax::sentence;

/// Length of the part of a cookie that is read: sixteen bytes in base64 without padding.
const DIGITS: usize = 22;
/// Step of the numbers of identifiers.
const STEP: u32 = 0x100;
/// First number of version 1.
const FIRST_V1: u32 = 1;
/// First number of version 2, and the one that follows the largest.
const FIRST_V2: u32 = 0x0303_0302;

/// The directives together.
#[derive(Clone, Copy, Debug)]
pub struct UserIdSettings<'s> {
    /// Whether the cookie is set.
    pub mode: UserIdMode,
    /// Name of the cookie.
    pub name: &'s BStr,
    /// Its domain; `none` for none.
    pub domain: &'s BStr,
    /// Its path.
    pub path: &'s BStr,
    /// How long it is kept.
    pub expires: UserIdExpires,
    /// Its attributes.
    pub flags: UserIdFlags,
    /// Its mark.
    pub mark: Option<u8>,
    /// First part of identifiers.
    pub service: Option<u64>,
}

/// An identifier.
pub type Id = [u8; 16];

/// The cookie that a client sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserIdGot {
    /// The identifier; `None` without a valid cookie.
    pub id: Option<Id>,
    /// The cookie's value.
    cookie: BString,
}

/// Why a cookie has no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserIdError {
    /// It is too short.
    Short,
    /// It is not base64.
    Invalid,
}

/// The identifier that a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserIdSet {
    /// The identifier.
    pub id: Id,
    /// Whether it replaces a valid one because of `$uid_reset`.
    pub is_reset: bool,
}

/// Source of new identifiers of a process.
#[derive(Debug)]
pub struct UserIdSource {
    /// Third part of identifiers.
    process: u32,
    next_v1: AtomicU32,
    next_v2: AtomicU32,
}

impl UserIdError {
    /// nginx's text for the error log.
    pub fn text(self, cookie: &[u8]) -> BString {
        let what = match self {
            UserIdError::Short => "client sent too short userid cookie \"",
            UserIdError::Invalid => "client sent invalid userid cookie \"",
        };
        sentence(&[what.as_bytes(), cookie, b"\""])
    }
}

impl UserIdGot {
    /// Reads the value of the cookie.
    ///
    /// # Errors
    ///
    /// The cookie has no identifier, which is only logged.
    pub fn parse(cookie: Option<&[u8]>) -> (UserIdGot, Option<UserIdError>) {
        let Some(cookie) = cookie else { return (UserIdGot::default(), None) };
        let mut got = UserIdGot { id: None, cookie: cookie.into() };
        // The end is not read: it may be marked, and there are cookies with garbage there.
        let Some(digits) = cookie.get(..DIGITS) else { return (got, Some(UserIdError::Short)) };
        let Some(decoded) = decode(digits) else { return (got, Some(UserIdError::Invalid)) };
        let mut id = Id::default();
        id[..decoded.len()].copy_from_slice(&decoded);
        got.id = (id[12..] != [0; 4]).then_some(id);
        (got, None)
    }
}

impl UserIdSource {
    /// For a process with this id, started at this fraction of a second in microseconds.
    pub fn new(process: u32, microseconds: u32) -> UserIdSource {
        UserIdSource {
            process: (microseconds / 20) << 16 | process & 0xffff,
            next_v1: AtomicU32::new(FIRST_V1),
            next_v2: AtomicU32::new(FIRST_V2),
        }
    }

    /// A new identifier. `local` is the server's address, `None` for a Unix socket; `now` is the time in seconds.
    fn make(&self, settings: &UserIdSettings<'_>, local: Option<IpAddr>, now: u64) -> Id {
        // nginx keeps 32 bits of each.
        let (now, service) = (now as u32, settings.service.map(|service| service as u32));
        if settings.mode == UserIdMode::V1 {
            let number = self.next_v1.fetch_add(STEP, Ordering::Relaxed);
            return join([service.unwrap_or(0), now, self.process, number].map(u32::to_le_bytes));
        }
        let next = |number: u32| number.wrapping_add(STEP).max(FIRST_V2);
        let number =
            self.next_v2.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| Some(next(number)));
        let number = number.unwrap_or(FIRST_V2);
        let service = match (service, local) {
            (Some(service), _) => service.to_be_bytes(),
            (None, Some(IpAddr::V4(ip))) => ip.octets(),
            (None, Some(IpAddr::V6(ip))) => (u128::from(ip) as u32).to_be_bytes(),
            (None, None) => [0; 4],
        };
        join([service, now.to_be_bytes(), self.process.to_be_bytes(), number.to_be_bytes()])
    }

    /// The identifier that a client gets; `None` if it keeps what it has. `reset` is the value of `$uid_reset`.
    pub fn decide(
        &self,
        settings: &UserIdSettings<'_>,
        got: &UserIdGot,
        reset: &[u8],
        local: Option<IpAddr>,
        now: u64,
    ) -> Option<UserIdSet> {
        if matches!(settings.mode, UserIdMode::Off | UserIdMode::Log) {
            return None;
        }
        let is_reset = got.id.is_some() && is_true(reset);
        if let Some(id) = got.id.filter(|_| !is_reset) {
            let is_marked = match settings.mark {
                None => true,
                Some(mark) => got.cookie.get(DIGITS..DIGITS + 2) == Some(&[mark, b'=']),
            };
            return (!is_marked).then_some(UserIdSet { id, is_reset });
        }
        Some(UserIdSet { id: self.make(settings, local, now), is_reset })
    }
}

impl UserIdSet {
    /// The value of the `Set-Cookie` header; `now` is the time in seconds.
    pub fn cookie(&self, settings: &UserIdSettings<'_>, got: &UserIdGot, now: u64) -> BString {
        let mut out = sentence(&[settings.name, b"="]);
        match (got.id, settings.mark) {
            (Some(_), mark) if !self.is_reset => {
                out.extend_from_slice(got.cookie.get(..DIGITS).unwrap_or_default());
                out.push(mark.unwrap_or(b'='));
                out.push(b'=');
            }
            (_, mark) => {
                out.extend_from_slice(STANDARD.encode(self.id).as_bytes());
                let marked = out.len() - 2;
                out[marked] = mark.unwrap_or(out[marked]);
            }
        }
        match settings.expires {
            UserIdExpires::Off => {}
            UserIdExpires::Max => out.extend_from_slice(b"; expires=Thu, 31-Dec-37 23:55:55 GMT"),
            UserIdExpires::Seconds(seconds) => {
                out.extend_from_slice(b"; expires=");
                out.extend_from_slice(cookie_date(now.saturating_add(seconds)).as_bytes());
            }
        }
        if settings.domain != "none" {
            out.extend_from_slice(b"; domain=");
            out.extend_from_slice(settings.domain);
        }
        out.extend_from_slice(b"; path=");
        out.extend_from_slice(settings.path);
        let site = [
            (UserIdFlags::SAMESITE_STRICT, "; samesite=strict"),
            (UserIdFlags::SAMESITE_LAX, "; samesite=lax"),
            (UserIdFlags::SAMESITE_NONE, "; samesite=none"),
        ];
        let alone = [(UserIdFlags::SECURE, "; secure"), (UserIdFlags::HTTPONLY, "; httponly")];
        let site = site.into_iter().find(|(flag, _)| settings.flags.contains(*flag));
        for (_, text) in alone.into_iter().filter(|(flag, _)| settings.flags.contains(*flag)).chain(site) {
            out.extend_from_slice(text.as_bytes());
        }
        out
    }
}

/// The value of `$uid_got` or `$uid_set`: the name, and the parts as numbers of a little-endian machine.
pub fn text(name: &[u8], id: &Id) -> BString {
    let (parts, _) = id.as_chunks::<4>();
    let parts: String = parts.iter().map(|part| format!("{:08X}", u32::from_le_bytes(*part))).collect();
    sentence(&[name, b"=", parts.as_bytes()])
}

fn join(parts: [[u8; 4]; 4]) -> Id {
    let mut id = Id::default();
    for (to, part) in id.chunks_mut(4).zip(parts) {
        to.copy_from_slice(&part);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> UserIdSettings<'static> {
        UserIdSettings {
            mode: UserIdMode::On,
            name: "uid".into(),
            domain: "none".into(),
            path: "/".into(),
            expires: UserIdExpires::Off,
            flags: UserIdFlags::OFF,
            mark: None,
            service: None,
        }
    }

    const LOCAL: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1)));
    const NOW: u64 = 0x6a09_0b5c;

    fn set(settings: &UserIdSettings<'_>, cookie: Option<&str>, reset: &str) -> Option<String> {
        let source = UserIdSource::new(0x1_1234, 40);
        let (got, _) = UserIdGot::parse(cookie.map(str::as_bytes));
        let set = source.decide(settings, &got, reset.as_bytes(), LOCAL, NOW)?;
        Some(set.cookie(settings, &got, NOW).to_string())
    }

    #[test]
    fn a_new_client_gets_a_cookie() {
        let want = "uid=fwAAAWoJC1wAAhI0AwMDAg==; path=/";
        assert_eq!(set(&plain(), None, "").as_deref(), Some(want));
        assert_eq!(set(&plain(), Some("short"), "1").as_deref(), Some(want));
        let service = UserIdSettings { service: Some(1), ..plain() };
        assert_eq!(set(&service, None, "").as_deref(), Some("uid=AAAAAWoJC1wAAhI0AwMDAg==; path=/"));
        let v1 = UserIdSettings { mode: UserIdMode::V1, ..plain() };
        assert_eq!(set(&v1, None, "").as_deref(), Some("uid=AAAAAFwLCWo0EgIAAQAAAA==; path=/"));
        for mode in [UserIdMode::Off, UserIdMode::Log] {
            assert_eq!(set(&UserIdSettings { mode, ..plain() }, None, ""), None);
        }
    }

    #[test]
    fn attributes_follow_in_the_order_of_nginx() {
        let settings = UserIdSettings {
            name: "id".into(),
            domain: "a.example".into(),
            path: "/p".into(),
            expires: UserIdExpires::Seconds(60),
            flags: UserIdFlags::SAMESITE_LAX | UserIdFlags::HTTPONLY | UserIdFlags::SECURE,
            mark: Some(b'm'),
            ..plain()
        };
        let want = "id=fwAAAWoJC1wAAhI0AwMDAgm=; expires=Sun, 17-May-26 00:28:08 GMT; domain=a.example; path=/p; secure; \
                    httponly; samesite=lax";
        assert_eq!(set(&settings, None, "").as_deref(), Some(want));
        let max = UserIdSettings { expires: UserIdExpires::Max, ..plain() };
        assert!(set(&max, None, "").unwrap().contains("; expires=Thu, 31-Dec-37 23:55:55 GMT; path=/"));
    }

    #[test]
    fn a_known_client_keeps_its_identifier() {
        let cookie = "fwAAAWoJC1wAAhI0AwMDAg==";
        assert_eq!(set(&plain(), Some(cookie), ""), None);
        assert_eq!(set(&plain(), Some(cookie), "0"), None);
        assert!(set(&plain(), Some("AAAAAWoJC1wAAhI0AwMDAg=="), "1").unwrap().starts_with("uid=fwAAAWoJC1w"));
        let marked = UserIdSettings { mark: Some(b'x'), ..plain() };
        assert_eq!(set(&marked, Some(cookie), "").as_deref(), Some("uid=fwAAAWoJC1wAAhI0AwMDAgx=; path=/"));
        assert_eq!(set(&marked, Some("fwAAAWoJC1wAAhI0AwMDAgx="), ""), None);
    }

    #[test]
    fn numbers_rise_and_start_again_above_zero() {
        let source = UserIdSource::new(1, 0);
        let last = |source: &UserIdSource| {
            let id = source.make(&plain(), None, 0);
            u32::from_be_bytes(id[12..].try_into().unwrap())
        };
        assert_eq!([last(&source), last(&source)], [FIRST_V2, FIRST_V2 + STEP]);
        source.next_v2.store(0xffff_ff02, Ordering::Relaxed);
        assert_eq!([last(&source), last(&source)], [0xffff_ff02, FIRST_V2]);
    }

    #[test]
    fn cookies_are_read_by_their_first_22_characters() {
        let (got, error) = UserIdGot::parse(Some(b"fwAAAWoJC1wAAhI0AwMDAg!!garbage"));
        assert_eq!(text(b"uid", &got.id.unwrap()), "uid=0100007F5C0B096A3412020002030303");
        assert_eq!(error, None);
        assert_eq!(UserIdGot::parse(Some(b"fwAAAWoJC1wAAhI0AwMDA")).1, Some(UserIdError::Short));
        let invalid = b"!wAAAWoJC1wAAhI0AwMDAg==";
        assert_eq!(UserIdGot::parse(Some(invalid)).1, Some(UserIdError::Invalid));
        assert_eq!(UserIdError::Invalid.text(b"x"), "client sent invalid userid cookie \"x\"");
        // Without a last part there is no identifier.
        assert_eq!(
            UserIdGot::parse(Some(b"fwAAAWoJC1wAAhI0AAAAAA==")),
            UserIdGot::parse(Some(b"fwAAAWoJC1wAAhI0AAAAAA=="))
        );
        assert_eq!(UserIdGot::parse(Some(b"fwAAAWoJC1wAAhI0AAAAAA==")).0.id, None);
        assert_eq!(UserIdGot::parse(Some(b"fw==AWoJC1wAAhI0AAAAAA==")).0.id, None);
    }
}
