//! Directives of the sub module.

use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::{Args, Arity, Evaluation, Flag, Value};
use crate::http::content_types::TypeList;
use crate::http::variable::Template;
use crate::syntax::Problem;

directives! {
    /// Replacement of texts in responses. Not part of PingOS; as in nginx.
    module "sub";
    live as Current {
        /// Replaces a text by another, in upper and lower case alike; both may have variables. Of several lines, the
        /// one whose text begins first applies, and then the first line. Variables have the values that they have
        /// when the response begins. Live streams are not changed.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `sub_filter http://backend/ https://example.com/;`
        "sub_filter" => pairs: Vec<Replacement>, in HTTP_ALL;
        /// Replaces only the first occurrence of each text.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `sub_filter_once off;`
        "sub_filter_once" => once: Flag = "on", in HTTP_ALL;
        /// Content types of responses that are changed, besides text/html; `*` stands for all.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `sub_filter_types text/css;`
        "sub_filter_types" => types: TypeList = "text/html", in HTTP_ALL;
        /// Keeps the header `Last-Modified` of a response that `sub_filter` changes, and makes its `ETag` weak; `off`
        /// removes both.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `sub_filter_last_modified on;`
        "sub_filter_last_modified" => keeps_date: Flag = "off", in HTTP_ALL;
    }
}

/// A text and what replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replacement {
    /// Text to look for.
    pub pattern: Template,
    /// Text that replaces it.
    pub replacement: Template,
}

impl Value for Replacement {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "string replacement".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Replacement, Problem> {
        let [pattern, replacement] = args.words else { return Err(args.refuse("is incomplete")) };
        if pattern.bytes.is_empty() {
            return Err(Problem::new("empty search pattern").at(pattern.span));
        }
        Ok(Replacement {
            pattern: Template::compile(pattern, &pattern.bytes, evaluation)?,
            replacement: Template::compile(replacement, &replacement.bytes, evaluation)?,
        })
    }
}
