//! Directives of the stub_status module.

use crate::directive::context::{HTTP_SERVER, LOCATION};
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, NotInherited, Value};
use crate::syntax::Problem;

directives! {
    /// Numbers of connections and requests. Not part of PingOS; as in nginx.
    module "stub status";
    live as Current {
        /// Answers with numbers of connections and requests.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `stub_status;`
        "stub_status" => stub_status: NotInherited<StubStatus>, in HTTP_SERVER | LOCATION, selects handler;
    }
}

/// Selects the handler. As in nginx, a word may follow that means nothing, and the line may stand again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StubStatus;

impl Value for StubStatus {
    const ARITY: Arity = Arity::between(0, 1);

    fn syntax() -> String {
        "[on]".into()
    }

    fn parse(_: &Args<'_>, _: &mut Evaluation<'_>) -> Result<StubStatus, Problem> {
        Ok(StubStatus)
    }

    fn may_repeat(&self) -> bool {
        true
    }
}
