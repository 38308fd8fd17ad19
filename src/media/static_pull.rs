//! The `static_pull` directive: a stream that is pulled permanently.

use std::collections::HashMap;

use bstr::BString;

use super::relay_target::RelayTarget;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, Span};

/// One `static_pull` line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StaticPull {
    /// Host name of the virtual server to which the stream belongs.
    pub domain: BString,
    /// Its application.
    pub app: BString,
    /// Stream name.
    pub name: BString,
    /// Origin and arguments. Parts that the addresses omit are the same as on this server.
    pub line: RelayTarget,
}

impl Value for StaticPull {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        format!("{} (domain=, app= and name= are needed)", RelayTarget::syntax())
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<StaticPull, Problem> {
        let mut line = RelayTarget::parse(args, evaluation)?;
        // The last two name the stream on this server; an address without a path uses the same names on the origin.
        let (Some(domain), Some(app), Some(name)) = (line.domain.clone(), line.app.take(), line.name.take())
        else {
            return Err(args.refuse("needs domain=, app= and name="));
        };
        if line.urls.is_empty() {
            return Err(args.refuse("needs an address"));
        }
        let key = [domain.clone(), app.clone(), name.clone()];
        if let Some(first) = evaluation.notes.of::<PulledStreams>().0.insert(key, args.span()) {
            return Err(args.refuse("is duplicate").label(first, "first given here"));
        }
        Ok(StaticPull { domain, app, name, line })
    }
}

/// The streams pulled so far: domain, application, name.
#[derive(Default)]
struct PulledStreams(HashMap<[BString; 3], Span>);
