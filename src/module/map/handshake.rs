//! Variables in the names of certificates: what handshakes know of clients, and what `map`, `geo` and `split_clients` make of it.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BStr, BString};

use super::conf::{Definition, Definitions};
use crate::config::model::HttpServer;
use crate::directive::Match;
use crate::http::variable::{Template, Variable, Variables};
use crate::limits;
use crate::net::ssl::source::SERVER_NAME;
use crate::net::tls::{HandshakeFacts, HandshakeVariables};

/// What knows the variables in the names of a server's certificates.
pub fn variables_of_handshakes(server: &HttpServer) -> Arc<dyn HandshakeVariables> {
    Arc::new(OfServer(server.get::<Definitions>().0.clone()))
}

#[derive(Debug)]
struct OfServer(Arc<HashMap<BString, Definition>>);

impl HandshakeVariables for OfServer {
    fn value(&self, name: &BStr, facts: &HandshakeFacts, out: &mut Vec<u8>) {
        let values = Values { definitions: &self.0, facts, matched: None, depth: 0 };
        values.value(&Variable::find(&name.to_owned()), out);
    }
}

/// Values in one handshake.
#[derive(Clone, Copy)]
struct Values<'v> {
    definitions: &'v HashMap<BString, Definition>,
    facts: &'v HandshakeFacts,
    /// The match to which groups refer.
    matched: Option<&'v Match>,
    depth: usize,
}

impl Values<'_> {
    fn expand(&self, template: &Template, matched: Option<&Match>) -> Vec<u8> {
        let mut out = Vec::new();
        template.expand(&Values { matched, depth: self.depth + 1, ..*self }, &mut out);
        out
    }

    fn defined(&self, name: &BString, out: &mut Vec<u8>) -> bool {
        let Some(definition) =
            self.definitions.get(name).filter(|_| self.depth < limits::HANDSHAKE_VARIABLES)
        else {
            return false;
        };
        match definition {
            Definition::Map(map) => {
                // As for requests, the default holds where a regular expression does not come to an end.
                let key = self.expand(&map.source, None);
                let found = map.find(&key).unwrap_or_else(|_| map.otherwise());
                if let Some(template) = found.value {
                    out.extend_from_slice(&self.expand(template, found.matched.as_ref()));
                }
            }
            Definition::Geo(geo) => out.extend_from_slice(match &geo.source {
                None => geo.of_peer(self.facts.remote.map(|remote| remote.ip()), &[]),
                Some(source) => {
                    let mut address = Vec::new();
                    Values { depth: self.depth + 1, ..*self }.value(source, &mut address);
                    geo.of_text(&address, &[])
                }
            }),
            Definition::Split(split) => out.extend_from_slice(split.find(&self.expand(&split.source, None))),
        }
        true
    }
}

impl Variables for Values<'_> {
    fn value(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let (remote, local) = (self.facts.remote, self.facts.local);
        let text = match variable {
            Variable::RemoteAddr => remote.map_or_else(|| "unix:".into(), |addr| addr.ip().to_string()),
            Variable::RemotePort => remote.map(|addr| addr.port().to_string()).unwrap_or_default(),
            Variable::ServerAddr => local.map_or_else(|| "unix:".into(), |addr| addr.ip().to_string()),
            Variable::ServerPort => local.map(|addr| addr.port().to_string()).unwrap_or_default(),
            Variable::Capture(number) => {
                let group = self.matched.and_then(|matched| matched.groups.get(usize::from(*number)));
                out.extend_from_slice(group.map_or(b"", |group| group));
                return group.is_some();
            }
            Variable::User(name) | Variable::Other(name) if name == SERVER_NAME => {
                self.facts.server_name.clone()
            }
            Variable::User(name) | Variable::Other(name) => return self.defined(name, out),
            _ => return false,
        };
        out.extend_from_slice(text.as_bytes());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::sample;

    fn definitions(lines: &[&str]) -> OfServer {
        let mut all = HashMap::new();
        for line in lines {
            let definition = match line.split(' ').next().unwrap() {
                "map" => Definition::Map(sample::value(line)),
                "geo" => Definition::Geo(sample::value(line)),
                _ => Definition::Split(sample::value(line)),
            };
            let name = match &definition {
                Definition::Map(map) => map.name.clone(),
                Definition::Geo(geo) => geo.name.clone(),
                Definition::Split(split) => split.name.clone(),
            };
            all.insert(name, definition);
        }
        OfServer(Arc::new(all))
    }

    fn value(of: &OfServer, name: &str, server_name: &str) -> String {
        let facts = HandshakeFacts {
            server_name: server_name.into(),
            remote: Some(([10, 0, 0, 1], 5).into()),
            local: Some(([127, 0, 0, 1], 443).into()),
        };
        let mut out = Vec::new();
        of.value(name.into(), &facts, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn handshakes_have_values_of_maps() {
        let of = definitions(&[
            "map $ssl_server_name $cert { default /d; a.test /a; ~^(.+)\\.b$ /b/$1-$server_port; }",
            "geo $near { default far; 10.0.0.0/8 near; }",
            "map $near:$cert $both { near:/a yes; default no; }",
            "split_clients $remote_addr $part { * all; }",
            "map $loop $loop { default x$loop; }",
        ]);
        assert_eq!(value(&of, "cert", "a.test"), "/a");
        assert_eq!(value(&of, "cert", "x.b"), "/b/x-443");
        assert_eq!(value(&of, "cert", ""), "/d");
        assert_eq!(value(&of, "both", "a.test"), "yes");
        assert_eq!(value(&of, "both", "other"), "no");
        assert_eq!(value(&of, "part", ""), "all");
        assert_eq!(value(&of, "remote_addr", ""), "10.0.0.1");
        assert_eq!(value(&of, "host", "a.test"), "");
        // A circle comes to an end.
        assert_eq!(value(&of, "loop", ""), "x".repeat(limits::HANDSHAKE_VARIABLES));
    }
}
