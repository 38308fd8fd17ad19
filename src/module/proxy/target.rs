//! The `proxy_pass` directive, and the URLs that it names.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::directive::context::{LIMIT_EXCEPT, LOCATION_IF};
use crate::directive::{Args, Evaluation, Value, number};
use crate::http::location::LocationName;
use crate::http::upstream::group::{Group, TargetWithPort, TargetsWithPort};
use crate::http::upstream::peers::{Server, ServerPlace};
use crate::http::variable::Template;
use crate::syntax::{Problem, sentence};

/// Target of forwarded requests.
#[derive(Clone, Debug)]
pub struct ProxyPass {
    /// The URL as written, with variables.
    pub url: Template,
    /// The target of a URL without variables.
    pub fixed: Option<ProxyTarget>,
}

/// The `proxy_pass` of a block while its lines are read, for `proxy_redirect default`.
#[derive(Default)]
pub(super) enum PassSoFar {
    #[default]
    None,
    Variable,
    Fixed,
}

/// Why a URL cannot be forwarded to, in nginx's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It begins with neither `http://` nor `https://`.
    #[error("invalid URL prefix")]
    Prefix,
    /// The Unix socket has no path.
    #[error("no path in the unix domain socket")]
    NoPath,
    /// The host is malformed.
    #[error("invalid host")]
    Host,
    /// There is no host.
    #[error("no host")]
    NoHost,
    /// The port is none.
    #[error("invalid port")]
    Port,
    /// The address in brackets is none.
    #[error("invalid IPv6 address")]
    Ipv6,
}

/// A URL to forward to.
#[derive(Clone, Debug)]
pub struct ProxyTarget {
    /// Whether the connection uses TLS.
    pub is_encrypted: bool,
    /// The URL as written.
    pub url: BString,
    /// Host with the port, if it is another than the scheme's (`$proxy_host`).
    pub host_header: BString,
    /// Port as written, otherwise the scheme's (`$proxy_port`); none of a Unix socket.
    pub port: BString,
    /// Host as written, without port: perhaps the name of a group.
    pub host: BString,
    /// Whether a port was written.
    pub has_port: bool,
    /// URI part; empty if there is none.
    pub uri: BString,
    /// The server, if the host is no group.
    pub group: Arc<Group>,
}

impl ProxyTarget {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// It is malformed.
    pub fn read(url: &[u8]) -> Result<ProxyTarget, TargetError> {
        let starts = |scheme: &[u8]| {
            let beginning = url.get(..scheme.len()).filter(|_| url.len() > scheme.len());
            beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
        };
        let (is_encrypted, rest) = match () {
            () if starts(b"http://") => (false, &url[7..]),
            () if starts(b"https://") => (true, &url[8..]),
            () => return Err(TargetError::Prefix),
        };
        let usual_port = if is_encrypted { 443 } else { 80 };
        let target = |host_header: &[u8],
                      port: BString,
                      host: &[u8],
                      has_port,
                      uri: &[u8],
                      address: BString,
                      place| ProxyTarget {
            is_encrypted,
            url: url.into(),
            host_header: host_header.into(),
            port,
            host: host.into(),
            has_port,
            uri: uri.into(),
            group: Arc::new(Group::of_server(Server::plain(address, place))),
        };
        if rest.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"unix:")) {
            // The path of a Unix socket ends at a colon.
            let (path, uri) = rest[5..].split_once_str(":").unwrap_or((&rest[5..], b""));
            if path.is_empty() {
                return Err(TargetError::NoPath);
            }
            let address = [b"unix:", path].concat().into();
            let place = ServerPlace::Unix(OsStr::from_bytes(path).into());
            return Ok(target(b"localhost", BString::default(), path, false, uri, address, place));
        }
        let (authority, uri) = rest.split_at(rest.find_byteset("/?").unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix(b"[") {
            Some(inside) => {
                let end = inside.find_byte(b']').ok_or(TargetError::Host)? + 2;
                match authority[end..].strip_prefix(b":") {
                    Some(port) => (&authority[..end], Some(port)),
                    None if authority.len() > end => return Err(TargetError::Host),
                    None => (authority, None),
                }
            }
            None => match authority.split_once_str(":") {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        let number = match port {
            None => usual_port,
            Some(port) => number::digits(port)
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port > 0)
                .ok_or(TargetError::Port)?,
        };
        let bare = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
        let literal = bare.to_str().ok().and_then(|host| host.parse::<IpAddr>().ok());
        let place = match literal {
            Some(ip) => ServerPlace::Address(SocketAddr::new(ip, number)),
            None if host.starts_with(b"[") => return Err(TargetError::Ipv6),
            None => ServerPlace::Name(host.into(), number),
        };
        let header = if number == usual_port { host } else { authority };
        let text = number.to_string().into();
        let address = [host, b":", number.to_string().as_bytes()].concat().into();
        Ok(target(header, text, host, port.is_some(), uri, address, place))
    }
}

impl Value for ProxyPass {
    fn syntax() -> String {
        "http://host[:port][/uri] | https://... | http://unix:path:[/uri]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ProxyPass, Problem> {
        let word = args.first();
        let url = Template::compile(word, &word.bytes, evaluation)?;
        if word.bytes.contains(&b'$') {
            *evaluation.block.of::<PassSoFar>() = PassSoFar::Variable;
            return Ok(ProxyPass { url, fixed: None });
        }
        let target = ProxyTarget::read(&word.bytes).map_err(|reason| {
            if reason == TargetError::Prefix {
                return Problem::new(reason.to_string())
                    .at(word.span)
                    .help("written as http://host[:port][/uri]");
            }
            let rest = word.bytes.split_once_str("://").map_or(&word.bytes[..], |(_, rest)| rest);
            Problem::new(sentence(&[reason.to_string().as_bytes(), b" in upstream \"", rest, b"\""]))
                .at(word.span)
        })?;
        *evaluation.block.of::<PassSoFar>() = PassSoFar::Fixed;
        let inside = evaluation.head::<LocationName>();
        let no_prefix =
            inside.is_some_and(|name| name.is_no_path() || matches!(name, LocationName::Named(_)));
        if !target.uri.is_empty() && (no_prefix || evaluation.context & (LOCATION_IF | LIMIT_EXCEPT) != 0) {
            let text = "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named \
                        location, or inside \"if\" statement, or inside \"limit_except\" block";
            return Err(Problem::new(text)
                .at(word.span)
                .help("there is no prefix that the URI part could replace"));
        }
        if target.has_port {
            evaluation.notes.of::<TargetsWithPort>().0.push(TargetWithPort {
                host: target.host.clone(),
                port: target.port.clone(),
                span: word.span,
                place: args.terminator,
            });
        }
        Ok(ProxyPass { url, fixed: Some(target) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_in_nginx() {
        for (url, header, port, uri, address) in [
            ("http://a", "a", "80", "", "a:80"),
            ("HTTP://a:80/", "a", "80", "/", "a:80"),
            ("https://a/b?c", "a", "443", "/b?c", "a:443"),
            ("http://a:8080?c", "a:8080", "8080", "?c", "a:8080"),
            ("http://[::1]:81/x", "[::1]:81", "81", "/x", "[::1]:81"),
            ("http://unix:/tmp/s:/x", "localhost", "", "/x", "unix:/tmp/s"),
            ("http://unix:/tmp/s", "localhost", "", "", "unix:/tmp/s"),
        ] {
            let target = ProxyTarget::read(url.as_bytes()).unwrap();
            assert_eq!((target.host_header, target.port), (header.into(), port.into()), "{url}");
            assert_eq!((target.uri, target.group.name.clone()), (uri.into(), address.into()), "{url}");
        }
        for (url, reason) in [
            ("ftp://a", "invalid URL prefix"),
            ("http:///x", "no host"),
            ("http://a:0", "invalid port"),
            ("http://a:x", "invalid port"),
            ("http://[::1", "invalid host"),
            ("http://unix:", "no path in the unix domain socket"),
        ] {
            assert_eq!(ProxyTarget::read(url.as_bytes()).unwrap_err().to_string(), reason, "{url}");
        }
    }
}
