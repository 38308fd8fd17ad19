//! MIME types by file extension.

use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, Span, sentence};

/// Content types by file extension, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentTypes(FxHashMap<BString, BString>);

impl ContentTypes {
    /// Type of an extension, case-insensitive.
    pub fn find(&self, extension: &[u8]) -> Option<&BStr> {
        self.0.get(extension.to_ascii_lowercase().as_bstr()).map(|t| t.as_bstr())
    }

    /// Type of a path's last extension.
    pub fn of_path(&self, path: &[u8]) -> Option<&BStr> {
        let (name, dot) = last_dot(path)?;
        // As in nginx, a name that begins with its only dot has no extension.
        if dot > 0 { self.find(&name[dot + 1..]) } else { None }
    }

    /// Type of the path of a request as received. As in nginx, no dot of those with which a name begins, up to the third,
    /// begins an extension.
    pub fn of_request_path(&self, path: &[u8]) -> Option<&BStr> {
        let (name, dot) = last_dot(path)?;
        let leading = name.iter().take(3).take_while(|b| **b == b'.').count();
        if dot >= leading { self.find(&name[dot + 1..]) } else { None }
    }
}

/// A path behind its last slash, and where its last dot is.
fn last_dot(path: &[u8]) -> Option<(&[u8], usize)> {
    // Most paths without a dot end soon behind their slash.
    let dot = path.iter().rposition(|byte| matches!(byte, b'.' | b'/')).filter(|at| path[*at] == b'.')?;
    let start = path[..dot].rfind_byte(b'/').map_or(0, |slash| slash + 1);
    Some((&path[start..], dot - start))
}

impl Default for ContentTypes {
    /// Types if there is no `types { }` block.
    fn default() -> ContentTypes {
        let pairs = [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];
        ContentTypes(pairs.into_iter().map(|(extension, mime)| (extension.into(), mime.into())).collect())
    }
}

/// What `types` of a block have listed so far.
#[derive(Default)]
struct TypesOfBlock {
    /// Types by extension.
    types: FxHashMap<BString, BString>,
    /// Where each extension stands.
    first: FxHashMap<BString, Span>,
}

impl Value for ContentTypes {
    const ARITY: Arity = Arity::NONE;
    const BLOCK: bool = true;

    fn syntax() -> String {
        "{ type extension ...; ... }".into()
    }

    /// Adds to the types of former `types` in the same block.
    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ContentTypes, Problem> {
        let TypesOfBlock { mut types, mut first } = evaluation.block.take();
        for entry in args.body.into_iter().flatten() {
            let Some((mime, extensions)) = evaluation.free_entry(entry).and_then(<[_]>::split_first) else {
                continue;
            };
            for extension in extensions {
                let name: BString = extension.bytes.to_ascii_lowercase().into();
                let before = first.insert(name.clone(), extension.span);
                let Some(previous) = types.insert(name, mime.text().to_owned()) else { continue };
                let text = sentence(&[
                    b"duplicate extension \"",
                    &extension.bytes,
                    b"\", content type: \"",
                    &mime.bytes,
                    b"\", previous content type: \"",
                    &previous,
                    b"\"",
                ]);
                let mut problem = Problem::warning(text).at(extension.span).place(entry.terminator());
                if let Some(before) = before {
                    problem = problem.label(before, "first given here");
                }
                evaluation.report(problem);
            }
        }
        let all = ContentTypes(types.clone());
        *evaluation.block.of() = TypesOfBlock { types, first };
        Ok(all)
    }

    fn may_repeat(&self) -> bool {
        true
    }
}
