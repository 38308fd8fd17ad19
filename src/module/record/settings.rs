//! Settings of an application's recorders.

use std::sync::Arc;

use bstr::BString;

use super::conf::{Current, RecordParts, Scope};
use crate::directive::context::{APPLICATION, RECORDER};
use crate::directive::evaluate::Block;
use crate::directive::{BlockLevel, Contexts, Evaluation, Slot, Text, Values};

/// The active recorders: named ones, then the application's own if it has one.
#[derive(Debug, Default)]
pub struct Recorders(pub Vec<Arc<RecorderSettings>>);

/// `recorder NAME { }`, or the recorder of an application itself.
#[derive(Debug)]
pub struct RecorderSettings {
    /// Its name; empty for the application's own.
    pub name: BString,
    /// Media and files.
    pub conf: Arc<Current>,
    /// All of its values, for example the commands for completed files.
    pub values: Values<RECORDER>,
}

impl RecorderSettings {
    fn new(name: BString, values: Values<RECORDER>) -> RecorderSettings {
        RecorderSettings { name, conf: values.share(), values }
    }

    fn writes(&self) -> bool {
        self.conf.parts.0.is_some_and(|parts| !parts.is_empty() && !parts.contains(RecordParts::OFF))
    }
}

/// Every application has recorders of its own: what other modules set in it applies to them too.
impl Slot for Recorders {
    const HOLDERS: Contexts = APPLICATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Recorders {
        let blocks = level.blocks;
        let named = || blocks.first().into_iter().flat_map(|application| application.inner(RECORDER));
        if named().next().is_none() && level.scopes::<Scope>().iter().all(Option::is_none) {
            return Recorders::default();
        }
        let mut recorders = Vec::new();
        for block in named() {
            let name = block.head::<Text>().map(|name| name.0.clone()).unwrap_or_default();
            let chain: Vec<&Block> = std::iter::once(block).chain(blocks.iter().copied()).collect();
            recorders.push(RecorderSettings::new(name, level.values(&chain, evaluation)));
        }
        recorders.push(RecorderSettings::new(BString::default(), level.values(blocks, evaluation)));
        Recorders(recorders.into_iter().filter(RecorderSettings::writes).map(Arc::new).collect())
    }
}
