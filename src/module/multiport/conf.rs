//! Directives of the multiport module.

use super::zone::{MultiListen, StreamZone};
use crate::directive::context::{EVENTS, HTTP_ALL, LOCATION, MAIN};
use crate::directive::table::directives;
use crate::directive::{Arity, Own, Text, Words};

directives! {
    /// Sockets and requests of individual worker processes.
    module "multiport";
    later {
        /// Sends the request to every worker (as subrequests to URI/PORT, derived from the multi_listen base) and
        /// concatenates the responses.
        "broadcast" => Own<Words>, in LOCATION, args Arity::TWO, restricts answers;
        /// Replaces a prefix of the first response body by another one of the same length.
        "broadcast_rewrite_prefix" => Words, in LOCATION, args Arity::TWO;
        /// Text appended to the last worker's response.
        "broadcast_suffix" => Text, in LOCATION;
    }
    needless {
        /// Opens a further listening socket BASE+slot (unix:PATH.N or PORT+N) in every worker, which behaves like the
        /// listening socket RELATED.
        "multi_listen" => Vec<MultiListen>, in EVENTS;
        /// The multi_listen base and the internal URI for forwarding a request to the worker that owns a stream or
        /// session.
        "inner_proxy" => Words, in HTTP_ALL, args Arity::TWO;
        /// Size of the shared table from streams to their workers.
        "stream_zone" => Vec<StreamZone>, in MAIN;
    }
}
