//! Directives of the auth_request module.

use bstr::BString;

use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::Problem;

directives! {
    /// Access by the result of a subrequest. Not part of PingOS; as in nginx.
    module "auth request";
    live as Current {
        /// Admits a request if a subrequest to this URI is answered with 2xx, and refuses it if the answer is 401 or 403.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `auth_request /check;`
        "auth_request" => uri: AuthRequest = "off", in HTTP_ALL, restricts requests;
        /// Sets a variable after the subrequest, when variables have its values.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `auth_request_set $viewer $upstream_http_x_viewer;`
        "auth_request_set" => sets: Vec<AuthRequestSet>, in HTTP_ALL;
    }
}

/// URI of the subrequest, or `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRequest(pub Option<BString>);

/// A variable that is set after the subrequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRequestSet {
    /// Variable name in lower case.
    pub name: BString,
    /// Its value.
    pub value: Template,
}

impl Value for AuthRequest {
    fn syntax() -> String {
        "uri | off".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<AuthRequest, Problem> {
        let word = args.first();
        Ok(AuthRequest((!word.is("off")).then(|| word.text().to_owned())))
    }
}

impl Value for AuthRequestSet {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "$variable value".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<AuthRequestSet, Problem> {
        let [name, value] = args.words else { return Err(args.refuse("is incomplete")) };
        let name = VariableNames::definition(name, evaluation)?;
        Ok(AuthRequestSet { name, value: Template::compile(value, &value.bytes, evaluation)? })
    }
}
