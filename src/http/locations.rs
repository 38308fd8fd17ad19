//! Selection of a location by path.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::location::LocationName;
use super::routes::Location;
use crate::directive::{Match, Pattern, Undecided};

/// The locations of one level.
#[derive(Debug, Default)]
pub struct Locations {
    exact: HashMap<BString, Arc<Location>>,
    named: HashMap<BString, Arc<Location>>,
    /// Longest first.
    prefixes: Vec<(BString, bool, Arc<Location>)>,
    regexes: Vec<(Pattern, Arc<Location>)>,
}

/// A matching location, and whether an outer level may still prefer one of its regular expressions.
enum PathLocation<'l> {
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

    /// The location of a decoded path. `matched` receives the matches of regular expressions.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn find(
        &self,
        path: &[u8],
        matched: &mut dyn FnMut(Match),
    ) -> Result<Option<&Arc<Location>>, Undecided> {
        Ok(self.search(path, matched)?.map(|found| match found {
            PathLocation::Final(location) | PathLocation::Tentative(location) => location,
        }))
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

    fn search(
        &self,
        path: &[u8],
        matched: &mut dyn FnMut(Match),
    ) -> Result<Option<PathLocation<'_>>, Undecided> {
        if let Some(location) = self.exact.get(path.as_bstr()) {
            return Ok(Some(PathLocation::Final(location)));
        }
        let prefix = self.prefixes.iter().find(|(prefix, _, _)| path.starts_with(prefix));
        let mut tentative = None;
        if let Some((_, stops_regex, location)) = prefix {
            let found = location.nested.search(path, matched)?.unwrap_or(PathLocation::Tentative(location));
            if *stops_regex || matches!(found, PathLocation::Final(_)) {
                return Ok(Some(found));
            }
            tentative = Some(found);
        }
        for (pattern, location) in &self.regexes {
            if let Some(found) = pattern.find(path)? {
                matched(found);
                let inner = location.nested.find(path, matched)?.unwrap_or(location);
                return Ok(Some(PathLocation::Final(inner)));
            }
        }
        Ok(tentative)
    }
}
