//! What a client of the console may see.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST, ORIGIN, VIA};

use super::conf::ConsolePage;
use crate::http::exchange::Exchange;

/// Headers that proxies add. A request with one of them comes from elsewhere, though its connection begins here.
const OF_PROXIES: [&str; 4] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// What a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The player.
    Player,
    /// Everything, except the configuration.
    Watcher,
    /// Everything; may reload, roll back and end sessions.
    Controller,
}

impl Audience {
    /// The audience to which the client of a request belongs.
    pub(super) fn of(page: &ConsolePage, exchange: &Exchange<'_>) -> Audience {
        let ips = [exchange.peer().ip, exchange.connected_peer().ip];
        let is_forwarded = [FORWARDED, VIA].iter().any(|name| !exchange.header(name).is_empty())
            || OF_PROXIES.iter().any(|name| !exchange.header(name).is_empty());
        match page.is_open || is_local(ips, exchange.header(HOST), is_forwarded) {
            true if page.controls => Audience::Controller,
            true => Audience::Watcher,
            false => Audience::Player,
        }
    }

    /// Whether it sees streams, clients, relays and callbacks.
    pub(super) fn sees_everything(self) -> bool {
        self != Audience::Player
    }

    /// Whether it sees and changes the configuration, and ends sessions.
    pub(super) fn controls(self) -> bool {
        self == Audience::Controller
    }
}

/// Whether a request was sent by the page itself, not by a page of another site.
pub(super) fn is_same_origin(exchange: &Exchange<'_>) -> bool {
    let site = exchange.header("sec-fetch-site");
    (site.is_empty() || site == b"same-origin") && fits(exchange.header(ORIGIN), exchange.header(HOST))
}

/// Whether an origin has this host and port. A proxy may have taken over TLS, so the scheme may differ.
fn fits(origin: &[u8], host: &[u8]) -> bool {
    let named = [&b"http://"[..], b"https://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
    named.is_some_and(|named| !host.is_empty() && named.eq_ignore_ascii_case(host))
}

/// Whether a request comes from this machine: the addresses of its client and its connection are of the loopback interface,
/// no proxy has passed it on, and its `Host` is a name of this machine. Else a page elsewhere whose name leads to
/// 127.0.0.1 could read the answers (DNS rebinding).
fn is_local(ips: [Option<IpAddr>; 2], host: &[u8], is_forwarded: bool) -> bool {
    let loops = |ip: Option<IpAddr>| ip.is_some_and(|ip| ip.to_canonical().is_loopback());
    !is_forwarded && ips.into_iter().all(loops) && is_own_name(host)
}

fn is_own_name(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_this_machine_has_both_addresses_and_a_name_of_it() {
        let ip = |text: &str| Some(text.parse().unwrap());
        let here = [ip("127.0.0.1"), ip("::ffff:127.0.0.1")];
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.5:80", "[::1]:8080", "[::1]"] {
            assert!(is_local(here, host.as_bytes(), false), "{host}");
        }
        for host in
            ["", "example.test", "localhost.example.test", "127.0.0.1.example.test:80", "192.0.2.1", "\u{fc}"]
        {
            assert!(!is_local(here, host.as_bytes(), false), "{host}");
        }
        assert!(!is_local(here, b"localhost", true), "a proxy has passed it on");
        assert!(!is_local([ip("127.0.0.1"), ip("192.0.2.1")], b"localhost", false));
        assert!(!is_local([ip("192.0.2.1"), ip("127.0.0.1")], b"localhost", false));
        assert!(!is_local([None, None], b"localhost", false), "a unix socket");
    }

    #[test]
    fn an_origin_is_the_host_of_the_request() {
        assert!(fits(b"http://localhost:8080", b"localhost:8080"));
        assert!(fits(b"https://console.example.test", b"Console.example.test"));
        for origin in [
            &b""[..],
            b"null",
            b"http://localhost",
            b"http://localhost:8080.example.test",
            b"ftp://localhost:8080",
        ] {
            assert!(!fits(origin, b"localhost:8080"), "{}", origin.escape_ascii());
        }
        assert!(!fits(b"http://", b""));
    }
}
