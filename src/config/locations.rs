//! Which of several locations takes a path.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::model::Location;
use crate::directive::Pattern;
use crate::http::location::LocationName;

/// The locations of one level.
#[derive(Debug, Default)]
pub struct Locations {
    exact: HashMap<BString, Arc<Location>>,
    named: HashMap<BString, Arc<Location>>,
    /// The longest first.
    prefixes: Vec<(BString, bool, Arc<Location>)>,
    regexes: Vec<(Pattern, Arc<Location>)>,
}

/// A location that takes a path, and whether an outer level may still prefer one of its regular expressions.
enum Found<'l> {
    Final(&'l Arc<Location>),
    Tentative(&'l Arc<Location>),
}

impl Locations {
    /// Adds a location.
    pub fn add(&mut self, location: Arc<Location>) {
        match &location.name {
            LocationName::Exact(uri) => {
                self.exact.insert(uri.clone(), location);
            }
            LocationName::Named(name) => {
                self.named.insert(name.clone(), location);
            }
            LocationName::Prefix { prefix, stops_regex } => {
                let at = self.prefixes.partition_point(|(other, _, _)| other.len() >= prefix.len());
                self.prefixes.insert(at, (prefix.clone(), *stops_regex, location));
            }
            LocationName::Regex(pattern) => self.regexes.push((pattern.clone(), location)),
        }
    }

    /// The location of a decoded path.
    pub fn find(&self, path: &[u8]) -> Option<&Arc<Location>> {
        match self.search(path)? {
            Found::Final(location) | Found::Tentative(location) => Some(location),
        }
    }

    /// The location `@name`.
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Location>> {
        self.named.get(name.as_bstr())
    }

    /// All locations of this level.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Location>> {
        let prefixes = self.prefixes.iter().map(|(_, _, location)| location);
        let regexes = self.regexes.iter().map(|(_, location)| location);
        self.exact.values().chain(self.named.values()).chain(prefixes).chain(regexes)
    }

    fn search(&self, path: &[u8]) -> Option<Found<'_>> {
        if let Some(location) = self.exact.get(path.as_bstr()) {
            return Some(Found::Final(location));
        }
        let prefix = self.prefixes.iter().find(|(prefix, _, _)| path.starts_with(prefix));
        let mut tentative = None;
        if let Some((_, stops_regex, location)) = prefix {
            let found = location.nested.search(path).unwrap_or(Found::Tentative(location));
            if *stops_regex || matches!(found, Found::Final(_)) {
                return Some(found);
            }
            tentative = Some(found);
        }
        if let Some((_, location)) = self.regexes.iter().find(|(pattern, _)| pattern.is_match(path)) {
            let inner = location.nested.find(path).unwrap_or(location);
            return Some(Found::Final(inner));
        }
        tentative
    }
}
