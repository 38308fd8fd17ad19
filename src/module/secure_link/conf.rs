//! Directives of the secure link module.

use crate::directive::context::{Contexts, HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Slot, Text};
use crate::http::variable::Template;
use crate::syntax::Problem;

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
        /// hexadecimal digits. `$secure_link` is then the link. It cannot be combined with the other two, and levels
        /// with one of those do not inherit it.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `secure_link_secret secret;`
        "secure_link_secret" => secret: Option<Text>, in HTTP_ALL;
    }
    made {
        LinkSigning;
    }
}

/// How links of a location are signed.
#[derive(Debug, Default)]
pub struct LinkSigning {
    /// Text with a link's hash and time.
    pub link: Option<Template>,
    /// Text that is hashed.
    pub md5: Option<Template>,
    /// Secret of links that have their hash in the path.
    pub secret: Option<Text>,
}

impl Slot for LinkSigning {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> LinkSigning {
        let mut signing = LinkSigning::default();
        for (depth, scope) in level.scopes::<Scope>().into_iter().enumerate().rev() {
            let Some(scope) = scope else { continue };
            let link = scope.link.as_ref().map(|link| link.value.clone());
            let md5 = scope.md5.as_ref().map(|md5| md5.value.clone());
            let has_hash = link.is_some() || md5.is_some();
            if let Some(secret) = &scope.secret {
                // Each level tells of its own lines; as in nginx, `http` does not.
                if has_hash && depth == 0 {
                    let text =
                        "\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"";
                    evaluation.report(Problem::new(text).at(secret.span).place(secret.place));
                }
                signing = LinkSigning { link, md5, secret: Some(secret.value.clone()).filter(|_| !has_hash) };
            } else if has_hash {
                signing = LinkSigning { link: link.or(signing.link), md5: md5.or(signing.md5), secret: None };
            }
        }
        signing
    }
}
