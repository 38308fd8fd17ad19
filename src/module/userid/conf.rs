//! Directives of the userid module.

use super::settings::{UserIdExpires, UserIdFlags, UserIdMark, UserIdMode};
use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::{Arity, Num, Summed, Text};

directives! {
    /// Cookies that tell clients apart.
    module "userid";
    live as Current {
        /// Whether clients without the cookie get one: `on` in version 2, `v1` in version 1; `log` only reads it.
        ///
        /// Example: `userid on;`
        "userid" => mode: UserIdMode = "off", in HTTP_ALL;
        /// Name of the cookie with the identifier.
        ///
        /// Example: `userid_name visitor;`
        "userid_name" => name: Text = "uid", in HTTP_ALL;
        /// Domain of the cookie; `none` for the host itself.
        ///
        /// Example: `userid_domain example.com;`
        "userid_domain" => domain: Text = "none", in HTTP_ALL;
        /// Attribute `Path` of the cookie: the requests with which a browser sends it.
        ///
        /// Example: `userid_path /live/;`
        "userid_path" => path: Text = "/", in HTTP_ALL;
        /// Time for which a browser keeps the cookie: `max` until the end of 2037, `off` until it is closed.
        ///
        /// Example: `userid_expires 365d;`
        "userid_expires" => expires: UserIdExpires = "off", in HTTP_ALL;
        /// Attributes of the cookie: `secure` for HTTPS alone, `httponly` against access by scripts, `samesite=` for
        /// requests from other sites.
        ///
        /// Example: `userid_flags secure httponly samesite=lax;`
        "userid_flags" => flags: Summed<UserIdFlags>, in HTTP_ALL, args Arity::between(1, 3);
        /// Value of a P3P header that accompanies the cookie; `none` for no header.
        ///
        /// Example: `userid_p3p 'policyref="/w3c/p3p.xml"';`
        "userid_p3p" => p3p: Text = "none", in HTTP_ALL;
        /// Character in place of the first padding character of a cookie. A cookie without it is set again with its
        /// identifier, so that other attributes reach clients that have one already.
        ///
        /// Example: `userid_mark =;`
        "userid_mark" => mark: UserIdMark = "off", in HTTP_ALL;
        /// First part of identifiers, which tells servers apart; by default the server's IPv4 address.
        ///
        /// Example: `userid_service 1;`
        "userid_service" => service: Option<Num>, in HTTP_ALL;
    }
}
