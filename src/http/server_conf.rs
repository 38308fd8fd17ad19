//! Directives of HTTP servers.

use super::listen::ListenHttp;
use super::location::LocationName;
use crate::directive::context::{HTTP, HTTP_SERVER, LOCATION, MAIN};
use crate::directive::table::directives;
use crate::directive::uses_modules::UsesModules;
use crate::directive::{Msec, Present, ServerNames};

directives! {
    /// HTTP servers.
    module "http server";
    blocks {
        /// Everything about HTTP.
        "http" => UsesModules as single, opens HTTP, in MAIN;
        /// A virtual server: addresses, names and locations.
        "server" => Present, opens HTTP_SERVER, in HTTP;
        /// What is done with paths. An exact location wins, then the longest prefix if it has `^~`, then the
        /// first regular expression that matches, then the longest prefix.
        "location" => LocationName, opens LOCATION, in HTTP_SERVER | LOCATION;
    }
    held as ServerConf {
        session {
            /// Address on which HTTP is accepted; a server without any listens on port 80, or 8000 unless
            /// root.
            "listen" => listen: Vec<ListenHttp>, in HTTP_SERVER;
            /// Names that choose this server among those of an address.
            "server_name" => server_name: Vec<ServerNames>, in HTTP_SERVER;
            /// Time for the head of a request.
            "client_header_timeout" => client_header_timeout: Msec = "60s", in HTTP | HTTP_SERVER;
        }
    }
}
