//! Domain, application, name and queries in `connect`, `publish` and `play`.

use std::net::IpAddr;

use bytes::Bytes;

use crate::media::{split_query, strip_port};
use crate::wire::rtmp::server_session::Connect;

/// The naming parts of a connect command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTarget {
    /// Host of tcUrl without port; the first level of the application if the host is an address and the application has
    /// several levels.
    pub domain: Bytes,
    /// Application.
    pub app: Bytes,
    /// Query of the application.
    pub args: Bytes,
    /// tcUrl; rewritten if domain and application were.
    pub tc_url: Bytes,
    /// Host of tcUrl, for selecting the virtual server.
    pub host: Bytes,
}

impl ConnectTarget {
    /// Parses a connect command as PingOS does (as recorded: `live/inst` on an address is domain `live`, application
    /// `inst`; a trailing slash is ignored; `?` begins the query).
    pub fn of(connect: &Connect) -> Self {
        let tc_url = connect.tc_url.clone();
        let (authority, path) = split_url(&tc_url);
        let host = strip_port(&authority);
        let full = if connect.app.is_empty() { path } else { connect.app.clone() };
        let (app, args) = split_query(&full);
        let app = trim_slashes(&app);
        let address =
            std::str::from_utf8(&host).is_ok_and(|h| h.trim_matches(['[', ']']).parse::<IpAddr>().is_ok());
        if let (true, Some(slash)) = (address, app.iter().position(|&b| b == b'/')) {
            let (domain, app) = (app.slice(..slash), app.slice(slash + 1..));
            let tc_url = [b"rtmp://", &domain[..], b"/", &app[..]].concat().into();
            return ConnectTarget { host: domain.clone(), domain, app, args, tc_url };
        }
        ConnectTarget { domain: host.clone(), app, args, tc_url, host }
    }
}

/// Splits `scheme://authority/path` into authority and path without leading slash.
fn split_url(url: &Bytes) -> (Bytes, Bytes) {
    let start = url.windows(3).position(|w| w == b"://").map_or(0, |at| at + 3);
    let rest = url.slice(start..);
    match rest.iter().position(|&b| b == b'/') {
        Some(slash) => (rest.slice(..slash), rest.slice(slash + 1..)),
        None => (rest, Bytes::new()),
    }
}

fn trim_slashes(app: &Bytes) -> Bytes {
    let start = app.iter().position(|&b| b != b'/').unwrap_or(app.len());
    let end = app.iter().rposition(|&b| b != b'/').map_or(start, |at| at + 1);
    app.slice(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(tc_url: &'static str, app: &'static str) -> (String, String, String, String) {
        let connect = Connect { tc_url: Bytes::from(tc_url), app: Bytes::from(app), ..Connect::default() };
        let t = ConnectTarget::of(&connect);
        let text = |b: &Bytes| String::from_utf8(b.to_vec()).expect("ASCII in tests");
        (text(&t.domain), text(&t.app), text(&t.args), text(&t.tc_url))
    }

    fn expect(parts: [&str; 4]) -> (String, String, String, String) {
        let [a, b, c, d] = parts.map(String::from);
        (a, b, c, d)
    }

    #[test]
    fn the_domain_is_the_host_without_port() {
        let t = target("rtmp://a.example:1935/live", "live");
        assert_eq!(t, expect(["a.example", "live", "", "rtmp://a.example:1935/live"]));
        let t = target("rtmp://[::1]:1935/live", "live");
        assert_eq!(t, expect(["[::1]", "live", "", "rtmp://[::1]:1935/live"]));
    }

    #[test]
    fn on_an_address_the_first_of_several_levels_is_the_domain() {
        let t = target("rtmp://127.0.0.1:1935/live/inst", "live/inst");
        assert_eq!(t, expect(["live", "inst", "", "rtmp://live/inst"]));
        let t = target("rtmp://h.example/live/inst", "live/inst");
        assert_eq!(t, expect(["h.example", "live/inst", "", "rtmp://h.example/live/inst"]));
    }

    #[test]
    fn trailing_slash_and_query_are_split_off() {
        let t = target("rtmp://127.0.0.1/live/", "live/");
        assert_eq!(t, expect(["127.0.0.1", "live", "", "rtmp://127.0.0.1/live/"]));
        let t = target("rtmp://127.0.0.1/live?k=v", "live?k=v");
        assert_eq!(t, expect(["127.0.0.1", "live", "k=v", "rtmp://127.0.0.1/live?k=v"]));
    }

    #[test]
    fn only_the_first_question_mark_splits() {
        let (name, query) = split_query(&Bytes::from_static(b"c?z=1?w=2"));
        assert_eq!((&name[..], &query[..]), (&b"c"[..], &b"z=1?w=2"[..]));
    }

    #[test]
    fn odd_urls_are_taken_as_they_come() {
        for url in ["", "://", "rtmp://", "rtmp:///", "]:[", "x"] {
            let _ = target(url, "");
        }
    }
}
