//! Sizes of response buffers, which have to fit each other as in nginx, although responses are not buffered: a
//! configuration that nginx refuses is refused here.

use std::collections::{HashMap, HashSet};

use crate::directive::context::{Contexts, LOCATION};
use crate::directive::{Args, Arity, BlockLevel, Evaluation, Slot, Value};
use crate::http::core::buffers::BufferCount;
use crate::syntax::{Problem, Span};

/// What statements have set, by their places.
#[derive(Default)]
struct Stated {
    buffers: HashMap<Span, BufferCount>,
    /// Of the directives with one size.
    sizes: HashMap<Span, u64>,
    /// Statements that were found not to fit: blocks inherit them.
    refused: HashSet<Span>,
}

/// `proxy_buffers`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffers(pub BufferCount);

/// A size that is compared with those of the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComparedSize<T>(pub T);

impl Value for Buffers {
    const ARITY: Arity = BufferCount::ARITY;

    fn syntax() -> String {
        BufferCount::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Buffers, Problem> {
        let buffers = BufferCount::parse(args, evaluation)?;
        if !evaluation.is_of_default() {
            evaluation.notes.of::<Stated>().buffers.insert(args.name.span, buffers);
        }
        Ok(Buffers(buffers))
    }
}

impl<T: Value + Copy + Into<u64>> Value for ComparedSize<T> {
    const ARITY: Arity = T::ARITY;

    fn syntax() -> String {
        T::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ComparedSize<T>, Problem> {
        let size = T::parse(args, evaluation)?;
        if !evaluation.is_of_default() {
            evaluation.notes.of::<Stated>().sizes.insert(args.name.span, size.into());
        }
        Ok(ComparedSize(size))
    }
}

/// That the sizes of a location were compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferSizes;

impl Slot for BufferSizes {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> BufferSizes {
        let stated = evaluation.notes.of::<Stated>();
        if stated.buffers.is_empty() && stated.sizes.is_empty() {
            // The defaults fit.
            return BufferSizes;
        }
        let place = |name: &str| level.blocks.iter().find_map(|block| block.uses(name));
        let size_of = |name: &str| stated.sizes.get(&place(name)?).copied();
        let buffers = place("proxy_buffers").and_then(|place| stated.buffers.get(&place));
        let sizes = Sizes {
            header: size_of("proxy_buffer_size").unwrap_or(USUAL_SIZE),
            buffers: buffers.map_or((USUAL_NUMBER, USUAL_SIZE), |buffers| (buffers.count, buffers.size.0)),
            busy: size_of("proxy_busy_buffers_size"),
            written: size_of("proxy_temp_file_write_size"),
            file: size_of("proxy_max_temp_file_size"),
        };
        let Some((directive, complaint)) = sizes.complaint() else { return BufferSizes };
        let stated_at = [directive, "proxy_buffers", "proxy_buffer_size"].into_iter().find_map(place);
        if let Some(span) = stated_at.filter(|span| stated.refused.insert(*span)) {
            evaluation.report(Problem::new(complaint).at(span).place(span));
        }
        BufferSizes
    }
}

/// nginx's number and size of buffers, and of that for the header, where pages of memory have 4 KiB.
const USUAL_NUMBER: u64 = 8;
const USUAL_SIZE: u64 = 4096;

/// The sizes in force, in bytes.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    header: u64,
    /// Number and size.
    buffers: (u64, u64),
    busy: Option<u64>,
    written: Option<u64>,
    file: Option<u64>,
}

impl Sizes {
    /// The directive that does not fit the others, and nginx's sentence about it (`ngx_http_proxy_merge_loc_conf`).
    fn complaint(&self) -> Option<(&'static str, String)> {
        let (number, size) = self.buffers;
        let largest = self.header.max(size);
        let below = |name: &str, rest: &str| {
            format!(
                "\"{name}\" must be {rest}equal to or greater than the maximum of the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\""
            )
        };
        if number < 2 {
            return Some(("proxy_buffers", "there must be at least 2 \"proxy_buffers\"".into()));
        }
        let busy = self.busy.unwrap_or(largest.saturating_mul(2));
        if busy < largest {
            return Some(("proxy_busy_buffers_size", below("proxy_busy_buffers_size", "")));
        }
        if busy > (number - 1).saturating_mul(size) {
            let text = "\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one buffer";
            return Some(("proxy_busy_buffers_size", text.into()));
        }
        if self.written.is_some_and(|written| written < largest) {
            return Some(("proxy_temp_file_write_size", below("proxy_temp_file_write_size", "")));
        }
        if self.file.is_some_and(|file| file != 0 && file < largest) {
            let rest = "equal to zero to disable temporary files usage or must be ";
            return Some(("proxy_max_temp_file_size", below("proxy_max_temp_file_size", rest)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_to_fit_as_in_nginx() {
        let usual =
            Sizes { header: 4096, buffers: (8, 4096), busy: None, written: None, file: Some(1 << 30) };
        let refused = |sizes: Sizes| sizes.complaint().map(|(directive, _)| directive);
        assert_eq!(refused(usual), None);
        assert_eq!(refused(Sizes { buffers: (1, 4096), ..usual }), Some("proxy_buffers"));
        let busy = Some("proxy_busy_buffers_size");
        assert_eq!(refused(Sizes { busy: Some(4095), ..usual }), busy);
        assert_eq!(refused(Sizes { busy: Some(7 * 4096), ..usual }), None);
        assert_eq!(refused(Sizes { busy: Some(7 * 4096 + 1), ..usual }), busy);
        // Twice the largest is the default: with a large header it does not fit either.
        assert_eq!(refused(Sizes { header: 16 * 1024, ..usual }), busy);
        assert_eq!(refused(Sizes { header: 8 * 1024, ..usual }), None);
        assert_eq!(refused(Sizes { written: Some(4095), ..usual }), Some("proxy_temp_file_write_size"));
        assert_eq!(refused(Sizes { file: Some(4095), ..usual }), Some("proxy_max_temp_file_size"));
        assert_eq!(refused(Sizes { file: Some(0), ..usual }), None);
    }
}
