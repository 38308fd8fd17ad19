//! Locations, and their selection by path.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;

use super::location::LocationName;
use super::plan::Plan;
use super::variable::Template;
use crate::directive::context::LOCATION;
use crate::directive::{Match, Pattern, Undecided, Values};
use crate::syntax::Pos;

/// A location.
#[derive(Debug)]
pub struct Location {
    /// Its name, which selects paths.
    pub name: LocationName,
    /// Values of modules.
    pub values: Values<LOCATION>,
    /// The values that select the handler; inside `if` those of the surrounding location, and inside `limit_except` those
    /// that say where requests are forwarded. See [`Location::handling`].
    pub choosing: Values<LOCATION>,
    /// The directive that selects the handler of its requests, if any.
    pub handler: Option<&'static str>,
    /// Whether it stands for the server itself, for paths without a location.
    pub is_fallback: bool,
    /// Whether it is a `limit_except` block.
    pub is_limit: bool,
    /// A directive that refuses all requests here.
    pub refusal: Option<LocationRefusal>,
    /// The `if` blocks of the location, in the order of the file; each applies instead of the location once its
    /// condition is true.
    pub conditional: Vec<Arc<Location>>,
    /// `limit_except`: settings that replace the location's for methods other than these.
    pub limited: Option<(Vec<BString>, Arc<Location>)>,
    /// Nested locations.
    pub nested: Locations,
    /// Whether a request for its path without the last slash is redirected to it.
    pub adds_slash: bool,
    /// Position of its block.
    pub pos: Pos,
    /// Modules that take part in its requests; set by the first one.
    pub plan: OnceLock<Plan>,
}

/// A restricting directive that is not implemented: requests to what it protects are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocationRefusal {
    /// The directive.
    pub directive: &'static str,
    /// Whether it restricts connections, for example by client certificates: then the rewrite module's statements do
    /// not answer either.
    pub of_peers: bool,
}

impl Deref for Location {
    type Target = Values<LOCATION>;

    fn deref(&self) -> &Self::Target {
        &self.values
    }
}

impl Location {
    /// The values that select a handler which `limit_except` does not inherit, as in nginx: there, files answer.
    pub fn handling(&self) -> &Values<LOCATION> {
        if self.is_limit { &self.values } else { &self.choosing }
    }

    /// Whether a path lacks only the slash at the end of the location's name, and is redirected.
    pub fn adds_slash_to(&self, path: &[u8]) -> bool {
        self.adds_slash && self.name.spelled().strip_suffix(b"/") == Some(path)
    }
}

/// The locations of one level.
#[derive(Debug, Default)]
pub struct Locations {
    exact: FxHashMap<BString, Arc<Location>>,
    named: FxHashMap<BString, Arc<Location>>,
    /// Longest first.
    prefixes: Vec<(BString, bool, Arc<Location>)>,
    /// Locations to which a path without their last slash is redirected.
    slash_added: Vec<Arc<Location>>,
    regexes: Vec<(Pattern, Arc<Location>)>,
    /// In the order of the file.
    predicates: Vec<(Template, Arc<Location>)>,
    /// Whether this level or one inside it has predicates.
    has_predicates: bool,
}

/// What a search for a location asks the request.
pub trait Wanted {
    /// The decoded path.
    fn path(&self) -> &[u8];

    /// Is told each regular expression that matches.
    fn matched(&mut self, found: Match);

    /// Whether a predicate holds.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    fn holds(&self, predicate: &Template) -> Result<bool, Undecided>;
}

/// A matching location, and whether an outer level may still prefer one of its regular expressions.
enum PathLocation<'l> {
    Final(&'l Arc<Location>),
    Tentative(&'l Arc<Location>),
}

impl Locations {
    /// Adds a location.
    pub fn add(&mut self, location: Arc<Location>) {
        if location.adds_slash {
            self.slash_added.push(location.clone());
        }
        self.has_predicates |= location.nested.has_predicates;
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
            LocationName::Predicate { variable, .. } => {
                self.predicates.push((variable.clone(), location));
                self.has_predicates = true;
            }
        }
    }

    /// Whether variables take part in the selection of a location.
    pub fn has_predicates(&self) -> bool {
        self.has_predicates
    }

    /// The location of a request.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn find(&self, wanted: &mut dyn Wanted) -> Result<Option<&Arc<Location>>, Undecided> {
        Ok(self.search(wanted)?.map(|found| match found {
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
        let predicates = self.predicates.iter().map(|(_, location)| location);
        self.exact.values().chain(self.named.values()).chain(prefixes).chain(regexes).chain(predicates)
    }

    fn search(&self, wanted: &mut dyn Wanted) -> Result<Option<PathLocation<'_>>, Undecided> {
        if let Some(location) = self.exact.get(wanted.path().as_bstr()) {
            return Ok(Some(PathLocation::Final(location)));
        }
        let prefix = self.prefixes.iter().find(|(prefix, _, _)| wanted.path().starts_with(prefix));
        if let Some(location) = self.slash_added.iter().find(|location| location.adds_slash_to(wanted.path()))
            && prefix.is_none_or(|(prefix, _, _)| prefix != wanted.path())
        {
            return Ok(Some(PathLocation::Final(location)));
        }
        let mut tentative = None;
        if let Some((_, stops_regex, location)) = prefix {
            let found = location.nested.search(wanted)?.unwrap_or(PathLocation::Tentative(location));
            if *stops_regex || matches!(found, PathLocation::Final(_)) {
                return Ok(Some(found));
            }
            tentative = Some(found);
        }
        for (pattern, location) in &self.regexes {
            if let Some(found) = pattern.find(wanted.path())? {
                wanted.matched(found);
                let inner = location.nested.find(wanted)?.unwrap_or(location);
                return Ok(Some(PathLocation::Final(inner)));
            }
        }
        for (predicate, location) in &self.predicates {
            if wanted.holds(predicate)? {
                let inner = location.nested.find(wanted)?.unwrap_or(location);
                return Ok(Some(PathLocation::Final(inner)));
            }
        }
        Ok(tentative)
    }
}
