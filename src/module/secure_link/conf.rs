//! Directives of the secure link module.

use bstr::BString;

use crate::directive::context::{HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::{NotInherited, Text};
use crate::http::variable::Template;

directives! {
    /// Signed links.
    module "secure link";
    live as Current {
        /// Text with the hash of a link in base64url and, after a comma, optionally the time in seconds at which it
        /// expires: usually `$arg_md5,$arg_expires`. `$secure_link` is then `1` for a valid link, `0` for an expired one
        /// and empty otherwise.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `secure_link $arg_md5,$arg_expires;`
        "secure_link" => link: Option<Template>, in HTTP_ALL;
        /// Text whose MD5 hash a link must have, such as `$secure_link_expires$uri secret`.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `secure_link_md5 "$secure_link_expires$uri secret";`
        "secure_link_md5" => md5: Option<Template>, in HTTP_ALL;
        /// Secret of links of the form `/prefix/hash/link`, where the hash is the MD5 hash of link and secret in
        /// hexadecimal digits. `$secure_link` is then the link. It cannot be combined with the other two.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `secure_link_secret secret;`
        "secure_link_secret" => secret: NotInherited<Text>, in LOCATION;
    }
}

/// nginx's error about a location with both kinds of links.
pub fn mixed() -> BString {
    "\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"".into()
}
