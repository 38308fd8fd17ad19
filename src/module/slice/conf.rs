//! Directives of the slice module.

use crate::directive::Size;
use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;

directives! {
    /// Responses that are fetched in slices. Not part of PingOS; as in nginx.
    module "slice";
    live as Current {
        /// Size of the slices whose range is `$slice_range`; 0 turns them off. A response of status 206 to the range of
        /// the first slice is continued by subrequests for the next ones, until the client has what it asked for.
        ///
        /// Not in PingOS; as in nginx.
        ///
        /// Example: `slice 1m;`
        "slice" => size: Size = "0", in HTTP_ALL;
    }
}
