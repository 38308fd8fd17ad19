//! The HTTP proxy through which callbacks go (`http_proxy`).

use std::fmt;

use bstr::ByteSlice;
use percent_encoding::percent_decode_str;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::syntax::{Problem, Word, sentence};

/// `http_proxy`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpProxy {
    /// Callback servers are connected to directly.
    #[default]
    Off,
    /// They are asked through this proxy.
    Through(ProxyServer),
}

/// A proxy.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyServer {
    /// Host name or address; an IPv6 address has its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name and password for it, decoded.
    pub credentials: Option<(String, String)>,
    /// Hosts that are asked directly, separated by commas: names with the names below them, addresses, networks, or `*`.
    pub except: String,
}

/// The password is a secret.
impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyServer({}:{})", self.host, self.port)
    }
}

impl Value for HttpProxy {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "off | http://[user:password@]host:port [except=host,...]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<HttpProxy, Problem> {
        let word = args.first();
        if &word.bytes[..] == b"off" {
            return match args.words.get(1) {
                None => Ok(HttpProxy::Off),
                Some(more) => Err(invalid_parameter(more).help("`off` stands alone")),
            };
        }
        let mut server = server(args, word)?;
        if let Some(more) = args.words.get(1) {
            let list = more.bytes.strip_prefix(b"except=").and_then(|list| list.to_str().ok());
            let is_list = |list: &&str| list.split(',').all(|host| !host.is_empty());
            server.except =
                list.filter(is_list).ok_or_else(|| invalid_parameter(more).help(EXCEPT))?.to_owned();
        }
        Ok(HttpProxy::Through(server))
    }
}

const EXCEPT: &str = "written as except=localhost,10.0.0.0/8,example.com";

fn invalid_parameter(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid parameter \"", &word.bytes, b"\""])).at(word.span)
}

/// Reads the address. What is wrong with it is said without it, since it may have a password.
fn server(args: &Args<'_>, word: &Word) -> Result<ProxyServer, Problem> {
    let refuse = |what: &str| {
        args.refuse(what).at(word.span).help("the proxy is written as http://[user:password@]host:port")
    };
    let text = word.bytes.to_str().map_err(|_| refuse("has an invalid URL"))?;
    let is_http = text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let rest = text.get(7..).filter(|_| is_http).ok_or_else(|| refuse("has an invalid URL prefix"))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(refuse("has a URL with a path"));
    }
    let (credentials, authority) = match rest.rsplit_once('@') {
        None => (None, rest),
        Some((credentials, authority)) => {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let decoded = |text| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
            let both = decoded(user).zip(decoded(password)).filter(|(user, _)| !user.is_empty());
            (Some(both.ok_or_else(|| refuse("has an invalid user"))?), authority)
        }
    };
    let (host, port) = authority.rsplit_once(':').ok_or_else(|| refuse("has a URL without a port"))?;
    let port =
        number::digits(port.as_bytes()).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| refuse("has an invalid port"))?;
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match inside {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    if !is_host {
        return Err(refuse("has an invalid host"));
    }
    Ok(ProxyServer { host: host.to_owned(), port, credentials, except: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    #[test]
    fn proxies_are_read() {
        let server = |words: &str| match sample::value::<HttpProxy>(&format!("http_proxy {words};")) {
            HttpProxy::Through(server) => server,
            HttpProxy::Off => panic!("{words}"),
        };
        let read = server("http://us%40er:p%3Aw%40@proxy.test:3128/ except=a.test,10.0.0.0/8");
        assert_eq!((read.host.as_str(), read.port), ("proxy.test", 3128));
        assert_eq!(read.credentials, Some(("us@er".into(), "p:w@".into())));
        assert_eq!(read.except, "a.test,10.0.0.0/8");
        assert!(!format!("{read:?}").contains("p:w"));
        let read = server("HTTP://[::1]:80");
        assert_eq!((read.host.as_str(), read.port, read.credentials), ("[::1]", 80, None));
        assert_eq!(sample::value::<HttpProxy>("http_proxy off;"), HttpProxy::Off);
    }

    #[test]
    fn errors_do_not_show_passwords() {
        for words in [
            "http://user:secret@proxy.test",
            "http://user:secret@proxy.test:0",
            "http://user:secret@proxy.test:x",
            "http://user:secret@:80",
            "http://user:secret@a/b:80",
            "http://user:secret@pro,xy:80",
            "http://user:secret@[::x]:80",
            "http://:secret@proxy.test:80",
            "http://user:secret%ff@proxy.test:80",
            "http://user:secret@proxy.test:80/path",
            "https://user:secret@proxy.test:80",
            "socks5://user:secret@proxy.test:80",
            "on",
        ] {
            let (read, said) = sample::read::<HttpProxy>(&format!("http_proxy {words};"));
            assert!(read.is_none() && said.len() == 1 && !said[0].contains("secret"), "{words}: {said:?}");
        }
        for words in ["off off", "http://a:1 b", "http://a:1 except=", "http://a:1 except=a,,b"] {
            let (read, said) = sample::read::<HttpProxy>(&format!("http_proxy {words};"));
            assert!(read.is_none() && said[0].starts_with("invalid parameter"), "{words}: {said:?}");
        }
    }
}
