//! Directives of the headers module. `add_header` is one of the HTTP core, see [`crate::http::header`].

use super::expires::Expires;
use super::trailers::AddedTrailers;
use crate::directive::context::{HTTP_ALL, LOCATION_IF};
use crate::directive::table::directives;
use crate::http::header::{AddHeader, HeaderInherit};

directives! {
    /// Headers of responses.
    module "headers";
    live as Current {
        /// Sends the headers `Expires` and `Cache-Control: max-age`, with this time from now, or from the last change
        /// of the file with `modified`. `@TIME` is a time of day, a negative time and `epoch` forbid caching, `max`
        /// is ten years; `off` sends neither.
        ///
        /// Example: `expires 1h;`
        "expires" => expires: Expires = "off", in HTTP_ALL | LOCATION_IF;
        /// Adds a field after the body of responses that are sent in chunks.
        ///
        /// Example: `add_trailer X-Sent $body_bytes_sent;`
        "add_trailer" => trailers: Vec<AddHeader>, in HTTP_ALL | LOCATION_IF;
        /// What a level takes over of the outer level's `add_trailer` lines: all of them unless it has its own
        /// (`on`), all of them behind its own (`merge`), or none (`off`).
        ///
        /// Not in PingOS; as in nginx since 1.29.3.
        ///
        /// Example: `add_trailer_inherit merge;`
        "add_trailer_inherit" => inherit: HeaderInherit = "on", in HTTP_ALL;
    }
    made {
        AddedTrailers;
    }
}
