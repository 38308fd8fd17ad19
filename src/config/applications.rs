//! Applications of a server, by name.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use bstr::{BStr, BString};

use crate::directive::Values;
use crate::directive::context::APPLICATION;
use crate::syntax::Pos;

/// An RTMP application.
#[derive(Debug)]
pub struct Application {
    /// Name; `*` matches names without a block.
    pub name: BString,
    /// Its values, shared with other applications of the server that set nothing for a module. Values of types named
    /// `Current` are looked up at each use.
    pub values: Values<APPLICATION>,
    /// Position of its block.
    pub pos: Pos,
}

/// Applications in the order of the file.
///
/// Running sessions look up their application at every read of a live value, so thousands of lookups follow a reload.
#[derive(Debug, Default)]
pub struct Applications {
    all: Vec<Arc<Application>>,
    by_name: HashMap<BString, usize>,
}

impl Applications {
    /// The application with this name, otherwise the one named `*`.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<Application>> {
        let at = self.by_name.get(BStr::new(name)).or_else(|| self.by_name.get(BStr::new(b"*")));
        at.map(|at| &self.all[*at])
    }
}

impl FromIterator<Arc<Application>> for Applications {
    fn from_iter<I: IntoIterator<Item = Arc<Application>>>(applications: I) -> Self {
        let all: Vec<Arc<Application>> = applications.into_iter().collect();
        let mut by_name = HashMap::with_capacity(all.len());
        for (at, application) in all.iter().enumerate() {
            // Of several with the same name the first one counts, as in PingOS.
            by_name.entry(application.name.clone()).or_insert(at);
        }
        Applications { all, by_name }
    }
}

impl Deref for Applications {
    type Target = [Arc<Application>];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}
