//! Directives of the mirror module.

use bstr::BString;

use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::{Args, Evaluation, Flag, Value};
use crate::syntax::Problem;

directives! {
    /// Mirroring of requests.
    module "mirror";
    live as Current {
        /// Sends copies of requests to another URI; the responses are dropped. Several lines make several copies.
        ///
        /// Example: `mirror /copy;`
        "mirror" => mirrors: Vec<Mirror> = "off", in HTTP_ALL;
        /// Includes the body in the copies: it is read before the request is answered.
        ///
        /// Example: `mirror_request_body off;`
        "mirror_request_body" => request_body: Flag = "on", in HTTP_ALL;
    }
}

/// URI of the copies, or `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror(pub Option<BString>);

impl Value for Mirror {
    fn syntax() -> String {
        "uri | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Mirror, Problem> {
        let word = args.first();
        args.check_off(evaluation, word.is("off"))?;
        Ok(Mirror((!word.is("off")).then(|| word.text().to_owned())))
    }
}
