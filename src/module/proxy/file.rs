//! Names of files that requests may decide, with variables.

use std::path::{Path, PathBuf};

use bstr::BString;

use crate::directive::{Args, Evaluation, Value};
use crate::http::exchange::Exchange;
use crate::http::variable::Template;
use crate::syntax::{Problem, to_path};

/// The name of a file, relative to the directory of the main configuration file. An empty one names none, as in nginx.
#[derive(Clone, Debug)]
pub struct ProxyFile {
    /// The name as written.
    pub(super) spelled: BString,
    name: Template,
    base: PathBuf,
}

impl ProxyFile {
    /// The file, if it is the same for all requests.
    pub(super) fn fixed(&self) -> Option<PathBuf> {
        let name = self.name.literal()?;
        under(&self.base, &name)
    }

    /// Whether its name is the same for all requests.
    pub(super) fn is_fixed(&self) -> bool {
        self.name.literal().is_some()
    }

    /// The file of a request.
    pub(super) fn of(&self, exchange: &Exchange<'_>) -> Option<PathBuf> {
        under(&self.base, &exchange.expand(&self.name))
    }
}

fn under(base: &Path, name: &[u8]) -> Option<PathBuf> {
    (!name.is_empty()).then(|| base.join(to_path(name)))
}

impl Value for ProxyFile {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ProxyFile, Problem> {
        let word = args.first();
        let base = evaluation.under_conf(b"");
        let name = Template::compile(word, &word.bytes, evaluation)?;
        Ok(ProxyFile { spelled: word.text().to_owned(), name, base })
    }
}
