//! The `auth_uri` directive.

use crate::directive::{Args, Evaluation, Value};
use crate::syntax::Problem;

/// Authorisation server of an earlier release; unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthUri;

impl Value for AuthUri {
    fn syntax() -> String {
        "url".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<AuthUri, Problem> {
        let problem = Problem::warning("\"auth_uri\" is not asked, every client is admitted").at(args.span());
        let help = "`on_publish` and `on_play` ask a server before a client is let in";
        evaluation.report(problem.help(help));
        Ok(AuthUri)
    }
}
