//! `$invalid_referer`.

use bstr::{BStr, ByteSlice};

use super::conf::Scope;
use super::valid::{Referers, ValidReferers};
use crate::directive::context::{Contexts, LOCATION};
use crate::directive::evaluate::Block;
use crate::directive::{BlockLevel, Evaluation, Slot};
use crate::http::exchange::{Exchange, Lookup, RequestVariables, VariableLookup};
use crate::http::server_conf::server_names;
use crate::syntax::Spanned;

/// The variable `$invalid_referer`.
pub struct InvalidReferer;

impl RequestVariables for InvalidReferer {
    fn value(&self, exchange: &Exchange<'_>, name: &BStr, out: &mut Vec<u8>) -> VariableLookup {
        if name != "invalid_referer" {
            return Ok(None);
        }
        let referer = exchange.request.header("referer").map(|value| value.as_bytes());
        if !exchange.location.get::<Referers>().permit(referer)? {
            out.push(b'1');
        }
        Ok(Some(Lookup::Found))
    }
}

/// The nearest `valid_referers` lines apply.
impl Slot for Referers {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Referers {
        let lines = level.blocks.iter().find_map(|block| own_lines(block)).unwrap_or_default();
        let made = Referers::new(lines.iter().map(|line| &line.value), &server_names(level.blocks));
        made.unwrap_or_else(|problem| {
            // Conflicting lines are reported once, at their own block.
            if let Some(last) = own_lines(level.blocks[0]).and_then(|lines| lines.last()) {
                evaluation.report_in(level.blocks[0], problem.at(last.span).place(last.place));
            }
            Referers::default()
        })
    }
}

/// The `valid_referers` lines of the block itself.
fn own_lines(block: &Block) -> Option<&[Spanned<ValidReferers>]> {
    block.scope::<Scope>().map(|scope| &scope.lines[..])
}
