//! Directives of the addition module.

use crate::directive::Text;
use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::http::content_types::TypeList;

directives! {
    /// Text before and after responses. Not part of PingOS; as in nginx.
    module "addition";
    live as Current {
        /// URI of a subrequest whose response is added before the body.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `add_before_body /head.html;`
        "add_before_body" => before: Text = "", in HTTP_ALL;
        /// URI of a subrequest whose response is added after the body.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `add_after_body /foot.html;`
        "add_after_body" => after: Text = "", in HTTP_ALL;
        /// Content types of responses that are added to, besides text/html; `*` stands for all.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `addition_types text/html text/plain;`
        "addition_types" => types: TypeList = "text/html", in HTTP_ALL;
    }
}
