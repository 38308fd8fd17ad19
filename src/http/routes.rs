//! Locations of a server, built from its block.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::core::conf::Current;
use super::core::methods::MethodList;
use super::location::LocationName;
use super::locations::Locations;
pub use super::locations::{Location, LocationRefusal, Wanted};
use super::server_conf::addresses;
use super::variable::Template;
use crate::config::model::HttpServer;
use crate::directive::context::{Contexts, HTTP_SERVER, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, ListenAddr, Match, Restricts, Slot, Undecided, Values};
use crate::net::resolver::server::Resolver;
use crate::syntax::{Problem, Span, sentence};

directives! {
    /// Locations of HTTP servers.
    module "http locations";
    made {
        Routes;
    }
}

/// Locations of a server.
#[derive(Debug)]
pub struct Routes {
    /// The outermost locations.
    pub locations: Locations,
    /// The server's own settings, for paths without a location.
    pub fallback: Arc<Location>,
}

impl Routes {
    /// The location for a decoded path, if no predicate holds; see [`Routes::find_location`].
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn location_for(&self, path: &[u8]) -> Result<&Arc<Location>, Undecided> {
        self.find_location(&mut ByPath { path, matched: &mut drop })
    }

    /// The location of a request by nginx's rules: exact, longest prefix (`^~` ends the search), first matching regular
    /// expression, first predicate that holds, longest prefix.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression exceeds its bounds.
    pub fn find_location(&self, wanted: &mut dyn Wanted) -> Result<&Arc<Location>, Undecided> {
        Ok(self.locations.find(wanted)?.unwrap_or(&self.fallback))
    }
}

/// A search by the path alone: no predicate holds.
pub(super) struct ByPath<'p> {
    pub(super) path: &'p [u8],
    pub(super) matched: &'p mut dyn FnMut(Match),
}

impl Wanted for ByPath<'_> {
    fn path(&self) -> &[u8] {
        self.path
    }

    fn matched(&mut self, found: Match) {
        (self.matched)(found);
    }

    fn holds(&self, _: &Template) -> Result<bool, Undecided> {
        Ok(false)
    }
}

impl HttpServer {
    /// Its locations.
    pub fn routes(&self) -> &Routes {
        self.get()
    }
}

/// `resolver` of a server with its timeout, if it has one.
pub fn resolver_of(server: &HttpServer) -> Option<(Resolver, Duration)> {
    let core = server.routes().fallback.get::<Current>();
    Some((core.resolver.clone()?, core.resolver_timeout.duration()))
}

impl Slot for Routes {
    const HOLDERS: Contexts = HTTP_SERVER;

    crate::directive::slot::keeps_last_places!();

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Routes {
        let chain = Chain { level, blocks: level.blocks };
        let name = LocationName::Prefix { prefix: BString::default(), stops_regex: false };
        let fallback = Arc::new(Location { is_fallback: true, ..chain.bare(name, evaluation) });
        let locations = chain.locations(None, evaluation);
        Routes { locations, fallback }
    }
}

/// A block with its enclosing blocks, innermost first.
struct Chain<'c> {
    level: &'c BlockLevel<'c>,
    blocks: &'c [&'c Block],
}

impl Chain<'_> {
    /// The locations that the block contains.
    fn locations(&self, outer: Option<&LocationName>, evaluation: &mut Evaluation<'_>) -> Locations {
        let mut locations = Locations::default();
        let mut seen: HashMap<(u8, BString), Span> = HashMap::new();
        let Some(holder) = self.blocks.first() else { return locations };
        for block in holder.inner(LOCATION) {
            let Some(name) = block.head::<LocationName>() else { continue };
            if let Some(problem) = outer.and_then(|outer| misplaced(name, outer)) {
                evaluation.report_in(block, problem.label(holder.span, "inside this location"));
                continue;
            }
            let kind = match name {
                LocationName::Exact(_) => 0,
                LocationName::Prefix { .. } => 1,
                LocationName::Named(_) => 2,
                LocationName::Regex(_) | LocationName::Predicate { .. } => 3,
            };
            if let (LocationName::Named(_), Some(alias)) = (name, block.uses("alias")) {
                let text = sentence(&[b"the \"alias\" directive cannot be used inside the named location"]);
                evaluation.report_in(block, Problem::new(text).at(alias).place(alias));
            }
            let first = seen.insert((kind, name.spelled().to_owned()), block.span);
            if let (Some(first), LocationName::Named(_)) = (first, name) {
                let text = sentence(&[b"location \"", name.spelled(), b"\" is not used"]);
                let problem = Problem::warning(text).label(first, "the first one is used");
                evaluation.report_in(block, problem);
                continue;
            }
            if let Some(first) = first.filter(|_| kind != 3) {
                let text = sentence(&[b"duplicate location \"", name.spelled(), b"\""]);
                evaluation.report_in(block, Problem::new(text).label(first, "first given here"));
                continue;
            }
            locations.add(Arc::new(self.with(block, |inner| inner.location(name, evaluation))));
        }
        locations
    }

    fn location(&self, name: &LocationName, evaluation: &mut Evaluation<'_>) -> Location {
        let location = self.bare(name.clone(), evaluation);
        let block = self.blocks[0];
        warn_of_overruled(block, evaluation);
        let mut part = |block: &Block| {
            let part = self.with(block, |inner| inner.bare(name.clone(), evaluation));
            let handler = part.handler.or(location.handler);
            Arc::new(Location { choosing: location.values.clone(), handler, ..part })
        };
        let conditional = block.inner(LOCATION_IF).map(&mut part).collect();
        let limit = block.inner(LIMIT_EXCEPT).next();
        let limited = limit.and_then(|limit| {
            let part = self.with(limit, |inner| inner.bare(name.clone(), evaluation));
            // As in nginx, no other handler is inherited.
            let handler = part.handler.or_else(|| block.uses("proxy_pass").map(|_| "proxy_pass"));
            let part = Location { choosing: location.values.clone(), is_limit: true, handler, ..part };
            Some((limit.head::<MethodList>()?.0.clone(), Arc::new(part)))
        });
        let nested = self.locations(Some(name), evaluation);
        // As in nginx, forwarding is from the directory.
        let has_name = matches!(name, LocationName::Exact(_) | LocationName::Prefix { .. });
        let adds_slash = has_name && name.spelled().ends_with(b"/") && block.uses("proxy_pass").is_some();
        Location { conditional, limited, nested, adds_slash, ..location }
    }

    /// A location without `if` and `limit_except` blocks and without nested locations.
    fn bare(&self, name: LocationName, evaluation: &mut Evaluation<'_>) -> Location {
        let values: Values<LOCATION> = self.level.values(self.blocks, evaluation);
        for problem in self.level.complaints(&values) {
            // What a level inherits was told of there.
            if evaluation.notes.of::<Told>().0.insert(problem.sentence().to_owned()) {
                evaluation.report_in(self.blocks[0], problem);
            }
        }
        Location {
            name,
            choosing: values.clone(),
            values,
            refusal: self.refusal(evaluation),
            handler: self.blocks[0].handler(),
            is_fallback: false,
            is_limit: false,
            conditional: Vec::new(),
            limited: None,
            nested: Locations::default(),
            adds_slash: false,
            pos: evaluation.pos(self.blocks[0].place),
            plan: OnceLock::new(),
        }
    }

    /// The directive that refuses requests here because it is not implemented.
    fn refusal(&self, evaluation: &mut Evaluation<'_>) -> Option<LocationRefusal> {
        let of_peers = Block::refusing(self.blocks, &[Restricts::Connections]);
        if let Some(directive) = of_peers.filter(|_| is_encrypted(evaluation, self.blocks)) {
            return Some(LocationRefusal { directive, of_peers: true });
        }
        let directive = Block::refusing(self.blocks, &[Restricts::Answers, Restricts::Requests])?;
        Some(LocationRefusal { directive, of_peers: false })
    }

    /// Descends into a nested block.
    fn with<R>(&self, block: &Block, go: impl FnOnce(&Chain<'_>) -> R) -> R {
        let mut blocks = vec![block];
        blocks.extend_from_slice(self.blocks);
        go(&Chain { level: self.level, blocks: &blocks })
    }
}

/// Texts of problems with values that were reported.
#[derive(Default)]
struct Told(HashSet<BString>);

/// Warns of directives that select a handler, and another one below them.
fn warn_of_overruled(block: &Block, evaluation: &mut Evaluation<'_>) {
    let handlers = block.handlers();
    let Some((&(last, place), overruled)) = handlers.split_last() else { return };
    for &(name, span) in overruled {
        let text = sentence(&[
            b"\"",
            name.as_bytes(),
            b"\" does not answer here, \"",
            last.as_bytes(),
            b"\" below it does",
        ]);
        let problem = Problem::warning(text).at(span).place(span).label(place, "the last one answers");
        evaluation.report_in(block, problem);
    }
}

/// Whether requests to the server may use TLS. A port uses TLS for all of its servers if one of them enables it.
fn is_encrypted(evaluation: &mut Evaluation<'_>, chain: &[&Block]) -> bool {
    let Some(http) = chain.last() else { return false };
    let Some(server) = chain.iter().find(|block| block.context == HTTP_SERVER) else { return false };
    let lines: Vec<_> = http
        .inner(HTTP_SERVER)
        .flat_map(|block| addresses(&[block, http], evaluation).listen)
        .filter(|line| line.value.options.ssl)
        .flat_map(|line| line.value.addrs)
        .collect();
    addresses(&[server, http], evaluation).listen.iter().flat_map(|line| &line.value.addrs).any(|addr| {
        lines.iter().any(|encrypted| match (addr, encrypted) {
            (ListenAddr::Tcp(addr), ListenAddr::Tcp(encrypted)) => addr.port() == encrypted.port(),
            _ => addr == encrypted,
        })
    })
}

/// Reason why a location may not be nested in another.
fn misplaced(name: &LocationName, outer: &LocationName) -> Option<Problem> {
    let (inner_uri, outer_uri) = (name.spelled(), outer.spelled());
    let text = match (name, outer) {
        (_, LocationName::Exact(_)) => sentence(&[
            b"location \"",
            inner_uri,
            b"\" cannot be inside the exact location \"",
            outer_uri,
            b"\"",
        ]),
        (_, LocationName::Named(_)) => sentence(&[
            b"location \"",
            inner_uri,
            b"\" cannot be inside the named location \"",
            outer_uri,
            b"\"",
        ]),
        (LocationName::Named(_), _) => {
            sentence(&[b"named location \"", inner_uri, b"\" can be on the server level only"])
        }
        (_, LocationName::Predicate { .. }) => return None,
        (LocationName::Exact(_) | LocationName::Prefix { .. }, _)
            if !inner_uri.as_bytes().starts_with(outer_uri.as_bytes()) =>
        {
            sentence(&[b"location \"", inner_uri, b"\" is outside location \"", outer_uri, b"\""])
        }
        _ => return None,
    };
    Some(Problem::new(text))
}
