//! The `add_header` lines in force at each level.

use super::conf::Scope;
use super::header::{AddedHeaders, inherited};
use crate::directive::context::{Contexts, LOCATION};
use crate::directive::{BlockLevel, Evaluation, Slot};

impl Slot for AddedHeaders {
    crate::directive::slot::keeps_last_places!();

    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> AddedHeaders {
        AddedHeaders(inherited(level, |scope: &Scope| (&scope.add_header, scope.add_header_inherit.as_ref())))
    }
}
