//! Virtual servers by host name.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::directive::{Match, Pattern, ServerName, Undecided};

/// Servers of one address by name.
///
/// Searched in nginx's order: exact name, longest leading wildcard, longest trailing wildcard, first matching regular
/// expression, default server.
#[derive(Debug)]
pub struct NameTable<T> {
    default: Arc<T>,
    servers: Vec<Arc<T>>,
    exact: HashMap<BString, Arc<T>>,
    leading: HashMap<BString, Arc<T>>,
    trailing: HashMap<BString, Arc<T>>,
    regexes: Vec<(Pattern, Arc<T>)>,
}

/// A server, with the match if its name is a regular expression.
pub type FoundServer<'t, T> = (&'t Arc<T>, Option<Match>);

impl<T> Clone for NameTable<T> {
    fn clone(&self) -> Self {
        NameTable {
            default: self.default.clone(),
            servers: self.servers.clone(),
            exact: self.exact.clone(),
            leading: self.leading.clone(),
            trailing: self.trailing.clone(),
            regexes: self.regexes.clone(),
        }
    }
}

impl<T> NameTable<T> {
    /// A table in which every name leads to this server.
    pub fn new(default: Arc<T>) -> NameTable<T> {
        NameTable {
            default,
            servers: Vec::new(),
            exact: HashMap::new(),
            leading: HashMap::new(),
            trailing: HashMap::new(),
            regexes: Vec::new(),
        }
    }

    /// Adds a server and returns those of its names that another server already has.
    pub fn add(&mut self, server: &Arc<T>, names: &[ServerName]) -> Vec<BString> {
        self.servers.push(Arc::clone(server));
        let mut taken = Vec::new();
        for name in names {
            let (table, key) = match name {
                ServerName::Exact(key) => (&mut self.exact, key),
                ServerName::LeadingWildcard(key) => (&mut self.leading, key),
                ServerName::TrailingWildcard(key) => (&mut self.trailing, key),
                ServerName::Regex(pattern) => {
                    self.regexes.push((pattern.clone(), Arc::clone(server)));
                    continue;
                }
            };
            if table.contains_key(key) {
                taken.push(name.spelled());
            } else {
                table.insert(key.clone(), Arc::clone(server));
            }
        }
        taken
    }

    /// The server for a host name, ignoring case and a final dot.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn find(&self, host: &[u8]) -> Result<&Arc<T>, Undecided> {
        Ok(self.search(host.strip_suffix(b".").unwrap_or(host))?.0)
    }

    /// The server for a host name without a final dot, ignoring case, with the match if the server's name is a regular
    /// expression.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn search(&self, host: &[u8]) -> Result<FoundServer<'_, T>, Undecided> {
        Ok(self.named(host)?.unwrap_or((&self.default, None)))
    }

    /// As [`NameTable::search`], but only a server that has a name for the host.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn named(&self, host: &[u8]) -> Result<Option<FoundServer<'_, T>>, Undecided> {
        if self.exact.is_empty()
            && self.leading.is_empty()
            && self.trailing.is_empty()
            && self.regexes.is_empty()
        {
            return Ok(None);
        }
        let host = host.to_ascii_lowercase();
        let host = host.as_slice();
        if let Some(server) = self.exact.get(host.as_bstr()) {
            return Ok(Some((server, None)));
        }
        // The first dot gives the longest suffix, the last dot the longest prefix.
        let mut tails = host.find_iter(".").map(|dot| &host[dot..]);
        if let Some(server) = tails.find_map(|tail| self.leading.get(tail.as_bstr())) {
            return Ok(Some((server, None)));
        }
        let heads = host.rfind_iter(".").map(|dot| &host[..=dot]);
        if let Some(server) =
            heads.filter(|h| h.len() < host.len()).find_map(|h| self.trailing.get(h.as_bstr()))
        {
            return Ok(Some((server, None)));
        }
        for (pattern, server) in &self.regexes {
            if let Some(found) = pattern.find(host)? {
                return Ok(Some((server, Some(found))));
            }
        }
        Ok(None)
    }

    /// As [`NameTable::named`], for the name in a TLS handshake: as in nginx, a server that is alone, without a regular
    /// expression for a name, is not looked for.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn negotiated(&self, name: &[u8]) -> Result<Option<FoundServer<'_, T>>, Undecided> {
        if self.servers.len() <= 1 && self.regexes.is_empty() {
            return Ok(None);
        }
        self.named(name.strip_suffix(b".").unwrap_or(name))
    }

    /// The server for names without a match.
    pub fn default_server(&self) -> &Arc<T> {
        &self.default
    }

    /// All servers of the address, in file order.
    pub fn servers(&self) -> &[Arc<T>] {
        &self.servers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_searched_in_order() {
        let mut table = NameTable::new(Arc::new("default"));
        let mut add = |server: &'static str, name: ServerName| {
            assert!(table.add(&Arc::new(server), &[name]).is_empty());
        };
        add("exact", ServerName::Exact("www.example.com".into()));
        add("short tail", ServerName::LeadingWildcard(".com".into()));
        add("long tail", ServerName::LeadingWildcard(".example.com".into()));
        add("head", ServerName::TrailingWildcard("www.".into()));
        for (host, want) in [
            ("WWW.example.com", "exact"),
            ("a.example.com", "long tail"),
            ("a.b.example.com", "long tail"),
            ("example.com", "short tail"),
            ("www.example.org", "head"),
            ("com", "default"),
            (".com", "short tail"),
            (".example.com", "long tail"),
            ("", "default"),
            (".", "default"),
        ] {
            assert_eq!(table.find(host.as_bytes()).unwrap().as_ref(), &want, "{host}");
        }
        assert_eq!(
            table.add(&Arc::new("again"), &[ServerName::Exact("www.example.com".into())]),
            ["www.example.com"]
        );
    }
}
