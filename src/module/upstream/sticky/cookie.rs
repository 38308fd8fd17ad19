//! The cookie that tells a client its server.

use bstr::{BString, ByteSlice};

use crate::http::date::cookie_date;
use crate::http::variable::Template;

/// Values of `samesite`.
pub(super) const SAME_SITE: [&str; 3] = ["strict", "lax", "none"];

/// How long a browser keeps the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CookieExpiry {
    /// Until the end of 2037, and ten years at most.
    Max,
    /// For a number of seconds.
    Seconds(u64),
}

/// `sticky cookie`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StickyCookie {
    pub(super) name: BString,
    pub(super) expires: Option<CookieExpiry>,
    pub(super) domain: Option<Template>,
    pub(super) same_site: Option<Template>,
    pub(super) is_http_only: bool,
    pub(super) is_secure: bool,
    pub(super) path: Option<BString>,
}

/// Whether a text is a value of `samesite`.
pub(super) fn is_same_site(text: &[u8]) -> bool {
    SAME_SITE.iter().any(|known| text.eq_ignore_ascii_case(known.as_bytes()))
}

impl StickyCookie {
    /// The value of the `Set-Cookie` header, with the attributes in nginx's order. `now` is the second since 1970.
    pub(super) fn text(&self, sid: &[u8], now: u64, expand: impl Fn(&Template) -> Vec<u8>) -> Vec<u8> {
        let mut out = [&self.name[..], b"=", sid].concat();
        let mut add = |parts: [&[u8]; 2]| parts.iter().for_each(|part| out.extend_from_slice(part));
        match self.expires {
            None => {}
            Some(CookieExpiry::Max) => {
                add([b"; expires=Thu, 31-Dec-37 23:55:55 GMT", b"; max-age=315360000"]);
            }
            Some(CookieExpiry::Seconds(seconds)) => {
                let until = cookie_date(now.saturating_add(seconds));
                add([b"; expires=", until.as_bytes()]);
                add([b"; max-age=", seconds.to_string().as_bytes()]);
            }
        }
        if let Some(domain) =
            self.domain.as_ref().map(|domain| clean(expand(domain))).filter(|d| !d.is_empty())
        {
            add([b"; domain=", &domain]);
        }
        if self.is_http_only {
            add([b"; httponly", b""]);
        }
        if self.is_secure {
            add([b"; secure", b""]);
        }
        if let Some(site) = self.same_site.as_ref().map(&expand).filter(|site| !site.is_empty()) {
            add([b"; samesite=", if is_same_site(&site) { &site } else { b"strict" }]);
        }
        if let Some(path) = &self.path {
            add([b"; path=", path]);
        }
        out
    }
}

/// A value without what would end the header line; nginx sends it.
fn clean(value: Vec<u8>) -> Vec<u8> {
    match value.find_byteset(b"\r\n\0") {
        Some(end) => value[..end].to_vec(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cookie: &StickyCookie) -> String {
        String::from_utf8(cookie.text(b"a", 1_700_000_000, |_| b"lax\r\nX: y".to_vec())).unwrap()
    }

    #[test]
    fn attributes_are_in_the_order_of_nginx() {
        let mut cookie = StickyCookie { name: "srv".into(), ..StickyCookie::default() };
        assert_eq!(text(&cookie), "srv=a");
        cookie.path = Some("/p".into());
        (cookie.is_secure, cookie.is_http_only) = (true, true);
        cookie.expires = Some(CookieExpiry::Max);
        assert_eq!(
            text(&cookie),
            "srv=a; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000; httponly; secure; path=/p"
        );
        cookie.expires = Some(CookieExpiry::Seconds(3600));
        assert_eq!(
            text(&cookie),
            "srv=a; expires=Tue, 14-Nov-23 23:13:20 GMT; max-age=3600; httponly; secure; path=/p"
        );
    }

    #[test]
    fn values_of_variables_do_not_leave_their_attribute() {
        let cookie = StickyCookie {
            name: "srv".into(),
            domain: Some(Template::default()),
            same_site: Some(Template::default()),
            ..StickyCookie::default()
        };
        // What is none of the known values is the strictest.
        assert_eq!(text(&cookie), "srv=a; domain=lax; samesite=strict");
        let known = cookie.text(b"a", 0, |_| b"Lax".to_vec());
        assert_eq!(known, b"srv=a; domain=Lax; samesite=Lax");
        assert_eq!(cookie.text(b"a", 0, |_| Vec::new()), b"srv=a");
    }
}
