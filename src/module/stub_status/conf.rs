//! Directives of the stub_status module.

use crate::directive::context::{HTTP_SERVER, LOCATION};
use crate::directive::table::directives;
use crate::directive::{Arity, NotInherited, Words};

directives! {
    /// Numbers of connections and requests. Not part of PingOS; as in nginx.
    module "stub status";
    live as Current {
        /// Answers with numbers of connections and requests.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `stub_status;`
        "stub_status" => stub_status: NotInherited<Words>, in HTTP_SERVER | LOCATION, args Arity::between(0, 1), selects handler;
    }
}
