//! Directives of the referer module.

use super::valid::{Referers, ValidReferers};
use crate::directive::Num;
use crate::directive::context::{HTTP_SERVER, LOCATION};
use crate::directive::table::directives;

directives! {
    /// Checking of Referer headers.
    module "referer";
    live as Current {
        /// Valid values of the `Referer` header: sets `$invalid_referer` to `1` for all others, for use in `if`.
        /// `none` is a request without the header, `blocked` a header without a scheme, `server_names` the names of
        /// the server. A path must be a prefix of the referer's path, and a regular expression is compared with the
        /// text after the scheme. Ports are ignored. As in PingOS, a referer shorter than `http://i.ru` has no
        /// scheme, and `$invalid_referer` keeps the value of its first use in a request.
        ///
        /// Example: `valid_referers none blocked server_names *.example.com;`
        "valid_referers" => lines: Vec<ValidReferers>, in HTTP_SERVER | LOCATION, restricts requests;
    }
    needless {
        /// Size of a hash table.
        "referer_hash_max_size" => Num = "2048", in HTTP_SERVER | LOCATION;
        /// Bucket size of a hash table.
        "referer_hash_bucket_size" => Num = "64", in HTTP_SERVER | LOCATION;
    }
    made {
        Referers;
    }
}
