//! Directives of all modules by name.

use rustc_hash::FxHashMap;

use crate::syntax::Vocabulary;

use super::context::{self, Contexts};
use super::row::{Row, StatementShape};
use super::slot::{SlotCheck, SlotSource, Slots};
use super::table::Module;
use crate::syntax::suggest;

/// An unknown name and the name to suggest instead.
pub type NameSuggestion = (&'static str, &'static str);

/// Registry of all directives.
pub struct Registry {
    modules: &'static [&'static Module],
    by_name: FxHashMap<&'static [u8], Vec<RegistryEntry>>,
    advice: FxHashMap<&'static [u8], &'static str>,
    /// Slots by the bit number of the kind of block.
    slots: Vec<Slots>,
    checks: Vec<&'static SlotCheck>,
}

/// A row with its module.
#[derive(Clone, Copy)]
pub struct RegistryEntry {
    /// The module.
    pub module: &'static Module,
    /// The row.
    pub row: &'static Row,
}

impl Registry {
    /// Builds the registry from the modules' tables.
    pub fn new(modules: &'static [&'static Module], advice: &'static [NameSuggestion]) -> Registry {
        let mut by_name: FxHashMap<&'static [u8], Vec<RegistryEntry>> = FxHashMap::default();
        for module in modules {
            for row in module.rows {
                for name in row.names {
                    by_name.entry(name.as_bytes()).or_default().push(RegistryEntry { module, row });
                }
            }
        }
        let advice = advice.iter().map(|(name, text)| (name.as_bytes(), *text)).collect();
        let entries = || modules.iter().flat_map(|module| module.slots).copied();
        let slots = (0..Contexts::BITS).map(|bit| Slots::new(entries(), 1 << bit)).collect();
        let checks = modules.iter().flat_map(|module| module.checks).collect();
        Registry { modules, by_name, advice, slots, checks }
    }

    /// All modules, in the order of the manual.
    pub fn modules(&self) -> &'static [&'static Module] {
        self.modules
    }

    /// Rows of a name, one for each set of contexts.
    pub fn find(&self, name: &[u8]) -> &[RegistryEntry] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Hint for an unknown name: a listed suggestion, a similar name that fits this context, or a similar name of
    /// another context.
    pub fn advice(&self, name: &[u8], here: Contexts) -> Option<String> {
        if let Some(advice) = self.advice.get(name) {
            return Some((*advice).into());
        }
        if let Some(rest) = name.strip_prefix(b"\xef\xbb\xbf") {
            let rest = String::from_utf8_lossy(rest);
            return Some(format!(
                "the file begins with a byte order mark; remove it and `{rest}` is read as such"
            ));
        }
        let fits = |contexts: Contexts| {
            let rows = self.modules.iter().flat_map(|m| m.rows).filter(move |r| r.contexts & contexts != 0);
            suggest::nearest(name, rows.flat_map(|r| r.names).copied())
        };
        if let Some(near) = fits(here) {
            return Some(format!("did you mean `{near}`?"));
        }
        let near = fits(Contexts::MAX)?;
        Some(format!("`{near}` is the nearest name, allowed in: {}", self.contexts_of(near)))
    }

    /// Contexts in which a name is allowed, as text for diagnostics.
    pub fn contexts_of(&self, name: &str) -> String {
        let contexts = self.find(name.as_bytes()).iter().fold(0, |all, entry| all | entry.row.contexts);
        context::names(contexts).collect::<Vec<_>>().join(", ")
    }
}

impl SlotSource for Registry {
    fn slots(&self, holder: Contexts) -> &Slots {
        &self.slots[holder.trailing_zeros() as usize]
    }

    fn checks(&self) -> &[&'static SlotCheck] {
        &self.checks
    }
}

impl Vocabulary for Registry {
    fn is_simple(&self, name: &[u8]) -> bool {
        let entries = self.find(name);
        !entries.is_empty() && entries.iter().all(|e| e.row.shape == StatementShape::Simple)
    }

    fn opens_block(&self, name: &[u8]) -> bool {
        self.find(name).iter().any(|e| e.row.shape != StatementShape::Simple)
    }
}
