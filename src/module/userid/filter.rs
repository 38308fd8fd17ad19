//! `userid`: the cookie of responses, and `$uid_got` and `$uid_set`.

use std::net::IpAddr;

use bstr::{BStr, ByteSlice};

use super::conf::Current;
use super::id::{Id, UserIdGot, UserIdSettings, UserIdSource, text};
use super::log;
use super::settings::{UserIdFlags, UserIdMode};
use crate::http::exchange::{Exchange, Lookup, RequestVariables, ResponseFilter, VariableLookup};
use crate::http::routes::Location;
use crate::http::variable::Variable;
use crate::task::clock;

/// Chooses the identifier that a response sets, before `add_header` asks for it.
pub struct UserIdChoice(UserIdSource);

/// The identifier that the response sets, and the value of its cookie.
#[derive(Clone)]
struct SetId {
    id: Id,
    cookie: Vec<u8>,
}

impl Default for UserIdChoice {
    fn default() -> Self {
        let started = clock::since_1970();
        UserIdChoice(UserIdSource::new(std::process::id(), started.subsec_micros()))
    }
}

fn sets_cookies(location: &Location) -> bool {
    !matches!(location.get::<Current>().mode, UserIdMode::Off | UserIdMode::Log)
}

impl ResponseFilter for UserIdChoice {
    fn applies_to(&self, location: &Location) -> bool {
        sets_cookies(location)
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        let location = exchange.location.clone();
        let conf = location.get::<Current>();
        if exchange.is_subrequest() {
            return;
        }
        let settings = settings(conf);
        let cookie = exchange.cookie(&conf.name.0);
        let (got, error) = UserIdGot::parse(cookie.as_ref().map(|cookie| cookie.as_bytes()));
        if let Some(error) = error {
            crate::http::log::about(exchange, &error.text(exchange.header("cookie")));
        }
        let reset = exchange.value(&Variable::Other("uid_reset".into()));
        let local: Option<IpAddr> = exchange.connected_peer().local_addr.parse().ok();
        let now = exchange.received_seconds();
        let set = self.0.decide(&settings, &got, &reset, local, now);
        if let Some(known) = got.id.filter(|_| reset[..] == *b"log") {
            log::cookie_reset(exchange, &text(&conf.name.0, &known));
        }
        match set {
            Some(set) => {
                let cookie = set.cookie(&settings, &got, now).to_vec();
                exchange.kept.insert(SetId { id: set.id, cookie });
            }
            None => drop(exchange.kept.remove::<SetId>()),
        }
    }
}

/// Sets the cookie that was chosen, behind the headers of `add_header` as in nginx.
pub struct UserIdFilter;

impl ResponseFilter for UserIdFilter {
    fn applies_to(&self, location: &Location) -> bool {
        sets_cookies(location)
    }

    fn filter(&self, exchange: &mut Exchange<'_>) {
        if exchange.is_subrequest() {
            return;
        }
        let Some(SetId { cookie, .. }) = exchange.kept.get::<SetId>().cloned() else { return };
        let location = exchange.location.clone();
        let p3p = &location.get::<Current>().p3p.0;
        exchange.response.headers.append("Set-Cookie", cookie);
        if *p3p != "none" {
            exchange.response.headers.append("P3P", p3p.to_vec());
        }
    }
}

fn settings(conf: &Current) -> UserIdSettings<'_> {
    UserIdSettings {
        mode: conf.mode,
        name: conf.name.0.as_bstr(),
        domain: conf.domain.0.as_bstr(),
        path: conf.path.0.as_bstr(),
        expires: conf.expires,
        flags: conf.flags.0.unwrap_or(UserIdFlags::OFF),
        mark: conf.mark.0,
        service: conf.service,
    }
}

/// `$uid_got` and `$uid_set`.
pub struct UserIdVariables;

impl RequestVariables for UserIdVariables {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        let conf = exchange.location.get::<Current>();
        let id = match name.as_bytes() {
            b"uid_got" if conf.mode == UserIdMode::Off => None,
            b"uid_got" => {
                let cookie = exchange.cookie(&conf.name.0);
                UserIdGot::parse(cookie.as_ref().map(|cookie| cookie.as_bytes())).0.id
            }
            b"uid_set" => exchange.kept.get::<SetId>().map(|set| set.id),
            _ => return Ok(None),
        };
        let Some(id) = id else { return Ok(Some(Lookup::Absent)) };
        out.extend_from_slice(&text(&conf.name.0, &id));
        Ok(Some(Lookup::Changing))
    }
}
