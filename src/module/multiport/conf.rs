//! Directives of the multiport module.

use super::zone::{MultiListen, StreamZone};
use crate::directive::context::{EVENTS, HTTP_ALL, LOCATION, MAIN};
use crate::directive::table::directives;
use crate::directive::{Arity, Own, Text, Words};

directives! {
    /// Sockets and requests of single worker processes.
    module "multiport";
    later {
        /// Sends the request to every worker (subrequests to URI/PORT built from the multi_listen base) and
        /// concatenates the answers.
        "broadcast" => Own<Words>, in LOCATION, args Arity::TWO, restricts answers;
        /// Replaces a leading prefix of the first answer body by another of the same length.
        "broadcast_rewrite_prefix" => Words, in LOCATION, args Arity::TWO;
        /// Text appended after the last worker's answer.
        "broadcast_suffix" => Text, in LOCATION;
    }
    needless {
        /// In every worker opens an extra listening socket BASE+slot (unix:PATH.N or PORT+N) that behaves
        /// like the listening socket RELATED.
        "multi_listen" => Vec<MultiListen>, in EVENTS;
        /// Names the multi_listen base and internal URI used to forward a request to the worker that owns a
        /// stream/session.
        "inner_proxy" => Words, in HTTP_ALL, args Arity::TWO;
        /// Sizes the shared table stream -> owning worker.
        "stream_zone" => Vec<StreamZone>, in MAIN;
    }
}
